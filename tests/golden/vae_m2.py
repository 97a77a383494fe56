"""Kingma et al. (2014), model M2: the bounds L(x, y) and U(x) and the classifier's own term, class by class.

`draws` is the noise of z.  Pixels are moved from [-1, 1] to [0, 1].
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'latent': 2, 'hidden': 4}
CASES = {
  'as published': Case(loss=19.0496, settings=SMALL, rate=0.01),
  'counts of 16, other weights': Case(
    loss=172.712, settings=SMALL | {'trials': 16.0, 'weight': 10.0, 'labeled': 0.2}, rate=1e-3
  ),
  'sure of a class': Case(
    loss=19.6827, settings=SMALL, rows={'unlabeled': 8.0 * np.eye(3)[[0, 1, 2, 0, 1, 2]]}, rate=0.01
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/labeled': Flow({'posterior', 'decoder'}, set()),
  'loss/unlabeled': Flow({'encoder', 'head', 'posterior', 'decoder'}, {'unlabeled'}),
}
OBSERVED = {'labeled', 'unlabeled'}
MEMORY: set[str] = set()
SETTINGS = {'latent': 4, 'hidden': 16}
NUMBERS = {'weight': 1.0, 'labeled': 0.1, 'trials': 4.0}
CHANGES = {'optimizer__lr': 1e-3}


def bound(params, images, labels, noise, trials):
  """L(x, y) of each image, and the pullback of its gradient."""
  seen, into_posterior, _ = _layers.perceptron(np.concatenate([images, labels], 1), params['posterior'], {})
  latent, classes = noise.shape[1], labels.shape[1]
  mean, deviation = seen[:, :latent], np.exp(seen[:, latent:] / 2)
  code = np.concatenate([mean + deviation * noise, labels], 1)
  logits, into_decoder, _ = _layers.perceptron(code, params['decoder'], {})
  p, wanted = 1 / (1 + np.exp(-logits)), (images + 1) / 2
  log_likelihood = trials * (wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).sum(1)
  divergence = ((mean**2 + deviation**2 - 1) / 2 - np.log(deviation)).sum(1)

  def pull(dy):
    dy = dy[:, None]
    d_code, decoder = into_decoder(dy * trials * (p - wanted))
    d_z = d_code[:, :latent]
    d_mean, d_deviation = d_z + dy * mean, d_z * noise + dy * (deviation - 1 / deviation)
    _, posterior = into_posterior(np.concatenate([d_mean, d_deviation * deviation / 2], 1))
    return {'posterior': posterior, 'decoder': decoder}

  return -log_likelihood - np.log(1 / classes) + divergence, pull


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
  weight=0.1,
  labeled=1.0,
  trials=1.0,
  latent=50,
  hidden=500,
):
  del held, step, steps, latent, hidden
  x, u, y = views['labeled']['image'], views['unlabeled']['image'], views['labeled']['label']
  logits, pull, after = _layers.classify(params, stats, np.concatenate([x, u]))
  on_x, on_u = logits[: len(x)], logits[len(x) :]
  supervised, d_x = _layers.cross_entropy(on_x, y)
  log_q = _layers.log_softmax(on_u)
  q, classes = np.exp(log_q), log_q.shape[1]
  known, pull_known = bound(params, x, np.eye(classes)[y], draws['labeled'], trials)
  unknown, grads_unknown = np.zeros_like(q), []
  for k in range(classes):
    label = np.tile(np.eye(classes)[k], (len(u), 1))
    unknown[:, k], pull_k = bound(params, u, label, draws['unlabeled'], trials)
    grads_unknown.append(pull_k(q[:, k] / len(u)))
  entropy = -(q * log_q).sum(1)
  d_q = unknown + log_q
  d_u = q * (d_q - (q * d_q).sum(1, keepdims=True)) / len(u)
  terms = {
    'loss/supervised': weight * supervised,
    'loss/labeled': labeled * known.mean(),
    'loss/unlabeled': ((q * unknown).sum(1) - entropy).mean(),
  }
  grads = {
    'loss/supervised': pull(np.concatenate([weight * d_x, np.zeros_like(on_u)])),
    'loss/labeled': pull_known(np.full(len(x), labeled / len(x))),
    'loss/unlabeled': _layers.add(pull(np.concatenate([np.zeros_like(on_x), d_u])), *grads_unknown),
  }
  return Golden(terms, grads, {**stats, **after}, memory, (q.argmax(1), q.max(1), np.ones(len(u))))
