"""Whether the policies of a config fit its images."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ssl_bench.train import batch
from ssl_bench.train.structure import method_of


def check_policies(parts: Mapping[str, Any]) -> None:
  """Raises `BadSetting` where a policy does not fit the images of a structure: its size, padding or squares.

  Nothing is compiled: the policies are traced for one image, once for all trials that share them.
  """
  named = {view.augment for view in method_of(parts).views.values()}
  for name in sorted({*parts['augment'], *named}):
    _trace(name, batch.text_of(parts, name), tuple(parts['shape']), parts['kind'])


@lru_cache(maxsize=512)
def _trace(name: str, text: str, shape: tuple[int, ...], kind: str) -> None:
  batch.size_of({'augment': {'strong': text, name: text}, 'shape': shape, 'kind': kind}, name)
