"""Encoders: one module each, whose factory has the module's name and whose keywords are its settings.

A factory returns a `Net` from images, float32 [B, H, W, C], or tokens, int32 [B, L], to features, float32
[B, D].  Adding a net is adding a file; a module whose name begins with an underscore is a part of nets, not
a net, and so are `core`, the seam to Flax, and `heads`.
"""

from collections.abc import Callable
from typing import Any

from ssl_bench import plugins


def names() -> list[str]:
  """All nets, sorted, found without importing any."""
  return plugins.names('nets')


def get(name: str) -> Callable[..., Any]:
  """The factory of that name; raises `BadSetting` if there is none."""
  return plugins.get('nets', name)
