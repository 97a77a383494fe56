"""What the methods on tables share: rows in which some columns are those of other rows of the batch."""

import jax
import jax.numpy as jnp

from ssl_bench.kinds.table import column_of


def corrupted(rows, source, chosen, columns):
  """Rows [n, values] whose `chosen` columns, bool [n, columns], are those of rows `source`, int likewise."""
  rows = jnp.asarray(rows)
  column, place = column_of(columns), jnp.arange(rows.shape[1])
  return jnp.where(chosen[:, column], rows[source[:, column], place[None]], rows)


def changed(rows, shown, columns):
  """Which columns of rows [n, values] are not as they were, float32 [n, columns]."""
  belongs = jax.nn.one_hot(column_of(columns), len(columns))
  return (jnp.matmul((rows != shown).astype('float32'), belongs) > 0).astype('float32')
