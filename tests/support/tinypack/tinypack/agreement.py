"""Agreement: two weak views of an image should get the same prediction."""

import jax

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy, soft_cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads

from .scale import scaled

VERSION = 3


def agreement(encoder, classes, *, weight: float = 1.0) -> Method:
  """Two weak views of an unlabeled image, the prediction on the first held constant.

  Args:
    weight: factor of the second term.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    logits, stats = {}, state.stats
    for name, view in views.items():
      out, stats = model.apply(state.params, stats, view['image'], train=True, key=key)
      logits[name] = out['head']
    labeled = cross_entropy(logits['labeled'], views['labeled']['label']).mean()
    target = jax.nn.softmax(jax.lax.stop_gradient(logits['a']))
    agreed = scaled(weight, soft_cross_entropy(logits['b'], target).mean())
    return labeled + agreed, Aux(stats, (), {'loss/supervised': labeled, 'loss/agreement': agreed})

  views = {
    'labeled': View('labeled', 'weak'),
    'a': View('unlabeled', 'weak'),
    'b': View('unlabeled', 'weak'),
  }
  return Method(views, init, loss, **net.read(model))
