"""Interquartile means and performance profiles over tasks, with intervals of a stratified bootstrap."""

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_bench.leaderboard import resampling
from ssl_bench.leaderboard.aggregate import BASELINE
from ssl_bench.leaderboard.complete import Scores

Array = NDArray[np.float64]
Kind = Literal['accuracy', 'to supervised']

RESAMPLES = 2000
LEVEL = 0.95
POINTS = 61  # thresholds of a profile


class Middle(NamedTuple):
  """The interquartile mean of a method's scores over tasks and splits, and its interval."""

  method: str
  value: float
  low: float
  high: float


class Profile(NamedTuple):
  """Share of a method's scores above each threshold, with pointwise intervals; tasks weigh the same."""

  method: str
  shares: tuple[float, ...]
  low: tuple[float, ...]
  high: tuple[float, ...]


class Overall(NamedTuple):
  """Scores of one kind over tasks: best interquartile mean first, profiles in the same order."""

  kind: Kind
  middles: tuple[Middle, ...]
  thresholds: tuple[float, ...]
  profiles: tuple[Profile, ...]


def interquartile_mean(values: ArrayLike, weights: ArrayLike) -> Array:
  """Mean of the middle half of [..., N] values, of which value i has weights[i] > 0.

  A quarter of the weight is dropped at each end; a value on the border counts with what is left of its
  weight.  With equal weights and N a multiple of 4 it is the 25 % trimmed mean of Agarwal et al. (2021,
  section 4.2).

  Example: `interquartile_mean([0.0, 1.0, 2.0, 9.0], [1, 1, 1, 1])` is 1.5.
  """
  values = np.asarray(values, np.float64)
  weights = np.broadcast_to(np.asarray(weights, np.float64), values.shape)
  order = np.argsort(values, axis=-1, kind='stable')
  ordered, own = np.take_along_axis(values, order, -1), np.take_along_axis(weights, order, -1)
  share = own / own.sum(-1, keepdims=True)
  end = share.cumsum(-1)
  inside = np.clip(np.minimum(end, 0.75) - np.maximum(end - share, 0.25), 0, None)
  return (inside * ordered).sum(-1) / inside.sum(-1)


def exceeding(values: ArrayLike, weights: ArrayLike, thresholds: ArrayLike) -> Array:
  """Weighted share of [..., N] values above each of [T] ascending thresholds: [..., T].

  Agarwal et al. (2021), equation 1.
  """
  values, thresholds = np.asarray(values, np.float64), np.asarray(thresholds, np.float64)
  weights = np.broadcast_to(np.asarray(weights, np.float64) / np.sum(weights), values.shape)
  exceeded, each = np.searchsorted(thresholds, values), len(thresholds) + 1  # how many are below a value
  rows = np.arange(values.size // values.shape[-1]).reshape(*values.shape[:-1], 1)
  found = np.bincount((rows * each + exceeded).ravel(), weights.ravel(), rows.size * each)
  found = found.reshape(*values.shape[:-1], each)
  return found[..., :0:-1].cumsum(-1)[..., ::-1]


def overall(scores: Scores, kind: Kind = 'to supervised') -> Overall:
  """Interquartile means and performance profiles of `scores` (Agarwal et al., NeurIPS 2021, section 4).

  A score is an accuracy of one split in [0, 1], or what it is above that of `supervised` in the same split,
  in [-1, 1]; accuracies of different datasets have no common scale.  Splits are drawn again with
  replacement within each task (a stratified bootstrap), the same for all methods; tasks weigh the same.
  Intervals are percentiles at 95 %.  Raises ValueError where differences are asked for without `supervised`.
  """
  values = [_scores_of(scores, i, kind) for i in range(len(scores.methods))]
  every = np.concatenate([task for method in values for task in method])
  thresholds = np.linspace(*_ends(every), POINTS)
  middles, profiles = [], []
  for name, tasks in zip(scores.methods, values):
    weights = np.concatenate([np.full(len(task), 1 / len(task)) for task in tasks])
    whole, drawn = np.concatenate(tasks), _resampled(scores, tasks)
    low, high = _percentiles(interquartile_mean(drawn, weights))
    middles.append(Middle(name, float(interquartile_mean(whole, weights)), float(low), float(high)))
    below, above = _percentiles(exceeding(drawn, weights, thresholds))
    shares = exceeding(whole, weights, thresholds)
    profiles.append(
      Profile(name, tuple(map(float, shares)), tuple(map(float, below)), tuple(map(float, above)))
    )
  order = sorted(range(len(middles)), key=lambda i: (-middles[i].value, middles[i].method))
  return Overall(
    kind,
    tuple(middles[i] for i in order),
    tuple(map(float, thresholds)),
    tuple(profiles[i] for i in order),
  )


def _scores_of(scores: Scores, method: int, kind: Kind) -> list[Array]:
  """The scores of a method's splits, one array a task."""
  if kind == 'accuracy':
    return [np.array(list(cell.values())) for cell in scores.accuracy[method]]
  if BASELINE not in scores.methods:
    raise ValueError(f'Differences to {BASELINE} need its results; ask for accuracies.')
  baseline = scores.accuracy[scores.methods.index(BASELINE)]
  pairs = zip(scores.accuracy[method], baseline)
  found = [np.array([cell[split] - base[split] for split in cell if split in base]) for cell, base in pairs]
  if not all(len(task) for task in found):
    raise ValueError(f'{scores.methods[method]} shares no split with {BASELINE}; ask for accuracies.')
  return found


def _resampled(scores: Scores, tasks: Sequence[Array]) -> Array:
  """[RESAMPLES, splits of all tasks]: each task's scores drawn again with replacement.

  The bytes that seed a task's draws are its name, so methods with the same splits get the same draws.
  """
  drawn = []
  for task, values in zip(scores.tasks, tasks):
    seed = hashlib.sha256(f'{scores.protocol}/{task.dataset}/{task.labels}'.encode()).digest()
    drawn.append(values[resampling.positions(int.from_bytes(seed, 'big'), RESAMPLES, len(values))])
  return np.concatenate(drawn, axis=1)


def _percentiles(values: Array) -> Array:
  low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
  return np.stack([low, high])


def _ends(values: Array) -> tuple[float, float]:
  """Multiples of 5 points around all values."""
  return float(np.floor(values.min() * 20) / 20), float(np.ceil(values.max() * 20) / 20)
