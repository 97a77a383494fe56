"""Inputs of a cached function that are no part of its key, since its answer depends on the rest alone."""

from typing import Any


class Unkeyed:
  """Some inputs; to a cache all are alike."""

  def __init__(self, *inputs: Any):
    self.inputs = inputs

  def __eq__(self, other: object) -> bool:
    return isinstance(other, Unkeyed)

  def __hash__(self) -> int:
    return 0
