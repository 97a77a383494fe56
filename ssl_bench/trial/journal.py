"""The journal of a trial while it runs: a file of JSON lines in its run folder, for whoever follows it.

`live/<id>.jsonl` says what is known of the trial, then what its training logs.  It is written without a word
to anybody, so that no reader can delay the training.  It goes when the trial has its record.  Where its
process was stopped or killed it stays, and the next process goes on in it.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ssl_bench import gang
from ssl_bench.records.trackers import Row
from ssl_bench.stop import AGAIN
from ssl_bench.trial.owner import this_process

LOOKS = 'evaluate/'  # how the names of what a look at held-out images noted begin
Report = Callable[[int, dict[str, Any]], None]


class Journal:
  """What the first process of a trial writes of it; a disk that takes nothing ends it and not the trial."""

  def __init__(
    self,
    folder: Path,
    known: Mapping[str, Any],
    images: Callable[[], int],
    memory: Callable[[], Any],
    *,
    stays: bool = False,
  ):
    """What it writes of.

    Args:
      folder: of journals.
      known: what the trial's record will say.
      images: how many there are in a step.
      memory: of the device, as JSON.
      stays: whether it stays for whoever goes on with the trial.
    """
    self.path = folder / f'{known["id"]}.jsonl'
    self.known, self.images, self.memory, self.stays = known, images, memory, stays
    self._file: int | None = None

  def __enter__(self) -> 'Journal':
    if not gang.is_first():
      return self
    with suppress(OSError):
      self.path.parent.mkdir(parents=True, exist_ok=True)
      self._file = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_RDWR, 0o644)
      if (size := os.fstat(self._file).st_size) and os.pread(self._file, 1, size - 1) != b'\n':
        os.write(self._file, b'\n')  # after a line that broke off
    self._write(begin=dict(self.known), owner=this_process())
    return self

  def __exit__(
    self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
  ) -> None:
    if error or self.stays:
      self._write(left=AGAIN)
    if self._file is not None:
      os.close(self._file)
    if not error and not self.stays and gang.is_first():
      with suppress(OSError):
        self.path.unlink(missing_ok=True)

  def telling(self, report: Report) -> Report:
    """A `report` that writes what it is given here, then passes it on."""

    def told(step: int, values: dict[str, Any]) -> None:
      # Step 0 is a sign of life of a teacher's training, whose numbers are not the trial's.
      row = {k: v for k, v in values.items() if k != 'step'} if step else {}
      self._write(step=step, values=row, images=self.images() if step else 0, memory=self.memory())
      report(step, values)

    return told

  def _write(self, **event: Any) -> None:
    if self._file is None:
      return
    try:
      os.write(self._file, (json.dumps({'at': time.time(), **event}) + '\n').encode())
    except OSError:
      os.close(self._file)
      self._file = None


class Reader:
  """Reads a journal as it grows."""

  def __init__(self, path: Path):
    self.path, self._place = path, 0

  def read(self) -> list[dict[str, Any]]:
    """The whole lines since the last call; those that are torn are left out."""
    try:
      with open(self.path, 'rb') as file:
        if os.fstat(file.fileno()).st_size < self._place:  # another one, of a trial that is run again
          self._place = 0
        file.seek(self._place)
        text = file.read()
    except OSError:
      return []
    whole = text[: text.rfind(b'\n') + 1]
    self._place += len(whole)
    events = []
    for line in whole.splitlines():
      with suppress(ValueError):
        events.append(json.loads(line))
    return [event for event in events if isinstance(event, dict)]


def row_of(event: Mapping[str, Any]) -> Row:
  """The row that an event of a journal is."""
  values = event['values']
  looks = {k.removeprefix(LOOKS): v for k, v in values.items() if k.startswith(LOOKS)}
  part = 'evaluations' if looks else 'curve'
  return Row(event['step'], part, looks or values, event['at'], event['images'], event['memory'])
