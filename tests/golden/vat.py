"""Miyato et al. (2018), equations 5 to 15, and the entropy of the clean predictions.

The power iteration is that of the paper, with differences of gradients at ξ d; float64 allows for a small ξ.
`draws` is the direction from which it starts.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
XI = 1e-7
RAMP = {'radius': 0.5, 'weight': 5.0, 'ramp': 0.5}  # of 20 steps: the ramp ends at step 10
CASES = {
  'before the ramp': Case(loss=1.92127, settings=RAMP, step=0),
  'on the ramp': Case(loss=2.75333, settings=RAMP, step=7),
  'at its end': Case(loss=3.10993, settings=RAMP, step=10),
  'after it': Case(loss=3.10993, settings=RAMP, step=15),
  'as published': Case(loss=3.08469),
  'three iterations': Case(
    loss=3.45017, settings={'radius': 2.0, 'weight': 1.0, 'entropy': 0.5, 'iterations': 3}
  ),
  'normalized logits': Case(loss=2.53466, settings=RAMP | {'logits': 'normalized'}),
  'moments of the unlabeled pass': Case(loss=2.27786, settings=RAMP | {'moments': 'unlabeled'}),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  # The change of an image is no unit vector: it has a part of every image of the stub.
  'loss/adversarial': Flow({'encoder', 'head'}, {'labeled', 'unlabeled'}),
  'loss/entropy': Flow({'encoder', 'head'}, {'unlabeled'}),
}
OBSERVED = {'labeled'}
MEMORY: set[str] = set()
SETTINGS = {'radius': 1.0}
NUMBERS = {'radius': 0.5, 'weight': 0.1, 'entropy': 0.5, 'ramp': 0.2}


def unit(images):
  return images / np.sqrt((images**2).sum(-1, keepdims=True))


def classify(params, stats, images):
  """Encoder and head: logits, which are normalized over the batch where the head has running moments."""
  features, into_encoder, encoder = _layers.embed(params['encoder'], stats['encoder'], images)
  logits, into_head, head = _layers.perceptron(features, params['head'], stats['head'])

  def pull(dy):
    d, in_head = into_head(dy)
    return {'encoder': into_encoder(d), 'head': in_head}

  return logits, pull, {**stats, 'encoder': encoder, 'head': head}


def gradient_of_divergence(held, stats, images, q):
  """That of Σ KL(q ‖ p(images)) in the images."""
  features, _, _ = _layers.embed(held['encoder'], stats['encoder'], images)
  logits, into_head, _ = _layers.perceptron(features, held['head'], stats['head'])
  d, _ = into_head(_layers.softmax(logits) - q)
  if stats['encoder']:
    moments = stats['encoder']['batch_stats']
    d, _ = _layers.batch_norm(images @ held['encoder']['kernel'], {}, moments)[1](d)
  return d @ held['encoder']['kernel'].T


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  draws,
  radius=6.0,
  weight=0.3,
  entropy=0.06,
  ramp=0.4,
  iterations=1,
  logits='linear',
  moments='labeled',
  noises='shared',
):
  u = views['unlabeled']['image']
  del logits, noises  # the parameters say the one, and this network has no noise
  log_q = _layers.log_softmax(classify(held, stats, u)[0])
  q = np.exp(log_q)
  d = unit(draws['direction'])
  for _ in range(iterations):
    there, here = (gradient_of_divergence(held, stats, u + xi * d, q) for xi in (XI, 0))
    d = unit((there - here) / XI)

  on_x, pull_x, after_x = classify(params, stats, views['labeled']['image'])
  on_u, pull_u, after_u = classify(params, stats, u)
  on_r, pull_r, _ = classify(params, stats, u + radius * d)
  after = after_u if moments == 'unlabeled' else after_x
  value_x, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  alpha = weight * min(step / (ramp * steps), 1)
  log_p, log_r = _layers.log_softmax(on_u), _layers.log_softmax(on_r)
  p = np.exp(log_p)
  information = (p * log_p).sum(-1, keepdims=True)
  terms = {
    'loss/supervised': value_x,
    'loss/adversarial': alpha * (q * (log_q - log_r)).sum(-1).mean(),
    'loss/entropy': -entropy * information.mean(),
  }
  grads = {
    'loss/supervised': pull_x(d_x),
    'loss/adversarial': pull_r(alpha * (np.exp(log_r) - q) / len(u)),
    'loss/entropy': pull_u(-entropy * p * (log_p - information) / len(u)),
  }
  return Golden(terms, grads, after, memory, (q.argmax(-1), q.max(-1), np.ones(len(q))))
