"""What losses of labeled images share: the method around one, and how many images each class has."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.nets import core as net
from ssl_bench.nets import heads


def learned_by(
  value_of: Callable[..., jax.Array],
  encoder: net.Net,
  classes: int,
  labeled_examples: int | None = None,
) -> Method:
  """The method of which a value of logits and labels is the whole objective.

  Args:
    value_of: (logits [batch, classes], labels int32 [batch]) -> float32 scalar; with `labeled_examples` it is
      also given the labeled images of each class, float32 [classes], counted when they are first seen.
    encoder: any net.
    classes: how many.
    labeled_examples: the most labeled images that there can be, of a value that asks for their counts.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    memory = {'label': jnp.full(labeled_examples, -1, 'int32')} if labeled_examples else ()
    return *model.init(key, views['labeled']['image']), memory

  def loss(state, views, key):
    x, labels = views['labeled']['image'], views['labeled']['label']
    out, stats = model.apply(state.params, state.stats, x, train=True, key=key)
    memory = state.memory
    counts: tuple[jax.Array, ...] = ()
    if labeled_examples:
      memory = {'label': memory['label'].at[views['labeled']['labeled_index']].set(labels)}
      counts = (jax.nn.one_hot(memory['label'], classes).sum(0),)  # of -1 it is zero
    value = value_of(out['head'], labels, *counts)
    accuracy = (out['head'].argmax(-1) == labels).mean()
    return value, Aux(stats, memory, {'loss/supervised': value, 'labeled_accuracy': accuracy})

  views = {'labeled': View('labeled', 'weak')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'), predict=net.output(model, 'head'))
