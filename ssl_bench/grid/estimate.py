"""How long a sweep takes, by records of the same programs on the same device."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ssl_bench.grid.manifest import Task
from ssl_bench.grid.survey import program_of_tree
from ssl_bench.records.environment import device
from ssl_bench.settings.signature import BadSetting, short


class Timing(NamedTuple):
  """What trials of one program took."""

  step: float  # seconds a step
  beside: float  # seconds of a trial in which it did not train: compiling, evaluating, saving


class Estimate(NamedTuple):
  """Seconds of one worker, as far as records tell."""

  seconds: float
  known: int  # trainings whose program some record is of
  unknown: set[str]  # programs that no record is of


def timings(folders: Iterable[Path]) -> dict[str, Timing]:
  """Program -> what its trials took on a device as today's, by the records under some folders."""
  ours, found = device(), dict[str, list[Timing]]()
  for path in (path for folder in folders for path in folder.rglob('*.json')):
    try:
      tree = json.loads(path.read_bytes())
      if tree['status'] == 'done' and tree['environment']['device'] == ours:
        found.setdefault(program_of_tree(tree['config']), []).append(_timing(tree))
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
      continue  # no record, or one without times
  return {program: Timing(*(median(column) for column in zip(*rows))) for program, rows in found.items()}


def _timing(tree: Mapping[str, Any]) -> Timing:
  trained = tree['cost']['train_seconds']
  start, end = (datetime.fromisoformat(tree['time'][name]) for name in ('started', 'finished'))
  whole = (end - start).total_seconds()  # less than training where another trial of the training came before
  return Timing(trained / tree['config']['steps'], whole - trained if whole >= trained else whole)


def estimate(tasks: Iterable[Task], known: Mapping[str, Timing]) -> Estimate:
  """The seconds of some tasks one after the other."""
  tasks = list(tasks)
  seconds = 0.0
  for task in (task for task in tasks if task.program in known):
    timing = known[task.program]
    seconds += task.steps * timing.step + len(task.trials) * timing.beside
  unknown = {task.program for task in tasks} - known.keys()
  return Estimate(seconds, sum(task.program in known for task in tasks), unknown)


def duration(seconds: float) -> str:
  """Seconds as words: 40 s, 12 min, 3.5 hours."""
  if seconds < 90:
    return f'{seconds:.0f} s'
  return f'{seconds / 60:.0f} min' if seconds < 90 * 60 else f'{seconds / 3600:.1f} hours'


UNITS = {'s': 1, 'm': 60, 'h': 3600, 'd': 86_400}


def parse_duration(text: str) -> float:
  """Seconds of 90m, 3.5h, 1h30m or 04:00:00; raises `BadSetting` for anything else."""
  if match := re.fullmatch(r'(\d+):([0-5]\d):([0-5]\d)', text):
    hours, minutes, seconds = map(int, match.groups())
    found = 3600.0 * hours + 60 * minutes + seconds
  else:
    parts = re.findall(r'(\d+(?:\.\d+)?)([smhd])', text)
    found = sum(float(number) * UNITS[unit] for number, unit in parts)
    found *= ''.join(number + unit for number, unit in parts) == text
  if not found:
    raise BadSetting(f'{short(text)} is no length of time; write it as 90m, 3.5h, 1h30m or 04:00:00.')
  return found
