"""Noroozi and Favaro (2016) on whole images: each image's tiles moved one by one; a tile is a pixel.

`draws` is the order of each image's tiles.
"""

from itertools import permutations as orders

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SIDE = 2
CASES = {
  'all orders': Case(loss=3.49067, settings={'grid': 2, 'permutations': 24}),
  'five of them': Case(loss=1.80549, settings={'grid': 2, 'permutations': 5}),
}
FLOWS = {'loss/jigsaw': Flow({'encoder', 'head'}, {'image'})}
OBSERVED = {'image'}
MEMORY: set[str] = set()
SETTINGS = {'grid': 2, 'permutations': 24}
NUMBERS: dict[str, float] = {}


def chosen(count):
  """The orders of four tiles; a few of them by their mean Hamming distance to those before."""
  every = list(orders(range(4)))
  if count == len(every):
    return every
  found = [every[0]]
  while len(found) < count:
    left = [order for order in every if order not in found]
    far = [np.mean([sum(a != b for a, b in zip(order, one)) for one in found]) for order in left]
    found.append(left[int(np.argmax(far))])
  return found


def objective(params, held, stats, memory, views, *, step, steps, draws, grid, permutations):
  del held, step, steps
  images, shown = views['image']['image'], np.zeros_like(views['image']['image'])
  for i, k in enumerate(draws['order']):
    for place, tile in enumerate(chosen(permutations)[k]):
      shown[i, place // grid, place % grid] = images[i, tile // grid, tile % grid]
  logits, pull, stats = _layers.classify(params, stats, shown)
  value, d = _layers.cross_entropy(logits, np.asarray(draws['order']))
  return Golden({'loss/jigsaw': value}, {'loss/jigsaw': pull(d)}, stats, memory)
