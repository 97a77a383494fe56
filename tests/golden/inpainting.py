"""Pathak et al. (2016), equation 1: squared errors, pixel by pixel, of what a block of zeros hides.

`draws` is the first row and column of each image's block.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SIDE = 2
SMALL = {'hidden': 4}
CASES = {
  'one pixel': Case(loss=0.155876, settings=SMALL),
  'large biases': Case(loss=1.10983, settings=SMALL, bias=3.0),
}
FLOWS = {'loss/reconstruction': Flow({'encoder', 'decoder'}, {'image'})}
OBSERVED = {'image'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16}
NUMBERS: dict[str, float] = {}


def objective(params, held, stats, memory, views, *, step, steps, draws, hidden, side=0.5):
  del held, step, steps, hidden
  x, length = views['image']['image'], max(1, round(side * SIDE))
  there = np.zeros(x.shape[:3])
  for i, (row, column) in enumerate(draws['corner'].astype(int)):
    there[i, row : row + length, column : column + length] = 1
  there = there[..., None]
  assert there.sum() == len(x) * length**2
  features, into_encoder, moments = _layers.pool(params['encoder'], stats['encoder'], x * (1 - there))
  drawn, into_decoder, _ = _layers.perceptron(features, params['decoder'], {})
  wrong = there * (drawn.reshape(x.shape) - x)
  total = there.sum() * x.shape[-1]
  d, decoder = into_decoder((2 * wrong / total).reshape(len(x), -1))
  grads = {'encoder': into_encoder(d), 'decoder': decoder}
  new = {**stats, 'encoder': moments}
  return Golden(
    {'loss/reconstruction': (wrong**2).sum() / total}, {'loss/reconstruction': grads}, new, memory
  )
