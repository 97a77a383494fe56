"""TS2Vec: match each point in time of two overlapping crops, at every scale of time."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, BadSetting, Range, Static

VERSION = 1


def ts2vec(
  encoder: net.Net,
  shape: tuple[int, ...],
  *,
  overlap: Annotated[Static, Range(0, 1, above=True)] = 0.5,
  context: Annotated[Static, Range(0, 0.5)] = 0.2,
  masking: Annotated[float, Range(0, 1, below=True)] = 0.5,
  out: Annotated[int, POSITIVE] = 320,
) -> Method:
  """Yue et al., "TS2Vec: Towards Universal Representation of Time Series" (2022).

  Objective: two crops of a series overlap.  In the overlap, each point's
  representation in one crop is matched with that in the other, among all other points of the two (temporal)
  and among the same points of all other series (instance): softmax over dot products, the mean of both terms.
  Representations are then max-pooled over pairs of points, and so on until one point is left, which has the
  instance term alone; the loss is the mean over these scales.

  Args:
    overlap: length of the overlap, as a share of the series, at least two points.
    context: what each crop has beyond it, on its own side, as a share of the series, where there is room.
    masking: probability that a point of a crop is shown as 0 in all channels (the paper: 0.5).
    out: size of a representation (the authors' code: 320).

  Evaluated: the maximum of the representations over time, nothing hidden.
  BatchNorm: one pass for both crops.
  Deviations: lengths of crops are settings, so that one program serves all steps, where the authors draw
  them; where a crop begins is drawn for each series, as there.  Points are masked in the input, not behind a
  first linear layer.  A linear layer after the bench's net makes the representations, since its features are
  not negative; the authors average the weights, which `ema` does here.
  """
  if len(shape) == 2 and encoder.kind != 'series':
    raise BadSetting('ts2vec needs a net that keeps points in time, such as net=resnet1d.')
  projector = heads.linear(out)
  model = net.chain(encoder=encoder, projector=projector)

  def init(key, views):
    series = views['series']['image']
    params, stats = net.init_each(key, encoder=(encoder, series))
    points, _ = encoder.apply(params['encoder'], stats['encoder'], series, tokens=True, train=False)
    more, more_stats = net.init_each(key, projector=(projector, points))
    return params | more, stats | more_stats, ()

  def loss(state, views, key):
    series = views['series']['image']
    n, (common, beyond) = len(series), lengths(series.shape[1], overlap, context)
    drawn = draw(key, views, overlap=overlap, context=context, masking=masking)
    place = drawn['start'][:, None] + jnp.arange(common + beyond)[None]
    hidden = drawn['masked'].reshape(2 * n, -1, 1)
    crops = jnp.where(hidden, 0, cut(series, place, beyond))
    key = jax.random.fold_in(key, 2)
    output, stats = model.apply(state.params, state.stats, crops, train=True, key=key, tokens=True)
    points = output['projector']
    value = hierarchical(points[:n, beyond:], points[n:, :common])
    return value, Aux(stats, (), {'loss/contrastive': value})

  def encode(state, images):
    return model.apply(state.params, state.stats, images, train=False, tokens=True)[0]['projector'].max(1)

  return Method({'series': View('unlabeled', 'weak')}, init, loss, encode=encode, kinds=('series',))


def lengths(length, overlap, context):
  """Points of the overlap, and of what each crop has beyond it."""
  common = min(length, max(2, round(overlap * length)))
  return common, min(round(context * length), (length - common) // 2)


def draw(key, views, *, overlap, context, masking):
  """Where the first crop of each series begins, int32 [n]; hidden points of both, bool [2, n, points]."""
  n, length, _ = views['series']['image'].shape
  common, beyond = lengths(length, overlap, context)
  keys = [jax.random.fold_in(key, i) for i in range(2)]
  start = jax.random.randint(keys[0], (n,), 0, length - common - 2 * beyond + 1)
  return {'start': start, 'masked': jax.random.bernoulli(keys[1], masking, (2, n, common + beyond))}


def hierarchical(a, b):
  """The loss of two representations [n, points, d] of the same points."""
  terms = []
  while True:
    instance = contrast(a.swapaxes(0, 1), b.swapaxes(0, 1))
    if a.shape[1] == 1:
      terms.append(instance / 2)
      break
    terms.append((instance + contrast(a, b)) / 2)
    a, b = (x[:, : x.shape[1] // 2 * 2].reshape(len(x), -1, 2, x.shape[2]).max(2) for x in (a, b))
  return jnp.stack(terms).mean()


def contrast(a, b):
  """In each group [groups, m, d], matches rows of `a` and `b` among all 2m, the mean over anchors."""
  z = jnp.concatenate([a, b], 1)
  m = a.shape[1]
  logits = jnp.einsum('gid,gjd->gij', z, z, precision='highest')
  logits = jnp.where(jnp.eye(2 * m, dtype=bool)[None], -1e9, logits)
  right = jnp.broadcast_to(jnp.roll(jnp.arange(2 * m), m)[None], logits.shape[:2])
  return cross_entropy(logits.reshape(-1, 2 * m), right.reshape(-1)).mean()


def cut(series, place, beyond):
  """Both crops [2n, points, channels]: at places [n, points], and the same `beyond` points later."""
  at = lambda place: jnp.take_along_axis(series, place[:, :, None], 1)
  return jnp.concatenate([at(place), at(place + beyond)])
