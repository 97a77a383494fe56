"""The draws of a bootstrap, which depend on a seed alone: the same records give the same bytes of a board."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def positions(seed: int, rows: int, n: int) -> NDArray[np.intp]:
  """[rows, n]: n of n positions in each row, drawn with replacement, by PCG64's uniform numbers."""
  generator = np.random.Generator(np.random.PCG64(seed))
  return (generator.random((rows, n)) * n).astype(np.intp)


@lru_cache(64)
def counts(seed: int, rows: int, n: int) -> NDArray[np.float64]:
  """[rows, n]: how often each position is in a row of `positions`."""
  places = positions(seed, rows, n) + n * np.arange(rows)[:, None]
  found = np.bincount(places.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
  found.flags.writeable = False
  return found
