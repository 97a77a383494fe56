"""VAE (M2): a generative model of images and labels, for which a missing label is a latent variable."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, use_all
from ssl_bench.losses import bernoulli, cross_entropy, gaussian_divergence
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def vae_m2(
  encoder: net.Net,
  classes: int,
  shape: tuple[int, ...],
  *,
  weight: Annotated[float, Range(0)] = 0.1,
  labeled: Annotated[float, Range(0)] = 1.0,
  trials: Annotated[float, POSITIVE] = 1.0,
  latent: Annotated[int, POSITIVE] = 50,
  hidden: Annotated[int, POSITIVE] = 500,
  layers: heads.Layers = 'dense',
) -> Method:
  """Kingma et al., "Semi-supervised Learning with Deep Generative Models" (2014), model M2.

  Objective: labeled · mean L(x, y) + mean U(u) + weight · mean H(y, q(x)), with
  L(x, y) = −E log p(x|y, z) − log p(y) + KL(q(z|x, y) ‖ N(0, 1)) and U(u) = Σ_y q(y|u) L(u, y) − H(q(y|u)):
  the sum over all classes for every image, none is drawn.  q(y|x) is the classifier; q(z|x, y) is normal,
  its mean and variances from a perceptron on pixels and label; z = mean + deviation · noise, the same noise
  for every class; p(y) is uniform.  Each pixel, moved to [0, 1], is a share of successes in `trials`
  Bernoulli trials (the paper, on MNIST: one); terms are sums over pixels and over latent variables.

  Args:
    weight: of the classifier's own term, per image: α / N (the paper: α = 0.1 N, so 0.1; the authors' code
      divides all by N as well).
    labeled: weight of the mean bound of labeled images beside that of unlabeled ones; the paper sums both
      over their sets, which is labels / unlabeled images; 1 lets either count as much.
    trials: of a pixel; with more of them details of an image weigh more against the divergence.
    latent: number of latent variables (the authors' code, MNIST: 50).
    hidden: width of the perceptron and of the decoder (the authors' code, MNIST: 300 for
      100 labels, else 500).
    layers: of the decoder: dense or conv (transposed convolutions).

  Evaluated: the classifier q(y|x); features are its encoder's.
  BatchNorm: one pass of the encoder over labeled and unlabeled images.  Perceptron and decoder have none.
  Deviations: the classifier is the bench's net; ReLU stands for softplus; labeled images are among the
  unlabeled ones; gray values are not drawn as zeros and ones; one noise for all classes of an image, where
  the authors' code has one for each; no prior on the weights.
  On the digits (experiments/semi_supervised.yaml, five pairs) it is not separable from `supervised`:
  +3.0 ± 4.9 points at 40 labels, +3.6 ± 12.1 at 20, where the pairs lie between 57 and 89 %.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))
  recognition = heads.projector(hidden, 2 * latent, norm='none')
  generator = heads.decoder(shape, layers=layers, width=hidden)

  def init(key, views):
    x = views['labeled']['image']
    y, z = jnp.zeros((len(x), classes)), jnp.zeros((len(x), latent))
    params, stats = model.init(key, x)
    rest = net.init_each(key, posterior=(recognition, beside(x, y)), decoder=(generator, z, y))
    return params | rest[0], stats | rest[1], ()

  def bound(state, images, labels, noise):
    """L(x, y) of each image with that label, [batch, classes]: at least −log p(x, y)."""
    apply = lambda part, name, *x: part.apply(state.params[name], state.stats[name], *x, train=True)[0]
    mean, log_variance = jnp.split(apply(recognition, 'posterior', beside(images, labels)), 2, -1)
    logits = apply(generator, 'decoder', mean + jnp.exp(log_variance / 2) * noise, labels)
    error = trials * bernoulli(logits, (images + 1) / 2)
    return error + gaussian_divergence(mean, log_variance) + jnp.log(classes)

  def loss(state, views, key):
    x, u = views['labeled']['image'], views['unlabeled']['image']
    y, noise = views['labeled']['label'], draw(key, views, latent=latent)
    images, key = jnp.concatenate([x, u]), jax.random.fold_in(key, 0)
    out, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    on_x, on_u = jnp.split(out['head'], [len(x)])
    log_q = jax.nn.log_softmax(on_u)
    q = jnp.exp(log_q)
    known = bound(state, x, jax.nn.one_hot(y, classes), noise['labeled'])
    at = lambda one: bound(state, u, jnp.broadcast_to(one, q.shape), noise['unlabeled'])
    each = jax.vmap(at, out_axes=1)(jnp.eye(classes))
    metrics = {
      'loss/supervised': weight * cross_entropy(on_x, y).mean(),
      'loss/labeled': labeled * known.mean(),
      'loss/unlabeled': (q * (each + log_q)).sum(-1).mean(),
    }
    pseudo = use_all(views['unlabeled']['index'], q)
    return sum(metrics.values()), Aux({**state.stats, **stats}, (), metrics, pseudo)

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
  """The noise of the latent variables of each image, the same for all labels that it could have."""
  keys = {'labeled': jax.random.fold_in(key, 1), 'unlabeled': jax.random.fold_in(key, 2)}
  return {name: jax.random.normal(k, (len(views[name]['image']), latent)) for name, k in keys.items()}


def beside(images, labels):
  """An image's pixels and its label in one row."""
  return jnp.concatenate([images.reshape(len(images), -1), labels], -1)
