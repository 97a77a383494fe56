"""The rung of a trial: its validation accuracy at a step before the last, and nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssl_bench.records.disk import read_limited, write_whole
from ssl_bench.records.strict_json import printable
from ssl_bench.settings.signature import BadSetting

FORM = 'ssl_bench rung 1'
PARTS = ('id', 'step', 'status', 'error', 'config', 'versions', 'metrics', 'time', 'grid')


def write(tree: Mapping[str, Any], folder: Path) -> Path:
  """Writes a rung to `<id>.json`, whole or not at all; it is no record, and no board reads it."""
  path = folder / f'{tree["id"]}.json'
  kept = {'form': FORM, **{name: tree[name] for name in PARTS}}
  write_whole(path, json.dumps(kept, indent=1, sort_keys=True, allow_nan=False) + '\n')
  return path


def read(path: Path) -> dict[str, Any]:
  """The rung in a file; raises `BadSetting`, with the file's name, where it is none."""
  try:
    tree = json.loads(read_limited(path))
    if tree['form'] != FORM or tree['id'] != path.stem or not set(PARTS) <= tree.keys():
      raise ValueError('it has another form')
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    place = printable(str(path))
    raise BadSetting(f'{place} is no rung of a trial ({error}); move it away, and it is run again.') from None
  return tree
