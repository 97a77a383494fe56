"""Operations on a row of a table, float32 [values], whose columns have one value (a number) or several.

Each takes the columns too: (key, row, columns) -> row.  An operation sees one row, so none of them draws from
a column's other values; the method `scarf` does, within its batch.
"""

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.augment.ops import Operation
from ssl_bench.kinds.table import column_of
from ssl_bench.settings.signature import Range

KIND = 'table'


def mask_columns(*, probability: Annotated[float, Range(0, 1, below=True)] = 0.2) -> Operation:
  """Makes each column, with that probability, a missing entry: 0, the mean of a number, or no category."""

  def operation(key: jax.Array, row: jax.Array, columns: Any) -> jax.Array:
    hidden = jax.random.bernoulli(key, probability, (len(columns),))
    return jnp.where(hidden[column_of(columns)], 0, row)

  return operation


def noise_columns(*, deviation: Annotated[float, Range(0, 10)] = 0.1) -> Operation:
  """Adds normal noise of that deviation to the numbers, which have deviation 1; categories stay."""

  def operation(key: jax.Array, row: jax.Array, columns: Any) -> jax.Array:
    number = np.asarray(columns)[column_of(columns)] == 1
    return row + deviation * number * jax.random.normal(key, row.shape, row.dtype)

  return operation
