"""Settings that a method or a net gained after trials were recorded: written off their default only."""

from collections.abc import Callable, Mapping
from typing import Any

from ssl_bench.settings.signature import settings_of


def written(factory: Callable, checked: Mapping[str, Any]) -> dict[str, Any]:
  """The checked settings as a config writes them: those marked `ADDED` only off their default.

  So a setting that a factory gains changes no identity of what ran without it.  None of them is traced, since
  programs of one structure are given the same numbers.
  """
  settings = settings_of(factory)
  return {k: v for k, v in checked.items() if not settings[k].added or v != settings[k].default}
