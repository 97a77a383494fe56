"""A trained network as a user calls it: NumPy in, NumPy out."""

from typing import Any

import numpy as np

from ssl_bench.config import Config
from ssl_bench.evaluation import predict
from ssl_bench.planning import Plan
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.loop import Fitted

Images = np.ndarray  # [n, …], each as the data set stores it: an image is uint8 [height, width, channels]


class TrainedNetwork:
  """The trained network of a record.

  Example:
    >>> trained = load_trained('runs/train')  # doctest: +SKIP
    >>> trained.logits(trained.plan.dataset.test_images).argmax(-1)  # doctest: +SKIP
  """

  def __init__(self, plan: Plan, fitted: Fitted):
    self.plan, self.fitted = plan, fitted

  @property
  def config(self) -> Config:
    return self.plan.config

  @property
  def has_classifier(self) -> bool:
    """Whether the method has a classifier of its own, so that there are `logits`."""
    return self.fitted.program.has_classifier

  @property
  def params(self) -> Any:
    """The parameters that are evaluated: their moving average, where the trial has one."""
    state = self.fitted.state
    return state.memory['ema'] if self.plan.structure.average else state.params

  def features(self, images: Images) -> np.ndarray:
    """Features, float32 [n, d], of uint8 images [n, H, W, C] as the data set has them."""
    return self._observe(images).features

  def logits(self, images: Images) -> np.ndarray:
    """Logits, float32 [n, classes]; raises `BadSetting` where the method has no classifier."""
    found = self._observe(images).logits
    if found is None:
      name = self.config.method['name']
      raise BadSetting(f'{name} has no classifier of its own; use features and fit a probe on them.')
    return found

  def _observe(self, images: Images) -> predict.Seen:
    images, like = np.asarray(images), self.plan.dataset.train_images
    if images.dtype != like.dtype or images.shape[1:] != like.shape[1:]:
      shape = ', '.join(map(str, ('n', *like.shape[1:])))
      raise BadSetting(
        f'Images must be {like.dtype} [{shape}], as {self.plan.dataset.name} has them, not '
        f'{images.dtype} {list(images.shape)}; they are scaled here.'
      )
    return predict.observe(self.fitted.program, self.fitted.state, self.fitted.numbers, images)
