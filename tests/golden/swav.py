"""Caron et al. (2020): the code of a global view is predicted from every other view, pair by pair.

Codes by Sinkhorn and Knopp's iterations on exp(C z / ε) itself, not on its logarithm, over the batch and
those rows of the queue that are not zero.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3, 'prototypes': 4}
LATE = SMALL | {'crops': 2, 'queue': 8, 'queue_start': 0.25}  # of 20 steps: from step 5
FULL = np.sin(1.0 + np.arange(48.0)).reshape(2, 8, 3) / 2
HALF = FULL * (np.arange(8) < 5)[:, None]
CASES = {
  'a full queue': Case(loss=12.872, settings=LATE, memory={'queue': FULL}, step=5),
  'a queue partly filled': Case(loss=13.2247, settings=LATE, memory={'queue': HALF}, step=9),
  'a queue that starts late': Case(loss=14.4773, settings=LATE, memory={'queue': 0 * FULL}, rate=0.1),
  'one local crop, one iteration, soft codes, a queue shorter than the batch': Case(
    loss=3.14612,
    settings=SMALL
    | {'crops': 1, 'queue': 4, 'queue_start': 0.0, 'iterations': 1, 'temperature': 0.5, 'epsilon': 0.3},
    memory={'queue': FULL[:, :4]},
  ),
  'global views only, no queue': Case(loss=13.9482, settings=SMALL | {'crops': 0}),
}
FLOWS = {'loss/swapped': Flow({'encoder', 'projector', 'prototypes'}, {'a', 'b', 'local'})}
OBSERVED = {'a', 'b', 'local'}
MEMORY = {'queue'}
SETTINGS = {'hidden': 16, 'out': 8, 'prototypes': 12, 'crops': 2, 'queue': 40, 'queue_start': 0.02}
NUMBERS = {'temperature': 0.2, 'epsilon': 0.1, 'queue_start': 0.5}
CHANGES = {'augment__local': 'none'}


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  temperature=0.1,
  epsilon=0.05,
  iterations=3,
  queue=0,
  queue_start=0.075,
  **settings,
):
  del settings
  n, batches = len(views['a']['image']), _layers.by_size(views)
  z, pull, new = _layers.project_each(params, stats, batches)
  fixed, _, _ = _layers.project_each(held, stats, batches)
  views_z = [z[i : i + n] for i in range(0, len(z), n)]
  logits = [part @ params['prototypes'].T / temperature for part in views_z]

  codes, queues = [], []
  for i in range(2):
    own = fixed[i * n : (i + 1) * n]
    rows = own
    if queue and step >= queue_start * steps:
      rows = np.concatenate([own, [row for row in memory['queue'][i] if row.any()]])
    codes.append(assign(rows @ held['prototypes'].T, epsilon, iterations)[:n])
    if queue:
      queues.append(np.concatenate([own, memory['queue'][i]])[:queue])

  pairs = [(t, v) for t in range(2) for v in range(len(logits)) if t != v]
  value, d = 0.0, [np.zeros_like(part) for part in logits]
  for t, v in pairs:
    value -= (codes[t] * _layers.log_softmax(logits[v])).sum() / n / len(pairs)
    d[v] += (_layers.softmax(logits[v]) - codes[t]) / temperature / n / len(pairs)
  slope = np.concatenate(d)
  grads = {**pull(slope @ params['prototypes']), 'prototypes': slope.T @ z}
  return Golden(
    {'loss/swapped': value}, {'loss/swapped': grads}, new, {'queue': np.stack(queues)} if queue else {}
  )


def assign(scores, epsilon, iterations):
  """A matrix whose columns have equal sums, nearly, and whose rows sum to 1."""
  q = np.exp(scores / epsilon)
  rows, columns = q.shape
  for _ in range(iterations):
    q = q / q.sum(0, keepdims=True) / columns
    q = q / q.sum(1, keepdims=True) / rows
  return q * rows


def update(params, stats, memory, **settings):
  del stats, settings
  return {**params, 'prototypes': _layers.unit(params['prototypes'])[0]}, memory
