"""A net, an operation, a dataset, a probe and a measure."""

from typing import Annotated

import jax.numpy as jnp
import numpy as np
from flax import linen

from ssl_bench.augment import Operation
from ssl_bench.data.custom import from_parts
from ssl_bench.measures import ABSENT, Measure
from ssl_bench.nets.core import from_linen
from ssl_bench.settings.signature import UNIT


class Tiny(linen.Module):
  width: int

  @linen.compact
  def __call__(self, x, *, train):
    return linen.relu(linen.Dense(self.width)(x.reshape(len(x), -1)))


def tiny(*, width: int = 8):
  """One dense layer."""
  return from_linen(Tiny(width))


def darken(*, by: Annotated[float, UNIT] = 0.25) -> Operation:
  """Levels times 1 - by."""
  return lambda key, image: jnp.floor(image * (1 - by)).astype(jnp.uint8)


def stripes():
  """4 classes of gray 6×6 images with stripes of another period, and noise."""
  rng = np.random.default_rng(0)

  def part(n):
    labels = np.arange(n) % 4
    lines = np.arange(6) % (labels[:, None] + 2) == 0
    images = 180 * lines[:, :, None, None] + rng.integers(0, 60, (n, 6, 6, 1))
    return images.astype(np.uint8), labels

  return from_parts('stripes', part(200), part(40), part(80), classes=4, license='CC0')


def nearest_mean(train, labels, labeled, validation, validation_labels, test, classes):
  """The class whose labeled images have the nearest mean feature."""
  means = np.stack([train[labeled][labels[labeled] == k].mean(0) for k in range(classes)])
  return -((test[:, None] - means) ** 2).sum(-1)


def _confidence(trained):
  """float: the mean probability of the predicted class on the test part."""
  return float(trained.scored['plain'].probs.max(1).mean()) if trained.scored else ABSENT


CONFIDENCE = Measure(
  'confidence',
  ('metrics', 'tinypack', 'confidence'),
  'confidence',
  _confidence,
  hint='mean probability of the predicted class',
  table='calibration',
  range=(0, 1),
)
