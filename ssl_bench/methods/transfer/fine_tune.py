"""Fine-tuning: supervised learning that starts from another trial's encoder."""

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, Teacher, View, concatenate
from ssl_bench.losses import cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads

VERSION = 1


def fine_tune(encoder: net.Net, classes: int, teacher: Teacher, *, strong: bool = False) -> Method:
  """Chen et al., "Big Self-Supervised Models are Strong Semi-Supervised Learners" (2020), the second of its
  three steps: pretraining without labels, fine-tuning on the few there are, distillation.

  The config's `teacher` is the pretraining: only its encoder and running moments are taken over, and a new
  classifier is trained with them.  The third step is `distill` with this trial as its teacher.

  Objective: the mean of H(y, p(w(x))); with `strong`, the mean over w(x) and s(x) alike.

  Args:
    strong: also learn from strongly augmented views of the labeled images (both in one forward pass).

  Evaluated: the network; under `with_ema` its average.
  Deviations: from the encoder's features, as in Chen et al.'s "A Simple Framework for Contrastive Learning"
  (2020); the later paper keeps the first layer of the projector.
  """
  model = net.chain(encoder=net.starting_from(encoder, teacher), head=heads.linear(classes))
  views = {'labeled': View('labeled', 'weak')} | ({'strong': View('labeled', 'strong')} if strong else {})

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    images = concatenate([v['image'] for v in views.values()])
    labels = jnp.concatenate([v['label'] for v in views.values()])
    out, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    value = cross_entropy(out['head'], labels).mean()
    return value, Aux(stats, (), {'loss/supervised': value})

  return Method(views, init, loss, encode=net.output(model, 'encoder'), predict=net.output(model, 'head'))
