"""The columns of a table: which values of a row belong together."""

from collections.abc import Sequence

import numpy as np


def column_of(columns: Sequence[int]) -> np.ndarray:
  """int [values]: the column of each value of a row, where `columns` says how many values each has."""
  return np.repeat(np.arange(len(columns)), columns)
