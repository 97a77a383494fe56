"""Which records a tracker still lacks, and the warning where it did not get them all."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ssl_bench.records.naming import variant
from ssl_bench.records.trackers import NotMirrored, _lock
from ssl_bench.records.trackers._checkpoint import checkpoint_of
from ssl_bench.records.trackers._child import holds


class Target(Protocol):
  """Where a tracker mirrors to."""

  @property
  def artifacts(self) -> Sequence[str]:
    """What is uploaded as files."""

  def seal(self, record: Mapping[str, Any], variant: Mapping[str, str]) -> str:
    """A digest of all that a run of a record shows and of where it is; equal seals, equal runs."""

  def marker(self, folder: Path, name: str) -> Path:
    """The file that holds the seal of what was mirrored under an id."""


def pending(
  records: Iterable[Mapping[str, Any]], names: Mapping[str, set[str]], folder: Path, to: Target
) -> list[list[Any]]:
  """[record, variant, marker, seal, checkpoint] of records that are not mirrored yet and nobody follows."""
  found = []
  for record in records:
    told = variant(record['config'], names)
    seal, marker = to.seal(record, told), to.marker(folder, record['id'])
    if not (holds(marker, seal) or _lock.is_taken(marker)):
      checkpoint = checkpoint_of(record, folder) if 'checkpoint' in to.artifacts else None
      found.append([record, told, str(marker), seal, str(checkpoint or '')])
  return found


def warn(tracker: str, done: int, count: int, why: str) -> None:
  """Warns `NotMirrored`: of `count` new records, `done` were mirrored."""
  why = ' '.join(why.split())[:300].rstrip('.')
  text = f'{tracker} mirrored {done} of {count} new records ({why}); the records themselves are safe.'
  warnings.warn(text, NotMirrored, stacklevel=3)
