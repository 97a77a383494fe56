"""Gidaris et al. (2018): each image in four orientations, pixel by pixel, and cross-entropy over them."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SIDE = 2
CASES = {'four orientations': Case(loss=1.56387)}
FLOWS = {'loss/rotation': Flow({'encoder', 'head'}, {'image'})}
OBSERVED = {'image'}
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS: dict[str, float] = {}


def turn(images):
  """By 90 degrees counterclockwise: what was in the last column is the first row."""
  turned = np.zeros_like(images)
  side = images.shape[1]
  for row in range(side):
    for column in range(side):
      turned[:, row, column] = images[:, column, side - 1 - row]
  return turned


def objective(params, held, stats, memory, views, *, step, steps):
  del held, step, steps
  images, seen = views['image']['image'], []
  for _ in range(4):
    seen.append(images)
    images = turn(images)
  logits, pull, stats = _layers.classify(params, stats, np.concatenate(seen))
  value, d = _layers.cross_entropy(logits, np.repeat(np.arange(4), len(images)))
  return Golden({'loss/rotation': value}, {'loss/rotation': pull(d)}, stats, memory)
