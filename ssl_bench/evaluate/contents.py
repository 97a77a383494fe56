"""Arrays as a key: what was computed from them need not be computed again from others with the same bytes."""

from hashlib import sha256

import numpy as np


class Contents:
  """Arrays that equal others with the same bytes: of frozen features, the same at every label budget."""

  def __init__(self, *arrays: np.ndarray):
    self.arrays = arrays
    self.digest = tuple((a.shape, a.dtype.str, sha256(a.tobytes()).digest()) for a in arrays)

  def __eq__(self, other: object) -> bool:
    return isinstance(other, Contents) and self.digest == other.digest

  def __hash__(self) -> int:
    return hash(self.digest)
