"""Random weights: the untrained network, the floor under every self-supervised method."""

from ssl_bench.contract import Method, View
from ssl_bench.nets import core as net

VERSION = 1


def random_weights(encoder: net.Net) -> Method:
  """Nothing is learned: a probe reads the features of the network before any training.

  Saxe et al., "On Random Weights and Unsupervised Feature Learning" (2011): an architecture alone can give
  good features, so a pretraining is to be compared with the same network under random weights.

  Objective: none.

  Evaluated: the encoder's features under the weights of `seed`.
  BatchNorm: its running moments stay what they are at the start, mean 0 and variance 1.
  Deviations: none; the probe is that of all methods.
  """
  model = net.chain(encoder=encoder)

  def init(key, views):
    return *model.init(key, views['image']['image']), ()

  return Method({'image': View('unlabeled', 'weak')}, init, None, encode=net.output(model, 'encoder'))
