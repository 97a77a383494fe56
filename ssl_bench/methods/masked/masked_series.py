"""Masked series: predict hidden spans of a time series from the rest of it."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import BadSetting, Range

VERSION = 1


def masked_series(
  encoder: net.Net,
  shape: tuple[int, ...],
  *,
  masking: Annotated[float, Range(0, 1, above=True, below=True)] = 0.15,
  span: Annotated[float, Range(1)] = 3.0,
) -> Method:
  """Zerveas et al., "A Transformer-based Framework for Multivariate Time Series Representation Learning"
  (2021).

  Objective: the mean squared error of the hidden values, linear in the features of their point
  in time.  Hidden values are shown as 0.  Each channel is hidden by itself, in spans whose lengths, and those
  between them, are geometric.

  Args:
    masking: expected share of the values that are hidden (the paper: 0.15).
    span: mean length of a hidden span, in points (the paper: 3).

  Evaluated: the encoder's features of whole series, nothing hidden, by a probe; the paper fine-tunes.
  BatchNorm: one pass, on series with hidden spans; the paper's transformer has BatchNorm, too.
  Deviations: the encoder is the bench's net, one that keeps points in time, in place of a transformer.
  """
  if len(shape) == 2 and encoder.kind != 'series':
    raise BadSetting('masked_series needs a net that keeps points in time, such as net=resnet1d.')
  model = net.chain(encoder=encoder, head=heads.linear(shape[-1]))

  def init(key, views):
    series = views['series']['image']
    params, stats = net.init_each(key, encoder=(encoder, series))
    points, _ = encoder.apply(params['encoder'], stats['encoder'], series, tokens=True, train=False)
    more, more_stats = net.init_each(key, head=(heads.linear(shape[-1]), points))
    return params | more, stats | more_stats, ()

  def loss(state, views, key):
    series = views['series']['image']
    hidden = draw(key, views, masking=masking, span=span)['hidden']
    shown, key = jnp.where(hidden, 0, series), jax.random.fold_in(key, 2)
    output, stats = model.apply(state.params, state.stats, shown, train=True, key=key, tokens=True)
    wrong = jnp.where(hidden, output['head'] - series, 0)
    value = jnp.square(wrong).sum() / jnp.maximum(hidden.sum(), 1).astype('float32')
    return value, Aux(stats, (), {'loss/reconstruction': value})

  def error(state, series, key):
    hidden = draw(key, {'series': {'image': series}}, masking=masking, span=span)['hidden']
    shown = jnp.where(hidden, 0, series)
    output, _ = model.apply(state.params, state.stats, shown, train=False, tokens=True)
    wrong = jnp.where(hidden, output['head'] - series, 0)
    return jnp.square(wrong).sum((1, 2)) / jnp.maximum(hidden.sum((1, 2)), 1)

  return Method(
    {'series': View('unlabeled', 'weak')},
    init,
    loss,
    encode=net.output(model, 'encoder'),
    reconstruction_error=error,
    kinds=('series',),
  )


def draw(key, views, *, masking, span):
  """Which values are hidden, bool [n, length, channels]: a chain of two states along time."""
  n, length, channels = views['series']['image'].shape
  u = jax.random.uniform(key, (length, n, channels))
  leave = 1 / span
  enter = jnp.minimum(1.0, leave * masking / (1 - masking))

  def step(hidden, u):
    hidden = jnp.where(hidden, u >= leave, u < enter)
    return hidden, hidden

  first = u[0] < masking
  _, rest = jax.lax.scan(step, first, u[1:])
  return {'hidden': jnp.moveaxis(jnp.concatenate([first[None], rest]), 0, 1)}
