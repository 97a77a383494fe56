"""SCARF: match a row of a table to itself with some columns taken from other rows."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, concatenate
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.methods._columns import corrupted
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def scarf(
  encoder: net.Net,
  columns: tuple[int, ...],
  *,
  corruption: Annotated[float, Range(0, 1, above=True)] = 0.6,
  temperature: Annotated[float, POSITIVE] = 1.0,
  hidden: Annotated[int, POSITIVE] = 256,
  out: Annotated[int, POSITIVE] = 256,
) -> Method:
  """Bahri et al., "SCARF: Self-Supervised Contrastive Learning using Random Feature Corruption" (2022).

  Objective (algorithm 1): InfoNCE of each row's projection against those of all corrupted rows of the batch,
  of which its own is the positive, over cosine similarities.  A corrupted row has a share of its columns,
  drawn anew for each, from other rows: the empirical marginal of each column.

  Args:
    corruption: share of the columns that are replaced, rounded down, at least one (public copies: 60 %).
    temperature: of the softmax.
    hidden: width of the projector's hidden layer.
    out: width of the projection.

  Evaluated: the encoder's features of whole rows, by a probe; the paper fine-tunes, as `fine_tune` with this
  teacher does.
  BatchNorm: rows and corrupted rows go through the network together; the paper's network has none.
  Deviations: the marginal is that of the batch, not of the training part; a column of categories is replaced
  as a whole; the paper's constant log N is left out.
  """
  model = net.chain(encoder=encoder, projector=heads.projector(hidden, out, norm='none'))

  def init(key, views):
    return *model.init(key, views['row']['image']), ()

  def loss(state, views, key):
    rows = views['row']['image']
    shown = draw(key, views, columns, corruption=corruption)['shown']
    key = jax.random.fold_in(key, 2)
    output, stats = model.apply(state.params, state.stats, concatenate([rows, shown]), train=True, key=key)
    a, b = jnp.split(normalize(output['projector']), 2)
    similarity = jnp.matmul(a, b.T, precision='highest') / temperature
    value = cross_entropy(similarity, jnp.arange(len(a))).mean()
    return value, Aux(stats, (), {'loss/contrastive': value})

  views = {'row': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'), kinds=('table',))


def draw(key, views, columns, *, corruption):
  """The corrupted rows, float32 [n, values]."""
  rows = views['row']['image']
  size = (len(rows), len(columns))
  order = jnp.argsort(jnp.argsort(jax.random.uniform(jax.random.fold_in(key, 0), size), 1), 1)
  chosen = order.astype('float32') < jnp.maximum(1, jnp.floor(corruption * len(columns)))
  source = jax.random.randint(jax.random.fold_in(key, 1), size, 0, len(rows))
  return {'shown': corrupted(rows, source, chosen, columns)}
