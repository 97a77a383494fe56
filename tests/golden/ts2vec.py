"""Yue et al. (2022), equations 1 to 3 and algorithm 1, as sums over points, series and scales.

`draws` says where the crops begin and which of their points are hidden.  A crop has three of the stub's four
points, two of which both crops have.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
KIND = 'series'
CASES = {
  'half of the points hidden': Case(loss=3.07755, settings={'out': 3}),
  'nothing hidden, no context': Case(
    loss=2.09997, settings={'out': 3, 'masking': 0.0, 'context': 0.0, 'overlap': 1.0}
  ),
}
FLOWS = {'loss/contrastive': Flow({'encoder', 'projector'}, {'series'})}
OBSERVED = {'series'}
MEMORY: set[str] = set()
SETTINGS = {'out': 8}
NUMBERS = {'masking': 0.2}
CHANGES = {'dataset': 'fake_series', 'net': {'name': 'resnet1d', 'width': 4}}


def match(a, b):
  """−log softmax of each row's partner among all other rows, the mean; and the gradients."""
  z = np.concatenate([a, b])
  count, d, value = len(z), np.zeros_like(z), 0.0
  for i in range(count):
    partner, others = (i + len(a)) % count, [k for k in range(count) if k != i]
    dots = z[others] @ z[i]
    weights = np.exp(dots - dots.max())
    weights /= weights.sum()
    value += dots.max() + np.log(np.exp(dots - dots.max()).sum()) - z[partner] @ z[i]
    for k, w in zip(others, weights):
      d[k] += (w - (k == partner)) * z[i] / count
      d[i] += (w - (k == partner)) * z[k] / count
  return value / count, d[: len(a)], d[len(a) :]


def scales(a, b):
  """Sum over scales, how many there are, and the gradients in a and b [n, points, d]."""
  n, points, _ = a.shape
  da, db, value = np.zeros_like(a), np.zeros_like(b), 0.0
  for t in range(points):
    v, x, y = match(a[:, t], b[:, t])
    value, da[:, t], db[:, t] = value + v / points / 2, da[:, t] + x / points / 2, db[:, t] + y / points / 2
  if points == 1:
    return value, 1, da, db
  for i in range(n):
    v, x, y = match(a[i], b[i])
    value, da[i], db[i] = value + v / n / 2, da[i] + x / n / 2, db[i] + y / n / 2
  pairs = points // 2
  pooled = [np.maximum(x[:, 0 : 2 * pairs : 2], x[:, 1 : 2 * pairs : 2]) for x in (a, b)]
  rest, count, *above = scales(*pooled)
  for x, dx, top, up in ((a, da, pooled[0], above[0]), (b, db, pooled[1], above[1])):
    for k in range(2):
      own = x[:, k : 2 * pairs : 2]
      alike = (x[:, 0 : 2 * pairs : 2] == top).astype(int) + (x[:, 1 : 2 * pairs : 2] == top)
      dx[:, k : 2 * pairs : 2] += up * (own == top) / alike
  return value + rest, count + 1, da, db


def objective(
  params, held, stats, memory, views, *, step, steps, draws, out, overlap=0.5, context=0.2, masking=0.5
):
  del held, step, steps, out, masking
  series, start, hidden = views['series']['image'], draws['start'].astype(int), draws['masked'].astype(bool)
  n, length, channels = series.shape
  common, beyond = round(overlap * length), round(context * length)
  size = common + beyond
  crops = np.zeros((2 * n, size, channels))
  for i in range(n):
    for half in range(2):
      first = start[i] + half * beyond
      crops[half * n + i] = np.where(hidden[half, i][:, None], 0, series[i, first : first + size])
  flat, into_encoder, moments = _layers.embed(
    params['encoder'], stats['encoder'], crops.reshape(-1, channels)
  )
  points, see = _layers.mix(flat.reshape(2 * n, size, -1), np.arange(size))
  z, into_projector = _layers.dense(points[:, 1:].reshape(2 * n * size, -1), params['projector']['Dense_0'])
  z = z.reshape(2 * n, size, -1)
  value, count, da, db = scales(z[:n, beyond:], z[n:, :common])
  d = np.zeros_like(z)
  d[:n, beyond:], d[n:, :common] = da / count, db / count
  d, projector = into_projector(d.reshape(2 * n * size, -1))
  d = see(np.concatenate([np.zeros((2 * n, 1, d.shape[-1])), d.reshape(2 * n, size, -1)], 1))
  grads = {'encoder': into_encoder(d.reshape(2 * n * size, -1)), 'projector': {'Dense_0': projector}}
  terms = {'loss/contrastive': value / count}
  return Golden(terms, {'loss/contrastive': grads}, {**stats, 'encoder': moments}, memory)
