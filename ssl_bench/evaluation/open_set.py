"""Open set: how well the confidence of a classifier tells images of unknown classes from those of known ones.

Under the stress `mismatch` some classes have no labels.  Their test images are unknown; the test part itself
holds known classes only.  Nothing is fitted on unknown images, and no threshold is chosen on them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from ssl_bench.evaluation.anomaly import auroc
from ssl_bench.evaluation.scores import softmax

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

KEPT = 0.95  # share of the known images that a threshold keeps
Array = NDArray[np.float64]


def measure(trained: 'Trained') -> dict[str, float]:
  """AUROC and FPR at 95 % TPR of each score, as `confidence_auroc`, and the `count` of unknown images.

  Empty where there is no class mismatch, or nothing classifies.
  """
  images = trained.dataset.unknown_images
  if images is None or trained.logits is None:
    return {}
  known, unknown = trained.logits.test, trained.classify(images)
  found: dict[str, float] = {'count': len(images)}
  for name, score in (('confidence', confidence), ('energy', negative_energy)):
    found[f'{name}_auroc'] = auroc(-score(known), -score(unknown))
    found[f'{name}_fpr'] = false_positives(score(known), score(unknown))
  return found


def confidence(logits: ArrayLike) -> Array:
  """[n]: the largest probability of logits [n, classes] (Hendrycks & Gimpel 2017); high for what is known."""
  return softmax(logits).max(-1)


def negative_energy(logits: ArrayLike) -> Array:
  """[n]: log Σ_c exp(logit_c) of logits [n, classes]; high for what is known.

  Minus the energy of Liu et al. 2020 at temperature 1.  Unlike confidence it also sees how large all
  logits are together.
  """
  return logsumexp(np.asarray(logits, np.float64), axis=-1)


def false_positives(known: ArrayLike, unknown: ArrayLike, kept: float = KEPT) -> float:
  """Share of unknown images at or above the highest threshold that keeps `kept` of the known ones, in [0, 1].

  `known` [n] and `unknown` [m] are scores, high for what is known.  Images of equal score share one fate, so
  more than `kept` may be kept.  NaN where a score is not finite.

      >>> false_positives([0.9, 0.8, 0.7, 0.6], [0.75, 0.2], kept=0.5)
      0.0
  """
  known, unknown = np.asarray(known, np.float64), np.asarray(unknown, np.float64)
  if not (np.isfinite(known).all() and np.isfinite(unknown).all()):
    return float('nan')
  lowest = np.sort(known)[::-1][int(np.ceil(kept * len(known) - 1e-9)) - 1]
  return float((unknown >= lowest).mean())


def share_kept(kept: Sequence[float | None], seen: Sequence[float], classes: Sequence[int]) -> float | None:
  """Share of the images of some classes that got a pseudo-label; None where none of them was seen.

  `kept` [all classes] are the shares by class, None for a class without images; `seen` [all classes] are the
  shares of the images seen, by class.
  """
  total = sum(seen[c] for c in classes)
  if not total:
    return None
  return sum(seen[c] * (kept[c] or 0) for c in classes) / total
