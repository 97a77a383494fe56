"""Salimans et al. (2016), semi-supervised learning with feature matching; both players move at once.

`draws` is the generator's noise.  The discriminator's terms hold the generator, the generator's term holds
the discriminator.  Labeled, unlabeled and generated images share one pass.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'latent': 3, 'hidden': 4}
CASES = {
  'as published': Case(loss=4.91901, settings=SMALL, rate=0.05),
  'half the weight': Case(loss=3.61059, settings=SMALL | {'weight': 0.5}, rate=0.05),
  'sure that all is real': Case(
    loss=5.72131,
    settings=SMALL,
    rows={name: np.full((n, 3), 3.0) for name, n in (('labeled', 5), ('unlabeled', 6))},
    rate=0.01,
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  # A generated image is no unit vector: it has a part of every image of the stub.
  'loss/adversarial': Flow({'encoder', 'head'}, {'labeled', 'unlabeled'}),
  'loss/matching': Flow({'generator'}, set()),
}
OBSERVED = {'labeled', 'unlabeled'}
MEMORY: set[str] = set()
SETTINGS = {'latent': 8, 'hidden': 16}
NUMBERS = {'weight': 0.5}


def real_or_fake(logits, real):
  """−log D of real images, −log (1 − D) of others, and its gradient; D = Z / (Z + 1), Z = Σ exp(logits)."""
  z = np.exp(logits).sum(1, keepdims=True)
  share = np.exp(logits) / z
  d = z / (z + 1)
  return (-np.log(d), (d - 1) * share) if real else (-np.log(1 - d), d * share)


def objective(params, held, stats, memory, views, *, step, steps, draws, weight=1.0, latent=100, hidden=500):
  del step, steps, latent, hidden
  x, u, y = views['labeled']['image'], views['unlabeled']['image'], views['labeled']['label']
  made, into_generator, moved = _layers.perceptron(draws['z'], params['generator'], stats['generator'])
  fake = np.tanh(made)
  fixed = np.tanh(_layers.perceptron(draws['z'], held['generator'], stats['generator'])[0])
  n, m = len(x), len(u)

  logits, pull, after = _layers.classify(params, stats, np.concatenate([x, u, fixed]))
  supervised, d_x = _layers.cross_entropy(logits[:n], y)
  on_real, d_real = real_or_fake(logits[n : n + m], True)
  on_fake, d_fake = real_or_fake(logits[n + m :], False)
  none = np.zeros_like(logits)

  kernel, old = held['encoder']['kernel'], stats['encoder']
  target, _, _ = _layers.embed(held['encoder'], old, np.concatenate([x, u, fixed]))
  features, into_features = np.concatenate([x, u, fake]) @ kernel, lambda d: (d, {})
  if old:
    features, into_features, _ = _layers.batch_norm(features, {}, old['batch_stats'])
  gap = features[n + m :].mean(0) - target[n : n + m].mean(0)
  d_features = np.zeros_like(features)
  d_features[n + m :] = 2 * gap / m
  d_images = into_features(d_features)[0][n + m :] @ kernel.T
  terms = {
    'loss/supervised': supervised,
    'loss/adversarial': weight * (on_real.mean() + on_fake.mean()),
    'loss/matching': (gap**2).sum(),
  }
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, none[n:]])),
    'loss/adversarial': pull(np.concatenate([none[:n], weight * d_real / m, weight * d_fake / m])),
    'loss/matching': {'generator': into_generator(d_images * (1 - fake**2))[1]},
  }
  return Golden(terms, grads, {**after, 'generator': moved}, memory)
