"""Claims: which process works at a training, on one machine or on several that share a folder.

The claims of a training are files with numbers, and the newest alone counts.  A file is made only where none
has its name, which network file systems promise while their locks are not to be trusted; so of two processes
that reach for the next number one gets it.  Its owner beats: it writes a growing count into it.  Whoever else
wants the training sees by its own clock that the count stands still, and after `PATIENCE` makes the next
file.  So no clock is compared with that of another machine.
"""

import json
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench import gang
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import LEAVING
from ssl_bench.training.loop import Interrupted
from ssl_bench.trial.claim_files import Disk
from ssl_bench.trial.owner import is_dead, this_machine, this_process

BEAT = 5.0  # seconds between two signs of life
PATIENCE = 60.0  # seconds without a sign after which an owner of another machine counts as dead
WAIT = 0.5  # seconds between two looks at a claim of somebody else's

LEFT, ENDED, REFUSED, CRASHED = 'left', 'ended', 'refused', 'crashed'
DEATHS = (None, CRASHED)  # ends of a claim by which its owner's work came to nothing


class Superseded(Interrupted):
  """Another process took a training over, since this one gave no sign; nothing of it is written any more."""

  def __init__(self, name: str):
    super().__init__(0)
    self.args = (f'Another process took over {name}, since this one gave no sign of life for too long.',)


class Claim(NamedTuple):
  """A claim as its file says."""

  number: int
  owner: dict[str, Any]  # host, machine, pid, process, since; empty where the file is not written yet
  beat: int
  end: str | None  # how its owner left it: LEFT to others, ENDED, REFUSED, CRASHED; None while held
  note: dict[str, Any]  # what its owner says of its work

  @property
  def who(self) -> str:
    """The owner in a few words."""
    return f'process {self.owner.get("pid")} of {self.owner.get("host")}' if self.owner else 'a process'


class Claims:
  """The claims in a folder, as one process sees and makes them.

  >>> claims = Claims(Path('runs/mine/claims'))
  >>> if claims.take('a training'):
  ...   claims.give('a training')
  """

  def __init__(
    self, folder: Path, *, beat: float = BEAT, patience: float = PATIENCE, disk: Disk | None = None
  ):
    self.folder, self.beat, self.patience, self.disk = folder, beat, patience, disk or Disk()
    self._held: dict[str, _Held] = {}
    self._seen: dict[str, tuple[int, int, float]] = {}  # name -> number, beat, when it was first seen so
    self._lock = threading.RLock()
    self._heart: threading.Thread | None = None
    LEAVING.add(self)

  def take(self, name: str) -> bool:
    """Whether this thread holds the claim of a training now; taken twice, it has to be given twice."""
    with self._lock:
      if held := self._held.get(name):
        is_ours = held.thread == threading.get_ident()
        held.times += is_ours
        return is_ours
      newest = self.newest(name)
      if newest and not self.is_free(name, newest):
        return False
      number = newest.number + 1 if newest else 0
      held = _Held(number, {**this_process(), 'since': datetime.now(UTC).isoformat(timespec='seconds')})
      if not self.disk.create(self._path(name, number), held.content()):
        return False
      held.beaten = _now()
      self._held[name] = held
      if self._heart is None:
        self._heart = threading.Thread(target=_live, args=(weakref.ref(self), self.beat), daemon=True)
        self._heart.start()
      return True

  def give(self, name: str, end: str = LEFT, **note: Any) -> None:
    """Gives a claim back: a training is LEFT to others, is ENDED or was REFUSED, or its owner CRASHED."""
    with self._lock:
      held = self._held[name]
      held.times -= 1
      if held.times:
        return
      del self._held[name]
      held.end, held.note = end, held.note | note
      self.disk.write(self._path(name, held.number), held.content())

  def note(self, name: str, **note: Any) -> None:
    """Adds to what the next beat says of the work at a training that this process holds."""
    with self._lock:
      if held := self._held.get(name):
        held.note |= note

  @contextmanager
  def holding(self, name: str, should_stop: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Holds a claim, once nobody else does; raises `Interrupted` if asked to stop meanwhile.

    In a gang the first process holds it for all.
    """
    while not gang.on_first(self.take, name):
      if should_stop():
        raise Interrupted(0)
      time.sleep(WAIT)
    try:
      yield
    finally:
      if gang.is_first():
        self.give(name)

  @contextmanager
  def alone(self, name: str) -> Iterator[None]:
    """Holds a claim; raises `BadSetting` where another process does, as soon as it gives a sign of life."""
    first = self.newest(name)
    while not self.take(name):
      newest = self.newest(name)
      if newest and (self._is_alive(newest) or (first and newest[:3] != first[:3])):
        place = f'{name} in {self.folder.parent}'
        raise BadSetting(f'Another process works at {place} ({newest.who}); wait for it, or stop it first.')
      first = first or newest
      time.sleep(WAIT)
    try:
      yield
    finally:
      self.give(name)

  def leave(self) -> None:
    """Gives back all that is held, as its process is about to end."""
    if self._lock.acquire(timeout=1):
      try:
        for name in list(self._held):
          self._held[name].times = 1
          self.give(name)
      finally:
        self._lock.release()

  def check(self) -> None:
    """Raises `Superseded` where somebody took over what this process holds; asked before each write."""
    with self._lock:
      for name, held in self._held.items():
        if held.is_lost or (_now() - held.beaten > self.patience / 2 and self._is_past(name, held)):
          held.is_lost = True
          raise Superseded(name)

  def newest(self, name: str) -> Claim | None:
    """The claim that counts, or None where nobody ever made one."""
    numbers = [number for one, number in self._listed() if one == name]
    return self.at(name, max(numbers)) if numbers else None

  def all(self) -> dict[str, int]:
    """Name -> the number of its newest claim."""
    found: dict[str, int] = {}
    for name, number in self._listed():
      found[name] = max(number, found.get(name, number))
    return found

  def at(self, name: str, number: int) -> Claim:
    """One claim of a training."""
    try:
      tree = json.loads(self.disk.read(self._path(name, number)))
      owner, note = dict(tree['owner']), dict(tree['note'])
      return Claim(number, owner, int(tree['beat']), tree['end'], note)
    except (ValueError, KeyError, TypeError):  # made, and not written yet
      return Claim(number, {}, 0, None, {})

  def is_free(self, name: str, claim: Claim) -> bool:
    """Whether a training's newest claim stands in nobody's way: given back, or its owner is dead."""
    if claim.end:
      return True
    if is_dead(claim.owner):
      return True
    # Not by a clock that goes on while this machine sleeps, since the owner may sleep with it.
    now = time.monotonic()
    number, beat, since = self._seen.get(name, (-1, -1, 0.0))
    if (number, beat) != (claim.number, claim.beat):
      self._seen[name] = (claim.number, claim.beat, now)
      return False
    return now - since > self.patience

  def deaths(self, name: str, after: int = -1) -> int:
    """How many claims with a number above `after` ended with the death or the crash of their owner."""
    numbers = [number for one, number in self._listed() if one == name and number > after]
    claims = [self.at(name, number) for number in sorted(numbers)]
    older = sum(claim.end in DEATHS for claim in claims[:-1])
    return older + (bool(claims) and claims[-1].end in DEATHS and self.is_free(name, claims[-1]))

  def _beat(self) -> bool:
    """Writes a sign of life for all that is held; returns whether anything is."""
    with self._lock:
      for name, held in self._held.items():
        with suppress(OSError):  # a full disk, or a server that is away; the next beat tries again
          if self._is_past(name, held):
            held.is_lost = True
          if not held.is_lost:
            held.count, now = held.count + 1, _now()
            self.disk.write(self._path(name, held.number), held.content())
            held.beaten = now
      if not self._held:
        self._heart = None
      return bool(self._held)

  def _is_past(self, name: str, held: '_Held') -> bool:
    """Whether there is a newer claim than one that this process holds."""
    return any(one == name and number > held.number for one, number in self._listed())

  def _is_alive(self, claim: Claim) -> bool:
    """Whether a claim is held by a process of this machine that lives."""
    is_here = claim.owner.get('machine') == this_machine()
    return claim.end is None and is_here and not is_dead(claim.owner)

  def _listed(self) -> Iterator[tuple[str, int]]:
    for file in self.disk.names(self.folder):
      name, _, number = file.rpartition('.')
      if name and number.isdigit() and not file.startswith('.'):
        yield name, int(number)

  def _path(self, name: str, number: int) -> Path:
    return self.folder / f'{name}.{number}'


def _live(claims: 'weakref.ref[Claims]', beat: float) -> None:
  """Has claims beat as long as they hold anything and somebody has them."""
  while True:
    time.sleep(beat)
    if not ((alive := claims()) and alive._beat()):
      return
    del alive


class _Held:
  """A claim that this process holds."""

  def __init__(self, number: int, owner: dict[str, Any]):
    self.number, self.owner, self.times, self.count = number, owner, 1, 0
    self.end: str | None = None
    self.note: dict[str, Any] = {}
    self.is_lost, self.beaten = False, 0.0
    self.thread = threading.get_ident()

  def content(self) -> bytes:
    tree = {'owner': self.owner, 'beat': self.count, 'end': self.end, 'note': self.note}
    return json.dumps(tree).encode()


def _now() -> float:
  """Seconds of a clock that nobody sets, which goes on while a machine sleeps where the system has one."""
  clock = getattr(time, 'CLOCK_BOOTTIME', None)
  return time.monotonic() if clock is None else time.clock_gettime(clock)
