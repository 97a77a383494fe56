"""Trackers mirror finished records elsewhere: one file each, found by name, W&B the first.

The records on disk are the source; a tracker copies them under the same ids, takes up later what it missed
and can never end a run.  One of a plugin is a function with settings alone that returns a `Tracker`:

    class Lines(NamedTuple):
      path: str

      def check(self): pass

      def mirror(self, records, folder, among):
        with open(self.path, 'a') as file:
          file.writelines(f"{one['id']} {one['metrics'].get('accuracy')}\\n" for one in records)
        return len(list(records))

    def lines(*, path: str = 'accuracies.txt'): return Lines(path)

    PLUGINS = {'trackers': [lines]}

and `ssl-bench train … --track 'lines(path=out.txt)'` asks for it.
"""

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ssl_bench import plugins
from ssl_bench.settings.signature import BadSetting, bind, parse_call


class NotMirrored(UserWarning):
  """A tracker did not get all records; the message says why in one sentence."""


class Tracker(Protocol):
  """Where finished records are mirrored to."""

  def check(self) -> None:
    """Raises `BadSetting` where nothing could be mirrored, as without a login; called before training."""

  def mirror(
    self, records: Iterable[Mapping[str, Any]], folder: Path, among: Iterable[Mapping[str, Any]]
  ) -> int:
    """Mirrors what is not mirrored yet, and returns how many records those were.

    Args:
      records: as `record.read` gives them.
      folder: of the run; what the tracker writes goes below it.
      among: the records of the whole sweep, by which names tell what differs.
    """


def parse(text: str) -> Tracker:
  """The tracker that `'wandb(mode=online)'` says; raises `BadSetting` for an unknown name or setting."""
  name, values, named = parse_call(text)
  factory = plugins.get('trackers', name)
  found = factory(**bind(factory, values, named))
  for function in ('check', 'mirror'):
    if not callable(getattr(found, function, None)):
      raise BadSetting(f'The tracker {name} must return a Tracker, with the functions check and mirror.')
  return found


def choose(wandb: str, further: Iterable[str] | None = None) -> list[Tracker]:
  """The trackers that a command line asks for: W&B in a mode, which may be 'disabled', and those by name."""
  own = [] if wandb == 'disabled' else [f'wandb(mode={wandb})']
  return [parse(text) for text in (*own, *(further or ()))]


def mirror_and_say(
  trackers: Sequence[Tracker],
  records: Sequence[Mapping[str, Any]],
  among: Sequence[Mapping[str, Any]],
  folder: Path,
) -> None:
  """Mirrors to all trackers, for a command line: what kept one from it is a line on stderr."""
  for tracker in trackers:
    with warnings.catch_warnings(record=True) as caught:
      warnings.simplefilter('always', NotMirrored)
      try:
        tracker.mirror(records, folder, among)
      except Exception as error:  # whatever a tracker does, the records are safe
        said = ' '.join(f'{type(error).__name__}: {error}'.split())[:300].rstrip('.')
        warnings.warn(f'{type(tracker).__name__} mirrored nothing ({said}).', NotMirrored, stacklevel=1)
    for one in caught:
      print(f'ssl-bench: {one.message}', file=sys.stderr)
