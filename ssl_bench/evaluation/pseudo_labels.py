"""Pseudo-labels of a fixed sample of unlabeled images, looked at again and again while a method trains.

A look asks the method's loss for its pseudo-labels, with the method's own views, threshold and memory, and
changes nothing: the training step knows nothing of it.  Views are drawn alike at each look, so a label that
changes is the network's doing.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation.calibration import BINS

if TYPE_CHECKING:
  from ssl_bench.planning.structure import BatchSize
  from ssl_bench.training.program import Program

IMAGES = 500  # at most, where a batch is not larger
NONE = -1  # the label of an image that has had none yet
Array = NDArray[np.float64]


class Sample(NamedTuple):
  """Unlabeled images whose classes are known here, in batches of the training's sizes.

  `batches` are as a method's loss is given them, with some labeled images, the same in each; `truth` [n] are
  the classes of all their unlabeled images, in order, -1 where a class is not known; `place` [n_unlabeled]
  says where an image of the unlabeled set stands among them.
  """

  batches: tuple[dict[str, Any], ...]
  truth: NDArray[np.int32]
  place: NDArray[np.intp]

  def look(self, program: 'Program', state: Any, numbers: Any, kept: dict[str, Any]) -> dict[str, Any]:
    """What is noted of the sample: `pseudo_ece`, `pseudo_confirmation` and `pseudo_confirmation_of`.

    `kept` holds under `labels` the last pseudo-label of each image, and is brought up to date.
    """
    ask = program.pseudo_labels
    assert ask is not None
    parts = [ask(state, numbers, batch) for batch in self.batches]
    where = self.place[np.concatenate([part['index'] for part in parts])]
    of_images = {name: np.zeros(len(self.truth)) for name in ('label', 'confidence', 'mask')}
    for name, values in of_images.items():
      values[where] = np.concatenate([part[name] for part in parts])
    label, confidence, mask = of_images.values()
    mask = np.where(self.truth >= 0, mask, 0)
    before = np.asarray(kept.get('labels', [NONE] * len(label)))
    share, count = confirmation(before, label, mask > 0, self.truth)
    kept['labels'] = np.where(mask > 0, label, before).astype(int).tolist()
    return {
      'pseudo_ece': ece(confidence, label == self.truth, mask),
      'pseudo_confirmation': share,
      'pseudo_confirmation_of': count,
    }


def draw(dataset: Dataset, labeled: np.ndarray, size: 'BatchSize') -> Sample | None:
  """The sample of a dataset: whole batches, at most 500 images or one batch, the same in every trial.

  Where a step sees the whole set, so does the look, and images whose class is not known do not count.  None
  where fewer unlabeled images than a batch have a class that is known.
  """
  hidden = dataset.hidden_labels()
  known = np.arange(len(hidden)) if size.whole else np.flatnonzero(hidden >= 0)
  if len(known) < size.unlabeled:
    return None
  count = max(1, min(IMAGES, len(known)) // size.unlabeled)
  drawn = known if size.whole else np.random.default_rng(0).permutation(known)
  chosen = drawn[: count * size.unlabeled]
  images = dataset.stream_images()
  where = chosen if dataset.stream is None else dataset.stream[chosen]
  places = np.resize(np.arange(len(labeled), dtype='int32'), size.labeled)
  own = labeled[places]
  label = dataset.given_labels[own].astype('int32')
  given = {'image': images[own], 'label': label, 'labeled_index': places}
  batches = tuple(
    {
      'labeled': given,
      'unlabeled': {'image': images[where[part]], 'index': chosen[part].astype('int32')},
    }
    for at in range(count)
    for part in [slice(at * size.unlabeled, (at + 1) * size.unlabeled)]
  )
  place = np.zeros(len(hidden), np.intp)
  place[chosen] = np.arange(len(chosen))
  return Sample(batches, hidden[chosen], place)


def ece(confidence: ArrayLike, right: ArrayLike, mask: ArrayLike) -> float | None:
  """Expected calibration error of pseudo-labels, in [0, 1]; None where there are none.

  Σ_b |Σ_{i in b} m_i (right_i - confidence_i)| / Σ_i m_i over 15 bins of equal width (Guo et al. 2017,
  equation 3), each image with the weight m that the loss gives it, [n] each.
  """
  confidence, mask = np.asarray(confidence, np.float64), np.asarray(mask, np.float64)
  if not mask.sum() > 0:
    return None
  gaps = mask * (np.asarray(right, np.float64) - confidence)
  where = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
  return float(np.abs(np.bincount(where, gaps, BINS)).sum() / mask.sum())


def confirmation(
  before: ArrayLike, label: ArrayLike, has_one: ArrayLike, truth: ArrayLike
) -> tuple[float | None, int]:
  """Share of wrong pseudo-labels that stay wrong in the same way, in [0, 1], and of how many images it is.

  The images are those whose last pseudo-label `before` [n] was wrong (`NONE`: they had none) and that have
  one again (`has_one`, bool [n]); of these it is the share whose `label` [n] is what it was.  An error that
  gets no pseudo-label any more is left out.  None where there is no such image.

      >>> confirmation([3, 3, -1, 1], [3, 1, 2, 1], [True] * 4, [1, 1, 1, 1])
      (0.5, 2)
  """
  before, label, truth = (np.asarray(values) for values in (before, label, truth))
  were_wrong = (before != NONE) & (before != truth) & np.asarray(has_one, bool)
  count = int(were_wrong.sum())
  return (float((label == before)[were_wrong].mean()) if count else None), count


def confirmed(evaluations: Sequence[dict[str, Any]]) -> float | None:
  """The share over all looks of a training, each with its number of images; None where there are none."""
  looks = [(row['pseudo_confirmation'] or 0.0, row['pseudo_confirmation_of']) for row in evaluations]
  total = sum(count for _, count in looks)
  return sum(share * count for share, count in looks) / total if total else None
