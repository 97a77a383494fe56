"""Jigsaw: shuffle the tiles of an image, and predict in which way."""

import math
from functools import lru_cache
from itertools import permutations as orders
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import BadSetting, Range

VERSION = 1


def jigsaw(
  encoder: net.Net,
  shape: tuple[int, ...],
  *,
  grid: Annotated[int, Range(2, 3)] = 3,
  permutations: Annotated[int, Range(2, 5000)] = 100,
) -> Method:
  """Noroozi and Favaro, "Unsupervised Learning of Visual Representations by Solving Jigsaw Puzzles" (2016),
  on whole images, as in Carlucci et al., "Domain Generalization by Solving Jigsaw Puzzles" (2019).

  Objective (Carlucci et al., section 3.1): the mean of H(k, p(x with its tiles in the k-th order)) over
  images, where x is a weak view that is cut into grid × grid tiles, and k is drawn for each image.

  Args:
    grid: tiles in a row and in a column (both papers: 3).
    permutations: how many orders there are, the first of which changes nothing: one after the other the one
      that differs in most places, on average, from those that are chosen already (Noroozi and Favaro,
      algorithm 1, which begins with a random one; their best is near 1,000, that of Carlucci et al. 30).

  Evaluated: the encoder's features on whole images, before the linear classifier of orders.
  BatchNorm: one pass; its moments are those of shuffled images.
  Deviations: Noroozi and Favaro show each tile to a network of its own, with shared weights, and join their
  features; here the shuffled tiles are one image again, as in Carlucci et al., so that any net fits.  Tiles
  have no gaps between them and are not normalized one by one, so edges that fit tell more than they should.
  """
  tile = [side // grid for side in shape[:2]]
  if len(shape) < 3 or any(side % grid for side in shape[:2]):
    size = 'x'.join(map(str, shape[:2]))
    raise BadSetting(
      f'jigsaw cuts images into tiles, and method.grid {grid} does not divide {size}; change it, '
      'or use another dataset.'
    )
  if permutations > math.factorial(grid**2):
    raise BadSetting(
      f'jigsaw: a grid of {grid} has {math.factorial(grid**2)} permutations; lower method.permutations.'
    )
  known = chosen_orders(grid**2, permutations)
  model = net.chain(encoder=encoder, head=heads.linear(permutations))

  def init(key, views):
    return *model.init(key, views['image']['image']), ()

  def loss(state, views, key):
    which = draw(key, views, permutations=permutations)['order']
    images = shuffled(views['image']['image'], jnp.asarray(known)[which])
    out, stats = model.apply(state.params, state.stats, images, train=True, key=jax.random.fold_in(key, 1))
    value = cross_entropy(out['head'], which).mean()
    accuracy = (out['head'].argmax(-1) == which).mean()
    return value, Aux(stats, (), {'loss/jigsaw': value, 'jigsaw_accuracy': accuracy})

  def shuffled(images, order):
    """Images [B, H, W, C] with their tiles in an order [B, tiles] of their own."""
    b, _, _, c = images.shape
    tiles = images.reshape(b, grid, tile[0], grid, tile[1], c).swapaxes(2, 3)
    tiles = jnp.take_along_axis(tiles.reshape(b, grid**2, -1), order[:, :, None], 1)
    return tiles.reshape(b, grid, grid, *tile, c).swapaxes(2, 3).reshape(images.shape)

  return Method(
    {'image': View('unlabeled', 'weak')}, init, loss, encode=net.output(model, 'encoder'), kinds=('image',)
  )


@lru_cache
def chosen_orders(tiles: int, count: int) -> np.ndarray:
  """Orders of tiles, int8 [count, tiles]: all of them, sorted, or those that differ most."""
  every = np.array(list(orders(range(tiles))), 'int8')
  if count == len(every):
    return every
  chosen, differing = [0], np.zeros(len(every), 'int64')
  while len(chosen) < count:
    differing += (every != every[chosen[-1]]).sum(1)
    differing[chosen[-1]] = -(count * tiles)
    chosen.append(int(differing.argmax()))
  return every[chosen]


def draw(key, views, *, permutations: int):
  """The order of each image's tiles, int32 [B], below `permutations`."""
  return {'order': jax.random.randint(key, (len(views['image']['image']),), 0, permutations)}
