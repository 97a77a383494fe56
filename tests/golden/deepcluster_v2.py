"""Caron et al. (2020), the authors' main_deepclusterv2.py: views predict their image's cluster, by head.

`redraws` are the orders of the images, whose first are the first centroids.  The batch's images are 40 to 45.
"""

import numpy as np

from golden import Case, Flow, Golden, Refresh, _layers

VERSION = 1
N, HEADS, CLUSTERS, OUT = 240, 3, 4, 3
SMALL = {'hidden': 8, 'out': OUT, 'clusters': CLUSTERS}


def spread(*shape):
  """Rows of unit length that are not of two directions only."""
  return _layers.unit(np.sin(1 + 2.7 * np.arange(np.prod(shape)) ** 1.3).reshape(shape))[0]


ROWS = spread(2, N, OUT)
FOUND = {
  'projections': ROWS,
  'centroids': spread(HEADS, CLUSTERS, OUT),
  'cluster': np.arange(HEADS * N).reshape(HEADS, N) * 7 % 11 % CLUSTERS,
}
SOME = FOUND | {'cluster': np.where(np.arange(N) % 2, FOUND['cluster'], -1)}
FEW = FOUND | {'projections': ROWS * (np.arange(N) % 3 > 0)[:, None]}
CASES = {
  'every image has a cluster': Case(loss=5.79561, settings=SMALL, memory=FOUND),
  'half of them have none': Case(loss=1.80864, settings=SMALL | {'temperature': 0.5}, memory=SOME),
  'none has one yet': Case(loss=0.0, settings=SMALL, memory=FOUND | {'cluster': np.full((HEADS, N), -1)}),
  'one head, local crops': Case(
    loss=2.26074,
    settings=SMALL | {'heads': 1, 'crops': 2, 'temperature': 0.5},
    memory=FOUND | {name: FOUND[name][:1] for name in ('centroids', 'cluster')},
  ),
}
REFRESHES = {
  'all were seen': Refresh(value=32.0883, settings=SMALL, memory=FOUND),
  'a third was not seen, two iterations': Refresh(
    value=12.8775,
    settings=SMALL | {'clusters': 9, 'heads': 2, 'iterations': 2},
    memory=FEW | {'centroids': np.zeros((2, 9, OUT)), 'cluster': FOUND['cluster'][:2]},
  ),
}
FLOWS = {'loss/cluster': Flow({'encoder', 'projector'}, {'a', 'b', 'local'})}
OBSERVED = {'a', 'b', 'local'}
MEMORY = {'projections', 'centroids', 'cluster'}
SETTINGS = {'hidden': 16, 'out': 8, 'clusters': 4, 'iterations': 3, 'temperature': 0.5}
NUMBERS = {'temperature': 0.2}
CHANGES = {'batch__unlabeled_ratio': 15}  # two steps an epoch


def objective(params, held, stats, memory, views, *, step, steps, heads=3, temperature=0.1, **settings):
  del step, steps, settings
  index, batches = views['a']['index'], _layers.by_size(views)
  z, pull, after = _layers.project_each(params, stats, batches)
  constant = _layers.project_each(held, stats, batches)[0]
  value, d, n = 0.0, np.zeros_like(z), len(index)
  for h in range(heads):
    own = memory['cluster'][h, index].astype(int)
    rows = [i for i in range(len(z)) if own[i % n] >= 0]
    for i in rows:
      scores = memory['centroids'][h] @ z[i] / temperature
      wanted = np.eye(len(scores))[own[i % n]]
      value -= wanted @ _layers.log_softmax(scores) / len(rows) / heads
      d[i] += (_layers.softmax(scores) - wanted) @ memory['centroids'][h] / temperature / len(rows) / heads
  projections = memory['projections'].copy()
  projections[:, index] = constant[: 2 * n].reshape(2, n, -1)
  memory = {**memory, 'projections': projections}
  return Golden({'loss/cluster': value}, {'loss/cluster': pull(d)}, after, memory)


def refresh(
  params, stats, memory, images, labeled, *,
  step, steps, classes, redraws, clusters, heads=3, iterations=10, **settings,
):  # fmt: skip
  del params, stats, images, labeled, step, steps, classes, settings
  centroids, cluster = [], []
  for h in range(heads):
    rows = memory['projections'][h % 2]
    seen = [i for i in np.asarray(redraws['orders'][h], int) if rows[i].any()]
    found = rows[seen[:clusters]].copy()
    for _ in range(iterations):
      nearest = {i: int(np.argmax(found @ rows[i])) for i in seen}
      for k in range(clusters):
        members = [rows[i] for i in seen if nearest[i] == k]
        if members:
          found[k] = np.mean(members, 0) / np.linalg.norm(np.mean(members, 0))
    centroids.append(found)
    cluster.append([int(np.argmax(found @ row)) if row.any() else -1 for row in rows])
  return {**memory, 'centroids': np.stack(centroids), 'cluster': np.array(cluster)}
