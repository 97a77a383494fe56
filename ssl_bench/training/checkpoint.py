"""Checkpoints: the whole state and the history of a run, saved by Orbax so that it resumes bit for bit."""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import NO_ROOM, SAVING

WILD = frozenset('*?[]')


class UnusableCheckpoint(BadSetting):
  """A training cannot go on from what is there, and nothing was changed."""


def newest(folder: Path) -> int | None:
  """The step of the newest checkpoint in a folder that others may write, None where there is none."""
  try:
    names = os.listdir(folder)
  except (FileNotFoundError, NotADirectoryError):
    return None
  return max((int(name) for name in names if name.isdigit()), default=None)


class Checkpoints:
  """The checkpoints of one run in a folder; the two newest are kept."""

  def __init__(self, folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    self.folder = folder
    self._alias: tempfile.TemporaryDirectory | None = None
    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
    self._manager = ocp.CheckpointManager(self._plain(folder.absolute()), options=options)

  def _plain(self, folder: Path) -> Path:
    """The folder by a name without wildcards, which Orbax would match as such (its merge of OCDBT files)."""
    if not WILD & set(str(folder)):
      return folder
    self._alias = tempfile.TemporaryDirectory()
    link = Path(self._alias.name) / 'checkpoints'
    link.symlink_to(folder, target_is_directory=True)
    return link

  def latest(self) -> int | None:
    """The step of the newest checkpoint."""
    return self._manager.latest_step()

  def save(self, step: int, carry: Any, history: dict[str, Any]) -> None:
    """Saves a pytree of arrays and a tree of plain data under a step.

    Raises `OSError` where the disk takes no more; what was saved before stays.
    """
    items = ocp.args.Composite(carry=ocp.args.StandardSave(carry), history=ocp.args.JsonSave(history))
    with SAVING, _quiet():
      try:
        self._manager.save(step, args=items, force=True)
        self._manager.wait_until_finished()
      except Exception as error:
        if number := _disk_error(error):
          raise OSError(number, os.strerror(number), str(self.folder)) from None
        raise

  def restore(self, carry: Any) -> tuple[Any, dict[str, Any]] | None:
    """The newest checkpoint, in the shapes and on the devices of `carry`, or None where there is none.

    Raises `UnusableCheckpoint` for one that cannot be read, since the disk was full or the machine went down.
    """
    step = self.latest()
    if step is None:
      return None
    target = jax.tree.map(ocp.utils.to_shape_dtype_struct, carry)
    restored = self._read(step, carry=ocp.args.StandardRestore(target), history=ocp.args.JsonRestore())
    return restored['carry'], restored['history']

  def history(self) -> tuple[int, dict[str, Any]] | None:
    """The step and the history of the newest checkpoint, or None where there is none; raises as `restore`."""
    step = self.latest()
    return None if step is None else (step, self._read(step, history=ocp.args.JsonRestore())['history'])

  def _read(self, step: int, **items: Any) -> Any:
    try:
      with _quiet():
        return self._manager.restore(step, args=ocp.args.Composite(**items))
    except Exception as error:
      why = ' '.join(str(error).split())[:120].rstrip('.')
      raise UnusableCheckpoint(
        f'The checkpoint {self.folder / str(step)} cannot be read ({type(error).__name__}: {why}); move it '
        'away, and the same command goes on from the one before it, or anew.'
      ) from error

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def close(self) -> None:
    self._manager.close()
    if self._alias:
      self._alias.cleanup()


def _disk_error(error: Exception) -> int:
  """The number of an error of a disk that takes no more, which Orbax has in its text; 0 for other errors."""
  if isinstance(error, OSError):
    return error.errno if error.errno in NO_ROOM else 0
  found = re.search(r"os_error_code='(\d+)'", str(error))
  return int(found[1]) if found and int(found[1]) in NO_ROOM else 0


@contextmanager
def _quiet() -> Iterator[None]:
  """Where one read or write fails, Orbax logs its trace, and asyncio those of others in a closed loop."""
  show = sys.unraisablehook

  def hook(found: Any) -> None:
    if str(found.exc_value) != 'Event loop is closed':
      show(found)

  own, others = logging.getLogger('absl'), logging.getLogger('asyncio')
  level, level_of_others = own.level, others.level
  sys.unraisablehook = hook
  own.setLevel(logging.CRITICAL)
  others.setLevel(logging.CRITICAL + 1)
  try:
    yield
  finally:
    own.setLevel(level)
  sys.unraisablehook = show  # not after an error: the others may end later
  others.setLevel(level_of_others)
