"""Kept predictions as their measures see them: each part is computed once, when it is asked for."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ssl_bench.evaluation.predictions import Predictions
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
