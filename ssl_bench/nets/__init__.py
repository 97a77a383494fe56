"""Encoders: one module each, whose factory has the module's name and whose keywords are its settings.

A factory returns a `Net` from images, float32 [B, H, W, C], or tokens, int32 [B, L], to features, float32
[B, D].  Adding a net is adding a file; a module whose name begins with an underscore is a part of nets, not
a net, and so are `core`, the seam to Flax, and `heads`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from ssl_bench.settings.signature import BadSetting, factory_in, short, suggest


def names() -> list[str]:
  """All nets, sorted, found without importing any."""
  return sorted(
    m.name for m in pkgutil.iter_modules(__path__) if not (m.name[0] == '_' or m.name in ('core', 'heads'))
  )


def get(name: str) -> Callable[..., Any]:
  """The factory of that name; raises `BadSetting` if there is none."""
  if name not in names():
    raise BadSetting(f'There is no net {short(name)}; {suggest(name, names())}')
  return factory_in(importlib.import_module(f'{__name__}.{name}'), 'net')
