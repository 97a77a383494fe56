"""Exact k nearest neighbors: candidates from one matrix product on the device, uncertain rows searched again.

|x|² + |y|² - 2 x·y loses the more of a distance to rounding, the farther the points are from their mean.  So
the device takes a few more candidates than k by a lower bound of the distance, and ranks them by the sum of
squared differences, which loses nothing.  Where the bound does not exclude that another point is nearer, the
host searches the row again in float64.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.graph import host

HELD = 2**27  # distances in memory at once
SPARE = 32  # candidates beyond k
TIES = 1024  # the most equally near points that the host ranks
ROUNDING = float(np.finfo('float32').eps) / 2


def nearest(points, bank, k: int, *, same: bool) -> tuple[Any, Any]:
  """Squared distances float32 [n, k] and indices int32 [n, k] of the k nearest; see `graph.nearest`."""
  rows = max(1, HELD // len(bank))
  value, index, sure = _on_device(points, bank, k=k, same=same, rows=rows)
  shapes = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (value, index))
  search = partial(_on_host, same=same)
  again = lambda *given: host.call(search, shapes, *given)
  keep = lambda points, bank, value, index, sure: (value, index)
  return jax.lax.cond(sure.all(), keep, again, points, bank, value, index, sure)


@partial(jax.jit, static_argnames=('k', 'same', 'rows'))
def _on_device(points, bank, *, k, same, rows):
  """Distances, indices, and whether each row is certain."""
  n, (m, d) = len(points), bank.shape
  taken = min(k + SPARE, m)
  error = (d + 8) * ROUNDING  # of the product's distance, relative to (|x| + |y|)²
  center = bank.mean(0, keepdims=True)
  near_zero = bank - center
  squares = jnp.square(near_zero).sum(1)

  def block(own, some):
    x = some - center
    total = jnp.square(x).sum(1)[:, None] + squares[None]
    bound = (1 - 2 * error) * total - 2 * jnp.matmul(x, near_zero.T, precision='highest')
    if same:
      bound = bound.at[jnp.arange(len(own)), own].set(jnp.inf)
    bound, candidates = jax.lax.top_k(-bound, taken)
    candidates = jnp.sort(candidates, 1)  # ties go to the lower index
    distance = jnp.square(some[:, None] - bank[candidates]).sum(-1)
    if same:
      distance = jnp.where(candidates == own[:, None], jnp.inf, distance)
    value, place = jax.lax.top_k(-distance, k)
    # The least instead of the last: with a slice of what top_k returns, XLA sorts whole rows on the CPU.
    sure = (taken == m) | (-value.min(1) * (1 + error) < -bound.min(1))
    return -value, jnp.take_along_axis(candidates, place, 1), sure & jnp.isfinite(value).all(1)

  starts = range(0, n, rows)  # a loop inside the program is slow on the CPU
  found = [block(jnp.arange(start, min(start + rows, n)), points[start : start + rows]) for start in starts]
  return tuple(map(jnp.concatenate, zip(*found)))


def _on_host(points, bank, value, index, sure, *, same: bool):
  """Distances and indices, with the uncertain rows searched again in float64."""
  points, bank, sure = (np.asarray(x) for x in (points, bank, sure))
  value, index = np.array(value), np.array(index)
  k, center = value.shape[1], bank.mean(0, dtype='float64')
  if same and (bank == bank[0]).all():  # features of a dead network
    first = np.arange(k)
    return np.zeros_like(value), (first + (first >= np.arange(len(points))[:, None])).astype(index.dtype)
  wide, exact = bank - center, bank.astype('float64')
  squares = (wide**2).sum(1)
  rounding = 4 * np.finfo('float64').eps * (bank.shape[1] + 8) * squares.max()
  unsure = np.flatnonzero(~sure)
  step = max(1, HELD // 8 // len(bank))
  for start in range(0, len(unsure), step):
    rows = unsure[start : start + step]
    x = points[rows] - center
    distances = (x**2).sum(1)[:, None] + squares - 2 * x @ wide.T
    if same:
      distances[np.arange(len(rows)), rows] = np.inf
    for row, distance in zip(rows, distances):
      last = np.partition(distance, k - 1)[k - 1]
      near = np.flatnonzero(distance <= last + rounding)
      if not k <= len(near) <= TIES:  # many are equal, or not finite in a network that diverged
        near = np.sort(np.argsort(distance, kind='stable')[: max(k, TIES)])
      squared = ((points[row].astype('float64') - exact[near]) ** 2).sum(1)
      first = np.argsort(squared, kind='stable')[:k]
      value[row], index[row] = squared[first], near[first]
  return value, index
