"""Drift of an encoder: what became of the features of the same images, and whether a frozen head may stay.

The rows of both sets of features are the same images in the same order; an encoder is a checkpoint, or the
network of another trial.  Widths may differ; then the narrower features are filled up with zeros, but an old
head cannot read features of another width as they are.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation.intervals import Interval, mean_interval
from ssl_bench.evaluation.probes import Features, with_all_labels
from ssl_bench.evaluation.scores import correct
from ssl_bench.settings.signature import BadSetting

Array = NDArray[np.float64]
Verdict = Literal['keep', 'rotate', 'refit']

MARGIN = 0.01  # of accuracy, that a head may lose and still stay


def linear_cka(a: ArrayLike, b: ArrayLike) -> float:
  """Linear centered kernel alignment of features [n, d] and [n, e] of the same images, in [0, 1].

  ‖BᵀA‖² / (‖AᵀA‖ ‖BᵀB‖) of centered features, in Frobenius norms: Kornblith et al., "Similarity of Neural
  Network Representations Revisited" (2019).  1 where one set is the other, rotated and scaled.  NaN where the
  features of a set do not vary.  The estimate is biased upward where there are few images for the width.

  Example:
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> round(linear_cka(x, 3 * x[:, ::-1] + 1), 6)
    1.0
  """
  one, other = _centered(a), _centered(b)
  _check_rows(one, other)
  size = np.linalg.norm(one.T @ one) * np.linalg.norm(other.T @ other)
  return float(np.linalg.norm(other.T @ one) ** 2 / size) if size else float('nan')


def procrustes(a: ArrayLike, b: ArrayLike) -> float:
  """Squared orthogonal Procrustes distance of features [n, d] and [n, e] of the same images, in [0, 2].

  ‖A‖² + ‖B‖² − 2 ‖AᵀB‖_* of centered features at Frobenius norm 1, the last a nuclear norm: the least squared
  distance over all rotations and reflections (Schönemann 1966), a baseline that does well in Ding et al.,
  "Grounding Representation Similarity with Statistical Testing" (2021).  0 where one set is the other,
  rotated and scaled; NaN where the features of a set do not vary.
  """
  one, other = _centered(a), _centered(b)
  _check_rows(one, other)
  sizes = np.linalg.norm(one), np.linalg.norm(other)
  if not all(sizes):
    return float('nan')
  shared = np.linalg.svd((one / sizes[0]).T @ (other / sizes[1]), compute_uv=False).sum()
  return float(max(0.0, 2 - 2 * shared))


class Rotation(NamedTuple):
  """features -> (features − source) @ matrix + target; `matrix` [d, e] has orthonormal rows or columns."""

  matrix: Array
  source: Array
  target: Array

  def __call__(self, features: ArrayLike) -> Array:
    return (np.asarray(features, np.float64) - self.source) @ self.matrix + self.target


def rotation(new: ArrayLike, old: ArrayLike) -> Rotation:
  """The rotation or reflection that brings features [n, d] nearest to features [n, e] of the same images.

  Least squares between centered features, without a scale (Schönemann 1966).  No label is seen.
  """
  one, other = _centered(new), _centered(old)
  _check_rows(one, other)
  left, _, right = np.linalg.svd(one.T @ other, full_matrices=False)
  return Rotation(left @ right, np.asarray(new, np.float64).mean(0), np.asarray(old, np.float64).mean(0))


class Head(NamedTuple):
  """What a linear head of an old encoder does on the features of a new one.

  Attributes:
    old: test accuracy of the head on the features that it was fitted on.
    as_is: on the new features; None where they have another width.
    rotated: on the new features after the rotation that brings those of the training part nearest to the old.
    refitted: of a head that is fitted on the new features.
    change: mean over test images of `as_is` − `old` and the half width of its 95 % interval, or None.
    change_rotated: the same of `rotated`.
    verdict: 'keep' where `change` is above −margin with its whole interval, 'rotate' where `change_rotated`
      is, else 'refit'.
  """

  old: float
  as_is: float | None
  rotated: float
  refitted: float
  change: Interval | None
  change_rotated: Interval
  verdict: Verdict


def head(old: Features, new: Features, dataset: Dataset, *, margin: float = MARGIN) -> Head:
  """Whether the linear head of an old encoder may stay on a new one.

  The head is the linear probe with the labels of the whole training part, its penalty chosen on validation.
  It may stay where its accuracy falls by less than `margin`, and this is shown: the paired 95 % interval over
  test images (Student-t) must lie above −margin.

  Raises `BadSetting` where features are not finite, or not of the dataset's images.
  """
  for part, size in zip(
    Features._fields, map(len, (dataset.train_labels, dataset.validation_labels, dataset.test_labels))
  ):
    for features in (getattr(old, part), getattr(new, part)):
      if len(features) != size or not np.isfinite(features).all():
        raise BadSetting(f'Features of the {part} part must be finite, for each of its {size} images.')
  probe = with_all_labels(old, dataset)
  right = lambda logits: correct(logits, dataset.test_labels).astype(np.float64)
  before = right(probe.logits(old.test))
  rotated = right(probe.logits(rotation(new.train, old.train)(new.test)))
  same_width = old.test.shape[1] == new.test.shape[1]
  as_is = right(probe.logits(new.test)) if same_width else None
  refitted = right(with_all_labels(new, dataset).logits(new.test))
  change = None if as_is is None else mean_interval(as_is - before)
  change_rotated = mean_interval(rotated - before)
  return Head(
    float(before.mean()),
    None if as_is is None else float(as_is.mean()),
    float(rotated.mean()),
    float(refitted.mean()),
    change,
    change_rotated,
    'keep' if _holds(change, margin) else 'rotate' if _holds(change_rotated, margin) else 'refit',
  )


def _holds(change: Interval | None, margin: float) -> bool:
  """Whether a change of accuracy is shown to be above −margin."""
  return change is not None and change.half_width is not None and change.mean - change.half_width > -margin


def _centered(features: ArrayLike) -> Array:
  values = np.asarray(features, np.float64)
  return values - values.mean(0)


def _check_rows(a: Array, b: Array) -> None:
  """Raises `BadSetting` unless there are as many rows."""
  if len(a) != len(b):
    raise BadSetting(f'Features must be of the same images; there are {len(a)} and {len(b)} rows.')
