"""SSL-GAN: the classifier is also a discriminator; the generator matches its features of real images."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def ssl_gan(
  encoder: net.Net,
  classes: int,
  shape: tuple[int, ...],
  *,
  weight: Annotated[float, Range(0)] = 1.0,
  latent: Annotated[int, POSITIVE] = 100,
  hidden: Annotated[int, POSITIVE] = 500,
  layers: heads.Layers = 'dense',
) -> Method:
  """Salimans et al., "Improved Techniques for Training GANs" (2016): semi-supervised, with feature matching.

  The classes' logits l(x) also say whether an image is real: D(x) = Z / (Z + 1), Z = Σ_k exp l_k(x), which is
  the softmax over the classes and one more, whose logit stays at 0.

  Objective: of the discriminator, which is the classifier, mean H(y, p(x)) + weight · (−mean log D(u) −
  mean log(1 − D(G(z)))) with the generated images held constant; of the generator, ‖mean f(u) − mean
  f(G(z))‖² for the encoder's features f, with the discriminator, and mean f(u), held constant.  The sum of
  both is differentiated once: neither player's terms reach the other.

  Args:
    weight: of the unlabeled and the generated images' terms (the authors' code: ½).
    latent: size of z, uniform in [0, 1) (the authors' code, MNIST: 100).
    hidden: width of the generator (the authors' code, MNIST: 500).
    layers: of the generator: dense or conv (transposed convolutions).

  Evaluated: the classifier; under `with_ema` its average, as in the authors' code.
  BatchNorm: the generator has its own.  Labeled, unlabeled and generated images go through the discriminator
  in one pass, whose moments are the running ones too: with a pass for each, the moments would hide from
  both players how the generated features differ in the mean.
  Each player has its own rate by a group of the optimizer: `optimizer: {groups: {generator: {lr: 0.001}}}`.
  Deviations: both players move at once, from the same parameters and on the same images, where the authors'
  code moves the discriminator first; the squared norm, as in the paper, where their code has the mean of
  squares (MNIST) or of absolute values; the features are those below the classifier, as theirs, which on
  MNIST lack the noise of the last layer; the discriminator is the bench's net, without weight normalization,
  and with noise or dropout on its layers where the net has some; pixels are in [-1, 1], so tanh ends the
  generator, whose units are ReLU where theirs are softplus.
  On the digits (experiments/semi_supervised.yaml, five pairs) it is not separable from `supervised`:
  +4.0 ± 7.3 points at 20 labels, +0.8 ± 5.0 at 40.  Runs are short, 1,500 steps where the paper trains for
  hundreds of epochs.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))
  generator = heads.decoder(shape, layers=layers, width=hidden, norm='batch')

  def init(key, views):
    x = views['labeled']['image']
    params, stats = model.init(key, x)
    rest = net.init_each(key, generator=(generator, jnp.zeros((len(x), latent))))
    return params | rest[0], stats | rest[1], ()

  def loss(state, views, key):
    x, u = views['labeled']['image'], views['unlabeled']['image']
    z, key = draw(key, views, latent=latent)['z'], jax.random.fold_in(key, 0)
    made, moved = generator.apply(state.params['generator'], state.stats['generator'], z, train=True)
    fake = jnp.tanh(made)

    def judge(params, fake):
      images = jnp.concatenate([x, u, fake])
      return model.apply(params, state.stats, images, train=True, key=key)

    # The discriminator's terms see a fixed fake; the generator's term sees a fixed discriminator.
    out, stats = judge(state.params, jax.lax.stop_gradient(fake))
    seen, _ = judge(jax.lax.stop_gradient(state.params), fake)
    on_x, on_u, on_fake = jnp.split(out['head'], [len(x), len(x) + len(u)])
    real, unreal = (jax.nn.logsumexp(on, -1) for on in (on_u, on_fake))
    wanted = jax.lax.stop_gradient(out['encoder'][len(x) : -len(u)].mean(0))
    terms = {
      'loss/supervised': cross_entropy(on_x, views['labeled']['label']).mean(),
      'loss/adversarial': weight * (jax.nn.softplus(-real) + jax.nn.softplus(unreal)).mean(),
      'loss/matching': jnp.square(seen['encoder'][-len(u) :].mean(0) - wanted).sum(),
    }
    told = {'real_accuracy': (real > 0).mean(), 'fake_accuracy': (unreal < 0).mean()}
    return sum(terms.values()), Aux({**stats, 'generator': moved}, (), terms | told)

  views = {'labeled': View('labeled', 'weak'), 'unlabeled': View('unlabeled', 'weak')}
  return Method(
    views,
    init,
    loss,
    encode=net.output(model, 'encoder'),
    predict=net.output(model, 'head'),
    kinds=('image',),
  )


def draw(key, views, *, latent):
  """The generator's noise, uniform in [0, 1)."""
  shape = (len(views['unlabeled']['image']), latent)
  return {'z': jax.random.uniform(jax.random.fold_in(key, 1), shape)}
