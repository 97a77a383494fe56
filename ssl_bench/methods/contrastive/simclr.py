"""SimCLR: match the two views of an image among all other views of the batch."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, concatenate
from ssl_bench.losses import nt_xent
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE

VERSION = 1


def simclr(
  encoder: net.Net,
  *,
  temperature: Annotated[float, POSITIVE] = 0.5,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations" (2020).

  Objective (eq. 1): NT-Xent between the projections of two strong views, the mean over 2N anchors.

  Args:
    temperature: of the softmax over cosine similarities (τ; appendix B.9: 0.5 is best on CIFAR-10).
    hidden: width of the projector's hidden layer (the paper's code: that of the features).
    out: width of the projection (section 3: 128).

  Evaluated: the encoder's features, before the projector (section 4.2).
  Both views go through the network together, so BatchNorm's moments are those of the 2N images
  (google-research/simclr, which synchronizes them over all devices as `jit` does here).
  Deviations: the official code sums the two halves, each averaged over N: twice this loss.  With LARS the
  factor acts on kernels through weight decay only, whose trust ratio divides by the gradient; on biases and
  normalization, which have no trust ratio, it is that of the rate.
  """
  model = net.chain(encoder=encoder, projector=heads.projector(hidden, out, last_norm='scale'))

  def init(key, views):
    return *model.init(key, views['a']['image']), ()

  def loss(state, views, key):
    images = concatenate([views['a']['image'], views['b']['image']])
    output, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    a, b = jnp.split(output['projector'], 2)
    value = nt_xent(a, b, temperature)
    return value, Aux(stats, (), {'loss/contrastive': value})

  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'))
