"""Supervised learning: cross-entropy on the labeled images only, the baseline of all other methods."""

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, concatenate
from ssl_bench.losses import cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads

VERSION = 1


def supervised(encoder: net.Net, classes: int, *, strong: bool = False) -> Method:
  """Cross-entropy on the labeled images.

  Objective: the mean of H(y, p(w(x))); with `strong`, the mean over w(x) and s(x) alike.
  Reference: the baseline of Oliver et al., "Realistic Evaluation of Deep Semi-Supervised Learning
  Algorithms" (2018), section 4.2, who ask that it be given the same tuning as the rest.

  Args:
    strong: also learn from strongly augmented views of the labeled images (both in one forward pass).

  Evaluated: the one network there is.
  Deviations: none.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))
  views = {'labeled': View('labeled', 'weak')} | ({'strong': View('labeled', 'strong')} if strong else {})

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    images = concatenate([v['image'] for v in views.values()])
    labels = jnp.concatenate([v['label'] for v in views.values()])
    out, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    value = cross_entropy(out['head'], labels).mean()
    accuracy = (out['head'].argmax(-1) == labels).mean()
    return value, Aux(stats, (), {'loss/supervised': value, 'labeled_accuracy': accuracy})

  return Method(views, init, loss, encode=net.output(model, 'encoder'), predict=net.output(model, 'head'))
