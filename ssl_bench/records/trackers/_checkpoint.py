"""Where the last checkpoint of a recorded trial is, for trackers that upload it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def checkpoint_of(record: Mapping[str, Any], folder: Path) -> Path | None:
  """The last checkpoint of a record's training in a run folder; None where it is not there."""
  from ssl_bench import data
  from ssl_bench.config import validate
  from ssl_bench.planning.build import streams_seen
  from ssl_bench.planning.identity import identify_training
  from ssl_bench.planning.structure import structure_of

  if record['status'] != 'done':
    return None
  config = validate(record['config'])
  dataset = data.load(config.dataset)
  streams = streams_seen(structure_of(config, dataset))
  return last_of(folder, identify_training(config, dataset.fingerprint, streams))


def last_of(folder: Path, training: str) -> Path | None:
  """The last checkpoint of a training in a run folder; None where there is none."""
  steps = [path for path in (folder / 'checkpoints' / training).glob('*') if path.name.isdigit()]
  return max(steps, key=lambda path: int(path.name), default=None)
