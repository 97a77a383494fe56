"""Raw pixels: the images themselves are the features; there is no network."""

from ssl_bench.contract import DENSE, Method, Nodes, View

VERSION = 1


def raw_pixels() -> Method:
  """Nothing is learned: features are the pixels, which on small images with few labels are hard to beat.

  Objective: none.

  Evaluated: the pixels of an image in [-1, 1], as one vector, or the features of a node; the config's network
  is not used. BatchNorm: none. Deviations: none; the probe is that of all methods.
  """

  def init(key, views):
    return {}, {}, ()

  def encode(state, images):
    return images.features() if isinstance(images, Nodes) else images.reshape(len(images), -1)

  return Method({'image': View('unlabeled', 'weak')}, init, None, encode=encode, kinds=(*DENSE, 'graph'))
