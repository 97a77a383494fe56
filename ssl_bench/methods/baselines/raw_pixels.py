"""Raw pixels: the images themselves are the features; there is no network."""

from ssl_bench.contract import Method, View

VERSION = 1


def raw_pixels() -> Method:
  """Nothing is learned: features are the pixels, which on small images with few labels are hard to beat.

  Objective: none.

  Evaluated: the pixels of an image in [-1, 1], as one vector; the config's network is not used.
  BatchNorm: none.
  Deviations: none; the probe is that of all methods.
  """

  def init(key, views):
    return {}, {}, ()

  def encode(state, images):
    return images.reshape(len(images), -1)

  return Method({'image': View('unlabeled', 'weak')}, init, None, encode=encode, pixels=True)
