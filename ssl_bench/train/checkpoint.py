"""Checkpoints: the whole state and the history of a run, saved by Orbax so that it resumes bit for bit."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp


class Checkpoints:
  """The checkpoints of one run in a folder; the newest is kept, and written before the older goes."""

  def __init__(self, folder: Path):
    options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
    self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

  def latest(self) -> int | None:
    """The step of the newest checkpoint."""
    return self._manager.latest_step()

  def save(self, step: int, carry: Any, history: dict[str, Any]) -> None:
    """Saves a pytree of arrays and a tree of plain data under a step."""
    items = ocp.args.Composite(carry=ocp.args.StandardSave(carry), history=ocp.args.JsonSave(history))
    self._manager.save(step, args=items, force=True)
    self._manager.wait_until_finished()

  def restore(self, carry: Any) -> tuple[Any, dict[str, Any]]:
    """The newest checkpoint, in the shapes and on the devices of `carry`."""
    target = jax.tree.map(ocp.utils.to_shape_dtype_struct, carry)
    items = ocp.args.Composite(carry=ocp.args.StandardRestore(target), history=ocp.args.JsonRestore())
    restored = self._manager.restore(self.latest(), args=items)
    return restored['carry'], restored['history']

  def close(self) -> None:
    self._manager.close()
