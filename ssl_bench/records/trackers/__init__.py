"""Trackers show trials elsewhere, while they run and after: one file each, found by name, W&B the first.

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

and `ssl-bench train … --track 'lines(path=out.txt)'` asks for it.  One that has a function `follow` as well
is a `LiveTracker`, which shows trials while they run.
"""

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ssl_bench import plugins
from ssl_bench.settings.signature import BadSetting, bind, parse_call, settings_of


class NotMirrored(UserWarning):
  """A tracker did not get all records; the message says why in one sentence."""


@runtime_checkable
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


class Run(NamedTuple):
  """A trial under way.

  id: of its record; known: what the record will say of it, without what comes out, and beside that
  `training`, the name of its checkpoints; variant: those of its settings that the sweep varies; label: the
  trial in a few words.
  """

  id: str
  known: Mapping[str, Any]
  variant: Mapping[str, str]
  label: str


class Row(NamedTuple):
  """What a trial logged at a step, or noted at a look at held-out images."""

  step: int
  part: str  # curve or evaluations, where its record will have this row
  values: Mapping[str, Any]
  at: float  # seconds since the epoch
  images: int  # that one step looks at
  memory: Mapping[str, Any] | None  # of the device: {device, bytes, limit}


class Follower(Protocol):
  """Is told of trials while they run, one call at a time, in a process of its own beside them.

  What it raises, or a call that never returns, ends that process and nothing else.
  """

  def start(self, run: Run) -> None:
    """A trial begins, or goes on where it was left; all rows that were logged of it before follow."""

  def log(self, run: Run, row: Row) -> None:
    """A trial logged something; no row comes twice."""

  def end(self, run: Run, record: Mapping[str, Any] | None) -> None:
    """A trial has its record, curves included; None where its process left it, to go on later."""

  def count(self, trials: Mapping[str, int]) -> None:
    """How many trials of the sweep are in which state, whenever that changes."""

  def close(self) -> None:
    """Nothing more comes."""


@runtime_checkable
class LiveTracker(Tracker, Protocol):
  """A tracker that shows trials while they run, too."""

  def follow(self, folder: Path) -> Follower:
    """Called in a process of its own, when the first trial of a run folder begins."""


class Chosen(NamedTuple):
  """A tracker, and how it is made once more in a process of its own."""

  tracker: Tracker
  name: str
  settings: dict[str, Any]

  def check(self) -> None:
    self.tracker.check()

  def mirror(
    self, records: Iterable[Mapping[str, Any]], folder: Path, among: Iterable[Mapping[str, Any]]
  ) -> int:
    return self.tracker.mirror(records, folder, among)


def make(name: str, values: Iterable[Any], named: Mapping[str, Any]) -> Chosen:
  """The tracker of a name; raises `BadSetting` for an unknown name or setting."""
  factory = plugins.get('trackers', name)
  settings = bind(factory, values, named)
  found = factory(**settings)
  if not isinstance(found, Tracker):
    raise BadSetting(f'The tracker {name} must return a Tracker, with the functions check and mirror.')
  return Chosen(found, name, settings)


def parse(text: str, **usual: Any) -> Chosen:
  """The tracker that `'wandb(mode=online)'` says; raises `BadSetting` for an unknown name or setting.

  Of the `usual` settings, those that it has and the text does not set are taken; empty ones count as unset.
  """
  name, values, named = parse_call(text)
  known = [*settings_of(plugins.get('trackers', name))]
  more = {k: v for k, v in usual.items() if v and k in known[len(values) :]}
  return make(name, values, more | named)


def choose(wandb: str, further: Iterable[str] | None = None, **usual: Any) -> list[Chosen]:
  """The trackers that a command line asks for: W&B in a mode, which may be 'disabled', and those by name.

  `usual` are settings for all that have them, as `parse` takes them.
  """
  own = [] if wandb == 'disabled' else [f'wandb(mode={wandb})']
  return [parse(text, **usual) for text in (*own, *(further or ()))]


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
        name = type(tracker.tracker if isinstance(tracker, Chosen) else tracker).__name__
        warnings.warn(f'{name} mirrored nothing ({said}).', NotMirrored, stacklevel=1)
    for one in caught:
      print(f'ssl-bench: {one.message}', file=sys.stderr)
