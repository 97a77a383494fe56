"""Kept predictions as their measures see them: each part is computed once, when it is asked for."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ssl_bench.evaluation import slices
from ssl_bench.evaluation.predictions import Predictions
from ssl_bench.evaluation.recalibration import fit_histogram, fit_vector
from ssl_bench.evaluation.scores import correct, softmax

Array = NDArray[np.float64]


class Judged:
  """What is known of predictions, once a training is over or later from a file.

  Attributes:
    kept: the predictions.
    resamples: of a bootstrap interval, as the config has them (`evaluate.bootstrap`).

  Measures that read predictions get the same numbers after a training and from the file, since both read
  what is kept.
  """

  def __init__(self, kept: Predictions, resamples: int = 1000) -> None:
    self.kept, self.resamples = kept, resamples

  @property
  def labels(self) -> NDArray[np.int32]:
    """Of the test images, [N]."""
    return self.kept.labels

  @property
  def classes(self) -> int:
    """How many there are."""
    return self.kept.log_probs.shape[1]

  @cached_property
  def probs(self) -> Array:
    """Of the test images, [N, C]; rows sum to 1."""
    return softmax(self.kept.log_probs)

  @cached_property
  def validation_probs(self) -> Array:
    """Of the validation images, [V, C]; rows sum to 1."""
    return softmax(self.kept.validation_log_probs)

  @cached_property
  def predicted(self) -> NDArray[np.intp]:
    """The predicted class of each test image, [N]."""
    return self.kept.log_probs.argmax(-1)

  @cached_property
  def right(self) -> NDArray[np.bool_]:
    """Whether the prediction of each test image is right, [N]."""
    return correct(self.kept.log_probs, self.labels)

  @cached_property
  def confidence(self) -> Array:
    """The largest probability of each test image, [N]."""
    return self.probs.max(-1)

  @cached_property
  def validation_right(self) -> NDArray[np.bool_]:
    """Whether the prediction of each validation image is right, [V]."""
    return correct(self.kept.validation_log_probs, self.kept.validation_labels)

  @cached_property
  def validation_confidence(self) -> Array:
    """The largest probability of each validation image, [V]."""
    return self.validation_probs.max(-1)

  @cached_property
  def rescaled(self) -> dict[str, Array]:
    """Test probabilities after `vector` scaling and `histogram` binning, both fitted on validation."""
    kept = self.kept
    vector = fit_vector(kept.validation_log_probs, kept.validation_labels)
    histogram = fit_histogram(self.validation_probs, kept.validation_labels)
    return {'vector': vector(kept.log_probs), 'histogram': histogram(self.probs)}

  @cached_property
  def confusion(self) -> NDArray[np.int64]:
    """Test images by class (row) and predicted class (column), [C, C]."""
    return slices.confusion(self.labels, self.predicted, self.classes)

  @cached_property
  def by_class(self) -> slices.Slices:
    """The test images of each class."""
    return self._by(self.labels, self.classes)

  @cached_property
  def by_prediction(self) -> slices.Slices:
    """The test images that are predicted to be of each class."""
    return self._by(self.predicted, self.classes)

  @cached_property
  def by_group(self) -> slices.Slices | None:
    """The test images of each group that the dataset names; None where it names none."""
    if self.kept.groups is None:
      return None
    return self._by(self.kept.groups, len(self.kept.group_names))

  def _by(self, of: NDArray, count: int) -> slices.Slices:
    return slices.by_slice(of, count, self.confidence, self.right, self.resamples)
