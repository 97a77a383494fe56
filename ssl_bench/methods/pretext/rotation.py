"""Rotation: turn an image by 0, 90, 180 or 270 degrees, and predict by which."""

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy
from ssl_bench.methods._turns import TURNS, check_square, turn
from ssl_bench.nets import core as net
from ssl_bench.nets import heads

VERSION = 1


def rotation(encoder: net.Net, shape: tuple[int, ...]) -> Method:
  """Gidaris et al., "Unsupervised Representation Learning by Predicting Image Rotations" (2018).

  Objective: the mean of H(k, p(x turned k times)) over images and k = 0, 1, 2, 3, where x is a weak view.
  Every image is in the batch in all four orientations, as in the paper; the labels are the method's own.

  Evaluated: the encoder's features on upright images, before the linear classifier of four orientations.
  BatchNorm: one pass for all orientations, whose moments are those of all of them.
  An image must have one upright orientation: on digits the task is ill-posed, for 0 and 8 look the same
  upside down, and 6 becomes 9.
  Deviations: features are the encoder's last ones; the paper's best on CIFAR-10 come from the second of four
  blocks, as the later ones are of the task.
  On Fashion-MNIST (experiments/rotation.yaml, three pairs) it gains on the same network with random weights:
  15.5 ± 11.2 points at 20 labels, 10.0 ± 9.4 at 40.  It is not separable from raw pixels: -0.8 ± 15.6 and
  -6.6 ± 10.9.
  """
  check_square(shape, 'rotation')
  model = net.chain(encoder=encoder, head=heads.linear(TURNS))

  def init(key, views):
    return *model.init(key, views['image']['image']), ()

  def loss(state, views, key):
    turned, turns = turn(views['image']['image'])
    images = jnp.concatenate(turned)
    out, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    value = cross_entropy(out['head'], turns).mean()
    accuracy = (out['head'].argmax(-1) == turns).mean()
    return value, Aux(stats, (), {'loss/rotation': value, 'rotation_accuracy': accuracy})

  return Method(
    {'image': View('unlabeled', 'weak')}, init, loss, encode=net.output(model, 'encoder'), kinds=('image',)
  )
