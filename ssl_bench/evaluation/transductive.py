"""How well a method labels the images that it learns from without a label."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation import scores

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained


def measure(trained: 'Trained') -> dict[str, Any]:
  """`transductive` of a trained state; empty where its method does not label the unlabeled images."""
  (program, numbers, state, *_) = trained.fitted
  if not program.transduce:
    return {}
  return transductive(np.asarray(program.transduce(state, numbers)), trained.dataset, trained.labeled)


def transductive(logits: np.ndarray, dataset: Dataset, labeled: np.ndarray) -> dict[str, Any]:
  """Accuracy on the images that were learned from without a label, of logits [n_unlabeled, classes].

  The labeled images and those whose label nobody knows are left out.
  """
  labels = dataset.hidden_labels()
  positions = np.arange(dataset.n_images) if dataset.stream is None else dataset.stream
  hidden = (labels >= 0) & ~np.isin(positions, labeled)
  if not hidden.any():
    return {'accuracy': None, 'n': 0}
  return {'accuracy': scores.accuracy(logits[hidden], labels[hidden]), 'n': int(hidden.sum())}
