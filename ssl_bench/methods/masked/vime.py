"""VIME: tell which columns of a row were replaced, and what stood there."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import bernoulli
from ssl_bench.methods._columns import changed, corrupted
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import Range

VERSION = 1


def vime(
  encoder: net.Net,
  shape: tuple[int, ...],
  columns: tuple[int, ...],
  *,
  masking: Annotated[float, Range(0, 1, above=True)] = 0.3,
  weight: Annotated[float, Range(0)] = 2.0,
) -> Method:
  """Yoon et al., "VIME: Extending the Success of Self- and Semi-supervised Learning to Tabular Domain"
  (2020).

  Objective (the self-supervised part): the mean binary cross-entropy of which columns were
  changed, plus `weight` times the mean squared error of the whole row, both linear in the features of a row
  whose columns were exchanged: each column is shuffled over the batch, and each entry is taken from there
  with probability `masking`.  An entry that meets its own value again counts as unchanged, as in the authors'
  code.

  Args:
    masking: probability that an entry is exchanged (p_m; the authors' code: 0.3).
    weight: of the squared error (α; the authors' code: 2).

  Evaluated: the encoder's features of whole rows, by a probe.
  BatchNorm: one pass, on corrupted rows.
  Deviations: columns are shuffled within the batch, not over the whole set; numbers are standardized and not
  moved to [0, 1], so no sigmoid ends the feature estimator; a column of categories is exchanged, and counted,
  as a whole.  The semi-supervised part, consistency over corrupted rows, is left out.
  """
  guess, restore = heads.linear(max(1, len(columns))), heads.linear(shape[0])

  def init(key, views):
    rows = views['row']['image']
    params, stats = net.init_each(key, encoder=(encoder, rows))
    features, _ = encoder.apply(params['encoder'], stats['encoder'], rows, train=False)
    more, more_stats = net.init_each(key, mask=(guess, features), values=(restore, features))
    return params | more, stats | more_stats, ()

  def loss(state, views, key):
    params, stats, rows = state.params, state.stats, views['row']['image']
    drawn = draw(key, views, columns, masking=masking)
    key = jax.random.fold_in(key, 2)
    features, seen = encoder.apply(params['encoder'], stats['encoder'], drawn['shown'], train=True, key=key)
    logits, _ = guess.apply(params['mask'], stats['mask'], features, train=True)
    values, _ = restore.apply(params['values'], stats['values'], features, train=True)
    terms = {
      'loss/mask': bernoulli(logits, drawn['changed']).mean() / len(columns),
      'loss/values': weight * jnp.square(values - rows).mean(),
    }
    return sum(terms.values()), Aux({**stats, 'encoder': seen}, (), terms)

  def encode(state, images):
    return encoder.apply(state.params['encoder'], state.stats['encoder'], images, train=False)[0]

  def error(state, rows, key):
    values, _ = restore.apply(state.params['values'], state.stats['values'], encode(state, rows), train=False)
    return jnp.square(values - rows).mean(-1)

  views = {'row': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=encode, reconstruction_error=error, kinds=('table',))


def draw(key, views, columns, *, masking):
  """The corrupted rows, float32 [n, values], and which of their columns differ, float32 [n, columns]."""
  rows = views['row']['image']
  size = (len(rows), len(columns))
  chosen = jax.random.bernoulli(jax.random.fold_in(key, 0), masking, size)
  source = jnp.argsort(jax.random.uniform(jax.random.fold_in(key, 1), size), 0)
  shown = corrupted(rows, source, chosen, columns)
  # A value that is not exchanged, or with itself, is the same, however it is rounded where it is computed
  # twice.
  moved = (chosen & (source != jnp.arange(len(rows))[:, None])).astype('float32')
  return {'shown': shown, 'changed': changed(rows, shown, columns) * moved}
