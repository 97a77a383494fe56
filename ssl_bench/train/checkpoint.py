"""Checkpoints: the whole state and the history of a run, saved by Orbax so that it resumes bit for bit."""

import shutil
import warnings
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp


class Checkpoints:
  """The checkpoints of one run in a folder; the two newest are kept."""

  def __init__(self, folder: Path):
    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=False)
    self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

  def latest(self) -> int | None:
    """The step of the newest checkpoint."""
    return self._manager.latest_step()

  def save(self, step: int, carry: Any, history: dict[str, Any]) -> None:
    """Saves a pytree of arrays and a tree of plain data under a step."""
    items = ocp.args.Composite(carry=ocp.args.StandardSave(carry), history=ocp.args.JsonSave(history))
    self._manager.save(step, args=items, force=True)
    self._manager.wait_until_finished()

  def restore(self, carry: Any) -> tuple[Any, dict[str, Any]] | None:
    """The newest checkpoint that can be read, in the shapes and on the devices of `carry`, or None.

    One that cannot be read (the disk was full, the machine went down) is put aside as `unreadable-<step>`.
    """
    target = jax.tree.map(ocp.utils.to_shape_dtype_struct, carry)
    items = ocp.args.Composite(carry=ocp.args.StandardRestore(target), history=ocp.args.JsonRestore())
    while (step := self.latest()) is not None:
      try:
        restored = self._manager.restore(step, args=items)
        return restored['carry'], restored['history']
      except Exception as error:
        self._put_aside(step, error)
    return None

  def _put_aside(self, step: int, error: Exception) -> None:
    place = Path(self._manager.directory) / str(step)
    aside = place.with_name(f'unreadable-{step}')
    warnings.warn(f'The checkpoint {place} cannot be read ({error}); it is now {aside}.', stacklevel=3)
    shutil.rmtree(aside, ignore_errors=True)
    place.rename(aside)
    self._manager.reload()

  def close(self) -> None:
    self._manager.close()
