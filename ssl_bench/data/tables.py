"""Columns of a table, numbers or categories, as rows of float32 values that a network reads."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Rows(NamedTuple):
  """Rows float32 [N, values], and how many values each column has: 1 for numbers, else one a category."""

  values: np.ndarray
  columns: tuple[int, ...]


def encode(columns: Sequence[np.ndarray], train: np.ndarray) -> Rows:
  """Rows of columns; all statistics are those of the training part.

  Numbers (a column of a numeric dtype) are standardized: (x - mean) / deviation, where a constant column
  becomes 0.  A category (any other dtype) becomes as many values as the training part has categories, sorted:
  1 for its own, 0 for the others.  A number that is not finite, an empty text, and a category that the
  training part lacks count as missing: 0 everywhere.

  Args:
    columns: one array [N] for each.
    train: positions of the training part.
  """
  parts = [_numbers(one, train) if is_numeric(one) else _categories(one, train) for one in columns]
  return Rows(np.concatenate(parts, 1).astype(np.float32), tuple(part.shape[1] for part in parts))


def is_numeric(column: np.ndarray) -> bool:
  return np.issubdtype(column.dtype, np.number)


def _numbers(column: np.ndarray, train: np.ndarray) -> np.ndarray:
  return standardize(column.astype(np.float64)[:, None], train)


def _categories(column: np.ndarray, train: np.ndarray) -> np.ndarray:
  texts = column.astype(str)
  known = np.unique(texts[train])
  return (texts[:, None] == known[known != '']).astype(np.float64)


def standardize(values: np.ndarray, train: np.ndarray) -> np.ndarray:
  """Values [N, ..., C] less the mean of each channel C, divided by its deviation, both of the training part.

  A channel that is constant there becomes 0, and so does a value that is not finite.
  """
  seen = values[train].astype(np.float64).reshape(-1, values.shape[-1])
  seen = np.where(np.isfinite(seen), seen, np.nan)
  mean, deviation = np.nanmean(seen, 0), np.nanstd(seen, 0)
  scaled = np.where(deviation > 0, (values - mean) / np.where(deviation > 0, deviation, 1), 0)
  return np.where(np.isfinite(scaled), scaled, 0).astype(np.float32)
