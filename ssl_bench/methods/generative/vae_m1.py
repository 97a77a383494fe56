"""VAE (M1): a variational autoencoder learns without labels; its latent means are the features."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import bernoulli, gaussian_divergence
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE

VERSION = 1


def vae_m1(
  encoder: net.Net,
  shape: tuple[int, ...],
  *,
  trials: Annotated[float, POSITIVE] = 1.0,
  latent: Annotated[int, POSITIVE] = 50,
  hidden: Annotated[int, POSITIVE] = 500,
  layers: heads.Layers = 'dense',
) -> Method:
  """Kingma et al., "Semi-supervised Learning with Deep Generative Models" (2014), model M1.

  Objective: mean of −E log p(u|z) + KL(q(z|u) ‖ N(0, 1)), a bound of −log p(u), with q(z|u) normal, its
  mean and its variances a linear layer on the encoder's features, and one z = mean + deviation · noise for
  each image. Each pixel, moved to [0, 1], is a share of successes in `trials` Bernoulli trials (the paper,
  on MNIST: one); terms are sums over pixels and over latent variables.

  Args:
    trials: of a pixel; with more of them details of an image weigh more against the divergence.
    latent: number of latent variables (the authors' code, MNIST: 50).
    hidden: width of the decoder (the authors' code, MNIST: 500).
    layers: of the decoder: dense or conv (transposed convolutions).

  Evaluated: the mean of q(z|u) as features; the probe is the classifier, where the paper has an SVM.  Probes
  give every feature the same size, latent variables without use included, which the authors' code leaves
  out: choose `latent` so that all are used.
  BatchNorm: the one pass of the encoder.  The decoder has none.
  Deviations: the encoder is the bench's net; ReLU stands for softplus; gray values are not drawn as zeros and
  ones; no prior on the weights.
  On the digits (experiments/semi_supervised.yaml, five pairs) these features are no better than raw pixels:
  78.6 ± 3.2 % against 80.6 ± 4.0 at 40 labels, 67.3 ± 4.2 against 67.5 ± 7.1 at 20, and at 40 labels they are
  behind `supervised` by 7.3 ± 3.9 points.  To the same network with random weights they gain 4.7 ± 4.4 at 20
  labels and 1.4 ± 4.4, not separable, at 40.  A linear probe reads them, where the paper has a transductive
  SVM, which also uses how unlabeled images cluster.
  """
  model = net.chain(encoder=encoder, posterior=heads.linear(2 * latent))
  generator = heads.decoder(shape, layers=layers, width=hidden)

  def init(key, views):
    params, stats = model.init(key, views['unlabeled']['image'])
    z = jnp.zeros((len(views['unlabeled']['image']), latent))
    rest = net.init_each(key, decoder=(generator, z))
    return params | rest[0], stats | rest[1], ()

  def loss(state, views, key):
    u = views['unlabeled']['image']
    out, stats = model.apply(state.params, state.stats, u, train=True, key=jax.random.fold_in(key, 0))
    mean, log_variance = jnp.split(out['posterior'], 2, -1)
    z = mean + jnp.exp(log_variance / 2) * draw(key, views, latent=latent)['noise']
    logits, _ = generator.apply(state.params['decoder'], state.stats['decoder'], z, train=True)
    terms = {
      'loss/reconstruction': trials * bernoulli(logits, (u + 1) / 2).mean(),
      'loss/divergence': gaussian_divergence(mean, log_variance).mean(),
    }
    return sum(terms.values()), Aux({**state.stats, **stats}, (), terms)

  def encode(state, images):
    return model.apply(state.params, state.stats, images, train=False)[0]['posterior'][:, :latent]

  def error(state, images, key):
    logits, _ = generator.apply(
      state.params['decoder'], state.stats['decoder'], encode(state, images), train=False
    )
    return trials * bernoulli(logits, (images + 1) / 2)

  views = {'unlabeled': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=encode, reconstruction_error=error, kinds=('image',))


def draw(key, views, *, latent):
  """The noise of the latent variables of each image."""
  shape = (len(views['unlabeled']['image']), latent)
  return {'noise': jax.random.normal(jax.random.fold_in(key, 1), shape)}
