"""Text as tokens: its UTF-8 bytes, in rows of one length."""

from collections.abc import Sequence

import numpy as np

from ssl_bench.settings.signature import BadSetting

PAD, MASK = 0, 1  # bytes that no text holds: padding after its end, and the mark of a hidden token
VOCABULARY = 256


def tokenize(texts: Sequence[str], length: int) -> np.ndarray:
  """uint8 [len(texts), length]: the bytes of each text, then `PAD`.

  Raises `BadSetting` for a text of more than `length` bytes, or one that holds `PAD` or `MASK`.
  """
  rows = np.full((len(texts), length), PAD, np.uint8)
  for row, text in zip(rows, texts):
    tokens = text.encode()
    if len(tokens) > length:
      raise BadSetting(f'{text!r} has {len(tokens)} bytes, more than {length}; shorten it or choose more.')
    if {PAD, MASK} & set(tokens):
      raise BadSetting(f'{text!r} holds a byte that stands for the end or for what is hidden; remove it.')
    row[: len(tokens)] = list(tokens)
  return rows


def detokenize(row: np.ndarray) -> str:
  """The text of one row of tokens."""
  return bytes(row[row != PAD]).decode()
