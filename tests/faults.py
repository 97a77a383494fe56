"""Kills at random: workers and the processes that submit, by SIGKILL, over grids of 24 short trials.

    python tests/faults.py --kills 50 --out tests/faults.json

Two processes work at one run folder, as two machines do.  Each that is killed is started again until the grid
is done; then another grid begins, until there were enough kills.  Each grid is compared with one that nobody
disturbed: the same records, the same board byte for byte, and every training brought to its end once.  The
claims of a training are its log: a file each, which says who worked at it, since when, and how it ended.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import psutil
from support.cli import command, records, start, write_configs

GRID = """
name: small
base: configs
blocks:
  - {method: [supervised, fixmatch], labels: [20, 40], split_seed: [0, 1], seed: [0, 1, 2]}
"""
PROTOCOL = """
steps: 120
checkpoint: {every: 10}
evaluate: {every: 20, last: 2, bootstrap: 100}
log_every: 10
"""
TRIALS = 24
PAUSES = (0.5, 9.0)  # seconds between two kills
LONGEST = 600.0  # seconds that a grid may take after its last kill


class Faults:
  """The grids of a folder, what was killed, and what was found wrong."""

  def __init__(self, folder: Path, seed: int, *, grid: str = GRID, trials: int = TRIALS):
    self.folder, self.random, self.trials = folder, random.Random(seed), trials
    self.killed: Counter[str] = Counter()
    self.wrong: Counter[str] = Counter(dict.fromkeys(WRONG, 0))
    self.grids = self.claims = 0
    write_configs(folder / 'configs', PROTOCOL)
    (folder / 'small.yaml').write_text(grid, encoding='utf-8')
    self.environment = {'JAX_COMPILATION_CACHE_DIR': str(folder / 'compiled')}
    self.words = ('grid', folder / 'small.yaml', '--workers=1', '--wandb=disabled', '--no-timing')

  def run(self, kills: int) -> dict:
    """Kills so often, and returns what came of it."""
    begun = time.monotonic()
    whole = self.folder / 'whole'
    command(*self.words, '--runs', whole, **self.environment)
    while self.killed.total() < kills:
      runs = self.folder / f'runs-{self.grids}'
      self.disturb(runs, kills)
      self.compare(runs / 'small', whole / 'small')
      self.grids += 1
    return {
      'kills': dict(sorted(self.killed.items())),
      'grids': self.grids,
      'trials': self.grids * self.trials,
      'claims': self.claims,
      'wrong': dict(self.wrong),
      'seconds': round(time.monotonic() - begun),
    }

  def disturb(self, runs: Path, kills: int) -> None:
    """A grid to its end, with kills on its way."""
    ours = [self.start(runs) for _ in range(2)]
    while self.killed.total() < kills and any(process.poll() is None for process in ours):
      time.sleep(self.random.uniform(*PAUSES))
      kind, pid = self.random.choice([*self.victims(ours), ('none', 0)])
      if pid:
        with suppress(ProcessLookupError):
          os.kill(pid, signal.SIGKILL)
          self.killed[kind] += 1
      # Of two that submit, one may be killed and the other end well; what was killed is started again.
      ours = [self.start(runs) if process.poll() not in (None, 0, 1) else process for process in ours]
    end = time.monotonic() + LONGEST
    for process in ours:
      with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=max(1.0, end - time.monotonic()))
      if process.poll() is None:
        self.wrong['grids that did not end'] += 1
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    for _ in range(3):  # a training whose workers died three times is left until it is asked for again
      process = self.start(runs)
      process.communicate(timeout=LONGEST)
      if process.returncode == 0:
        return
    self.wrong['grids that did not end'] += 1

  def start(self, runs: Path) -> subprocess.Popen:
    return start(*self.words, '--runs', runs, **self.environment)

  def victims(self, ours: list[subprocess.Popen]) -> list[tuple[str, int]]:
    """What can be killed: each process that submits, and its worker."""
    found = []
    for process in ours:
      if process.poll() is None:
        found.append(('submitting processes', process.pid))
        with suppress(psutil.Error):
          children = psutil.Process(process.pid).children()
          found += [('workers', one.pid) for one in children if 'spawn_main' in ' '.join(one.cmdline())] * 2
    return found

  def compare(self, found: Path, whole: Path) -> None:
    """Counts what differs from a grid that nobody disturbed."""
    ours, theirs = records_of(found, self.wrong), records(whole / 'records')
    self.wrong['records that are lost'] += len(theirs.keys() - ours.keys())
    self.wrong['records that differ'] += sum(ours[name] != theirs[name] for name in ours.keys() & theirs)
    self.wrong['boards that differ'] += board_of(found) != board_of(whole)
    for claims in claims_of(found).values():
      self.claims += len(claims)
      ends = [claim['end'] for claim in claims]
      self.wrong['trainings that ended twice'] += ends.count('ended') > 1 or 'ended' in ends[:-1]
      self.wrong['trainings that did not end'] += 'ended' not in ends
      self.wrong['trainings with two at once'] += any(
        earlier['written'] > later['since'] + 1 for earlier, later in pairwise(claims)
      )


WRONG = (
  'records that are lost',
  'records that are torn',
  'records that differ',
  'trainings that ended twice',
  'trainings that did not end',
  'trainings with two at once',
  'boards that differ',
  'grids that did not end',
)


def records_of(folder: Path, wrong: Counter[str]) -> dict[str, dict]:
  """The records without the clock; a file that is no whole record is counted."""
  torn = 0
  for path in (folder / 'records').glob('*.json'):
    try:
      json.loads(path.read_text(encoding='utf-8'))
    except ValueError:
      torn += 1
  wrong['records that are torn'] += torn
  return {} if torn else records(folder / 'records')


def board_of(folder: Path) -> dict[str, bytes]:
  """The board's files, byte for byte."""
  place = folder / 'leaderboard'
  return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob('*') if path.is_file()}


def claims_of(folder: Path) -> dict[str, list[dict]]:
  """The claims of each training in order: how each ended, since when it was held, and when last written."""
  found: dict[str, list[tuple[int, dict]]] = {}
  for path in (folder / 'claims').iterdir():
    name, _, number = path.name.rpartition('.')
    if name and number.isdigit():
      tree = json.loads(path.read_text(encoding='utf-8'))
      since = datetime.fromisoformat(tree['owner']['since']).timestamp()
      claim = {'end': tree['end'], 'since': since, 'written': path.stat().st_mtime}
      found.setdefault(name, []).append((int(number), claim))
  return {name: [claim for _, claim in sorted(claims, key=lambda c: c[0])] for name, claims in found.items()}


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--kills', type=int, default=50)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--out', type=Path)
  words = parser.parse_args()
  with tempfile.TemporaryDirectory(prefix='faults-', ignore_cleanup_errors=True) as folder:
    found = {'seed': words.seed, **Faults(Path(folder), words.seed).run(words.kills)}
  text = json.dumps(found, indent=2) + '\n'
  print(text)
  if words.out:
    words.out.write_text(text, encoding='utf-8')
  sys.exit(any(found['wrong'].values()))


if __name__ == '__main__':
  main()
