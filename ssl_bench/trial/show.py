"""A record, opened: its settings and numbers, where it and its checkpoint are, what runs it again."""

import shlex
from collections.abc import Iterable
from pathlib import Path

import yaml
from rich.console import Console

from ssl_bench import data
from ssl_bench.config import validate
from ssl_bench.records import record
from ssl_bench.records.form import Tree
from ssl_bench.settings.signature import BadSetting
from ssl_bench.settings.yaml12 import Dumper
from ssl_bench.trial.command import show as show_numbers
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import name_of

FOLDERS = ('runs/*/records', 'leaderboard/records')
FEWEST = 4  # characters of an id


def find(name: str, folders: Iterable[str] = FOLDERS) -> Path:
  """The file of a record: by its path, or by its id or the beginning of it below some folders.

  Raises `BadSetting` where there is none, or several different ones.
  """
  if Path(name).suffix == '.json':
    return Path(name)
  places = [place for pattern in folders for place in sorted(Path().glob(pattern))]
  paths = [path for place in places for path in sorted(place.rglob(f'{name}*.json'))]
  found = {path.name: path for path in reversed(paths)} if len(name) >= FEWEST else {}
  if len(found) > 1:
    few = ', '.join(sorted(found)[:5])
    raise BadSetting(f'{len(found)} records begin with {name!r}: {few}; write more of it.')
  if not found:
    raise BadSetting(f'There is no record {name!r} in {" or ".join(folders)}; name its file.')
  return next(iter(found.values()))


def show(path: Path) -> int:
  """Prints a record; returns 0 where its trial is done, else 1."""
  console, tree = Console(highlight=False, soft_wrap=True), record.read(path)
  console.print(yaml.dump(tree['config'], Dumper=Dumper, sort_keys=False), markup=False)
  code = show_numbers(tree, console)
  device, git = tree['environment'].get('device', {}), tree['environment'].get('git') or {}
  rows = {
    'record': str(path),
    'checkpoint': _checkpoint(path, tree),
    'grid': tree['grid'],
    'written': tree['time']['finished'],
    'device': f'{device.get("count")} × {device.get("kind")}' if device else None,
    'commit': git.get('commit'),
    'training': f'{tree["cost"].get("train_seconds", 0):.1f} s' if tree['cost'] else None,
    'again': f'ssl-bench train {shlex.quote(str(path))}',
  }
  width = max(map(len, rows))
  for name, value in rows.items():
    if value:
      console.print(f'{name:>{width}}  {value}', markup=False)
  return code


def _checkpoint(path: Path, tree: Tree) -> str | None:
  """The folder of a trial's checkpoints, where it is beside its record and its data set is here."""
  try:
    config = validate(tree['config'])
    place = RunFolder.of_record(path).checkpoints / name_of(config, data.load(config.dataset))
  except BadSetting:
    return None
  return str(place) if place.is_dir() else None
