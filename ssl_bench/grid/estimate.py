"""How long a sweep takes, by records of the same programs on the same device."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ssl_bench.grid.manifest import Task
from ssl_bench.grid.survey import program_of_tree
from ssl_bench.records.environment import device


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
  ours, found = device(), list[tuple[str, Timing]]()
  for path in (path for folder in folders for path in folder.rglob('*.json')):
    try:
      tree = json.loads(path.read_bytes())
      if tree['status'] == 'done' and tree['environment']['device'] == ours:
        found.append((program_of_tree(tree['config']), timing_of(tree)))
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
      continue  # no record, or one without times
  return typical(found)


def typical(found: Iterable[tuple[str, Timing]]) -> dict[str, Timing]:
  """Program -> the medians of its timings."""
  rows: dict[str, list[Timing]] = {}
  for program, timing in found:
    rows.setdefault(program, []).append(timing)
  return {program: middle(own) for program, own in rows.items()}


def middle(rows: Iterable[Timing]) -> Timing:
  """The medians of some timings."""
  return Timing(*(median(column) for column in zip(*rows)))


def timing_of(tree: Mapping[str, Any]) -> Timing:
  """What the trial of a record took; raises `KeyError` and the like where the record does not say."""
  many = tree['cost'].get('together', 1)
  trained = tree['cost']['train_seconds'] / many  # its share, where several trained in one program
  start, end = (datetime.fromisoformat(tree['time'][name]) for name in ('started', 'finished'))
  whole = (end - start).total_seconds()  # less than training where that was before
  is_in = many == 1 and whole >= trained
  steps = tree['cost'].get('steps') or tree['config']['steps']  # fewer, where it stopped early
  return Timing(trained / steps, whole - trained if is_in else whole)


def estimate(tasks: Iterable[Task], known: Mapping[str, Timing]) -> Estimate:
  """The seconds of some tasks one after the other."""
  tasks = list(tasks)
  seconds = 0.0
  for task in (task for task in tasks if task.program in known):
    timing = known[task.program]
    seconds += task.steps * timing.step + len(task.trials) * timing.beside
  unknown = {task.program for task in tasks} - known.keys()
  return Estimate(seconds, sum(task.program in known for task in tasks), unknown)
