"""How many programs were compiled in a block of code."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.monitoring

_seen = [0]


def _listen(event: str, duration_secs: float, **kwargs: Any) -> None:
  if event == '/jax/core/compile/backend_compile_duration':  # also where the compile cache has the result
    _seen[0] += 1


jax.monitoring.register_event_duration_secs_listener(_listen)


@contextlib.contextmanager
def compilations() -> Iterator[list[int]]:
  """A list whose one entry, after the block, is how many programs were compiled in it."""
  before, count = _seen[0], [0]
  yield count
  count[0] = _seen[0] - before
