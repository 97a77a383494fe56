"""A fuzz of what users write: overrides, config files, grids, records, command lines, changed at random.

    python tests/fuzz.py --seed 0 --cases 10000

Every case must end in a result or in one sentence: no traceback, no abort, no endless run.  What is refused
writes nothing; what is accepted is recorded as it is used.  `test_fuzz.py` runs a short one.  A case is a
function of the seed, its kind and its number, which a failure names: `--kind record --only 17` runs it again.
"""

import argparse
import contextlib
import copy
import io
import json
import math
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml
from support.cli import ROOT, write_configs

SECONDS = 60  # after which a case counts as endless
SHARES = {'override': 0.348, 'config': 0.15, 'grid': 0.1, 'record': 0.2, 'words': 0.2, 'trial': 0.002}

SAID = yaml.safe_load(Path(__file__).with_suffix('.yaml').read_text(encoding='utf-8'))
NUMBERS, WORDS, NAMES, COMMANDS, OPTIONS, FILES = (
  SAID[kind].splitlines() for kind in ('numbers', 'words', 'names', 'commands', 'options', 'files')
)
NUMBERS += ['9' * 4400]
WORDS += ['', ' ', 'a' * 5000, '[' * 3000, '{a: ' * 500, '"' * 99]
NAMES += ['', 'x' * 300]


class Wrong(AssertionError):
  """What a case should not have done."""


def value(rng: random.Random) -> str:
  """A value as a user might write it."""
  text = rng.choice(NUMBERS if rng.random() < 0.5 else WORDS)
  if rng.random() < 0.1:
    at = rng.randrange(len(text) + 1)
    text = text[:at] + rng.choice('0.-e_:,[]{}()|#"\'\t\n\x00é') + text[at:]
  return text


def override(rng: random.Random) -> str:
  return f'{rng.choice(NAMES)}{rng.choice(["=", "=", "=", "=", "=", "", "= ", "=="])}{value(rng)}'


def plain_number(text: str) -> float | int | None:
  """A finite number of YAML 1.2's core schema, read by Python; None for other text."""
  text = text.strip()
  if re.fullmatch(r'[-+]?[0-9]{1,100}', text):
    return int(text)
  if re.fullmatch(r'[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?', text):
    return float(text) if math.isfinite(float(text)) else None
  return None


@contextlib.contextmanager
def in_time() -> Iterator[None]:
  """Raises where a case does not end."""

  def stop(number: int, frame: Any) -> None:
    raise Wrong(f'no end after {SECONDS} s')

  old = signal.signal(signal.SIGALRM, stop)
  signal.alarm(SECONDS)
  try:
    yield
  finally:
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


def listing(folder: Path) -> list[tuple[str, int]]:
  """What lies under a folder, and when it was changed."""
  return sorted((str(p.relative_to(folder)), p.stat().st_mtime_ns) for p in folder.rglob('*'))


def one_sentence(text: str, where: str) -> None:
  if 'Traceback' in text or not text.strip() or len(text) > 2000 or '\n' in text.strip():
    raise Wrong(f'{where[:300]} is not one sentence: {text[:500]!r}')


# One kind of case each: (rng, folder) -> how it ended.


def try_override(rng: random.Random, folder: Path) -> str:
  name = rng.choice(['fixmatch', 'simclr', 'supervised'])
  return try_config(
    folder / 'configs' / f'{name}.yaml', [override(rng) for _ in range(rng.choice([1, 1, 2, 3]))]
  )


def try_file(rng: random.Random, folder: Path) -> str:
  """A config file whose lines were changed, doubled, or cut."""
  path = folder / 'configs' / 'changed.yaml'
  text = (folder / 'configs' / '_protocol.yaml').read_text(encoding='utf-8') + 'method: {name: supervised}\n'
  path.write_bytes(changed(rng, text))
  return try_config(path, [])


def changed(rng: random.Random, text: str) -> bytes:
  """A text with lines that are doubled, cut, or have other values."""
  lines = text.splitlines()
  for _ in range(rng.choice([1, 1, 2, 4])):
    at, how = rng.randrange(len(lines)), rng.random()
    name = lines[at].partition(':')[0]
    if how < 0.5:
      lines[at] = f'{name}: {value(rng)}'
    elif how < 0.7:
      lines.insert(at, lines[at] if rng.random() < 0.5 else f'{rng.choice(NAMES)}: {value(rng)}')
    elif how < 0.85:
      lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    else:
      lines[at] = rng.choice(['\t', '---', '...', '%YAML 1.1', '&a', '- x', '? y', '#']) + lines[at]
  data = '\n'.join(lines).encode('utf-8', 'surrogatepass')
  if rng.random() < 0.05:
    at = rng.randrange(len(data))
    data = data[:at] + bytes([rng.randrange(256)]) + data[at:]
  return data


def try_config(path: Path, overrides: list[str]) -> str:
  """Loads and checks a config; what is accepted must be recorded as it was written and is used."""
  from ssl_bench import config as configs
  from ssl_bench import data
  from ssl_bench.planning import make_plan
  from ssl_bench.planning.numbers import numbers_of
  from ssl_bench.settings.signature import BadSetting

  try:
    config = configs.load(path, overrides, need_data=True)
  except BadSetting as error:
    one_sentence(str(error), 'a refusal')
    return 'refused'
  tree = configs.to_dict(config)
  text = json.dumps(tree, allow_nan=False)
  again = configs.validate(json.loads(text))
  if configs.to_dict(again) != tree or configs.digest(configs.outcome(again)) != configs.digest(
    configs.outcome(config)
  ):
    raise Wrong('a config that is read back is another')
  last = {name.strip(): written for name, eq, written in (text.partition('=') for text in overrides)}
  for name, written in last.items() if len(last) == 1 else ():
    number, found = plain_number(written), tree
    for part in name.split('.'):
      found = found.get(part) if isinstance(found, dict) else None
    is_number = isinstance(found, (int, float)) and not isinstance(found, bool)
    if is_number and number is not None and float(found) != float(number):
      raise Wrong(f'{name}={written!r} is recorded as {found!r}')
    if is_number and number is None and not written.strip().startswith(('0o', '0x')):
      raise Wrong(f'{name}={written!r} is no number and is recorded as {found!r}')
  if config.dataset not in ('digits',) and not config.dataset.startswith('fake'):
    return 'accepted'
  try:
    dataset = data.load(config.dataset)
    make_plan(config, dataset)
  except BadSetting as error:
    one_sentence(str(error), 'a refusal')
    return 'refused by the data'
  numbers = numbers_of(config, 20)
  for name, used in numbers['method'].items():
    if not np.isfinite(used) or used != np.float32(tree['method'][name]):
      raise Wrong(f'method.{name} is recorded as {tree["method"][name]!r} and used as {used!r}')
  rate = numbers['optimizer']['groups']['']['lr']
  if rate != np.float32(tree['optimizer']['lr']) or (rate == 0) != (tree['optimizer']['lr'] == 0):
    raise Wrong(f'a rate of {tree["optimizer"]["lr"]!r} is used as {rate!r}')
  return 'accepted'


def try_trial(rng: random.Random, folder: Path) -> str:
  """A trial of a few steps with settings that were accepted: its record is sound, and says them."""
  from ssl_bench import config as configs
  from ssl_bench import methods
  from ssl_bench.records.record import gather
  from ssl_bench.settings.signature import BadSetting
  from ssl_bench.trial.command import run_single

  path = folder / 'configs' / 'supervised.yaml'
  for _ in range(100):
    words = [f'method={rng.choice(methods.names())}', *(override(rng) for _ in range(rng.choice([1, 2])))]
    with contextlib.suppress(BadSetting):
      config = configs.load(path, [*words, 'steps=3', 'dataset=fake'])
      break
  else:
    return 'nothing was accepted'
  with tempfile.TemporaryDirectory() as runs, contextlib.redirect_stdout(io.StringIO()):
    try:
      code = run_single(config, Path(runs), [])
    except BadSetting as error:
      one_sentence(str(error), 'a refusal')
      return 'refused by the data'
    found = gather([Path(runs) / 'records'])
  if code not in (0, 1) or found.bad or len(found.records) != 1:
    raise Wrong(f'{words}: exit code {code}, {len(found.records)} records, {found.bad}')
  if found.records[0]['config'] != configs.to_dict(config):
    raise Wrong(f'{words}: the record has another config')
  return found.records[0]['status']


def try_grid(rng: random.Random, folder: Path) -> str:
  """A grid file whose lines were changed, with overrides and selections."""
  from ssl_bench import config as configs
  from ssl_bench.grid.expand import expand
  from ssl_bench.settings.signature import BadSetting

  text = 'name: small\nbase: configs\nset: {steps: 12}\nblocks:\n' + rng.choice(
    [
      '  - method: [supervised, fixmatch]\n    split_seed, seed: [[0, 0], [1, 1]]\n',
      '  - method: fixmatch\n    method.threshold: [0.5, 0.9]\n  - {method: supervised, labels: [20, 40]}\n',
    ]
  )
  path = folder / 'changed_grid.yaml'
  path.write_bytes(changed(rng, text) if rng.random() < 0.8 else text.encode())
  overrides = [override(rng) for _ in range(rng.choice([0, 0, 1, 2]))]
  select = [override(rng) for _ in range(rng.choice([0, 0, 0, 1]))]
  try:
    grid = expand(path, overrides, select=select)
  except BadSetting as error:
    one_sentence(str(error), 'a refusal')
    return 'refused'
  trees = [json.dumps(configs.to_dict(config), allow_nan=False) for config in grid.configs]
  if not trees or len(set(trees)) != len(trees):
    raise Wrong(f'{len(trees)} trials, {len(set(trees))} different ones')
  return 'accepted'


VALUES = [
  *(1e308, -1e308, -1, 0, 1, 2.0, 0.5, 10**30, True, None, [1], [], {}, {'a': 1}, [[1]], float('nan')),
  *(float('inf'), '', 'x', 'é' * 400, '<script>alert(1)</script>', '`|`', '2026-13-45', '0' * 16),
  *('done', 'paper', 'smoke'),
]


def places(tree: Any, path: tuple = ()) -> Iterator[tuple]:
  """Every place in a tree of dicts and lists."""
  inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
  for key, part in inside:
    yield (*path, key)
    yield from places(part, (*path, key))


def try_record(rng: random.Random, folder: Path) -> str:
  """A board of a good record and of one that was changed: it is built, and shows nothing impossible."""
  from ssl_bench.leaderboard.build import publish
  from ssl_bench.records.curves import path_of
  from ssl_bench.records.record import gather
  from ssl_bench.records.submit import submit
  from ssl_bench.settings.signature import BadSetting

  good, *others = sorted((folder / 'good').glob('*.json'))
  source = rng.choice(others)
  tree = json.loads(source.read_text(encoding='utf-8'))
  for _ in range(rng.choice([1, 1, 1, 2, 3])):
    *inside, last = rng.choice(list(places(tree)))
    at = tree
    for key in inside:
      at = at[key]
    how = rng.random()
    if how < 0.7:
      at[last] = copy.deepcopy(rng.choice(VALUES))
    elif how < 0.9:
      del at[last]
    elif isinstance(at, dict):
      at[rng.choice(['x', 'accuracy', '<b>', 'step'])] = copy.deepcopy(rng.choice(VALUES))
  text = json.dumps(tree)
  if rng.random() < 0.1:
    text = text[: rng.randrange(len(text))]
  place = folder / 'records'
  shutil.rmtree(place, ignore_errors=True)
  place.mkdir()
  shutil.copy(good, place / good.name)
  (place / 'changed.json').write_text(text, encoding='utf-8')
  if path_of(source).is_file():
    shutil.copy(path_of(source), path_of(place / 'changed.json'))
  found, bad = gather([place]), []
  publish([place], folder / 'board', report=bad.append)
  if bad != found.bad:
    raise Wrong('the board does not tell all that was left out')
  for sentence in found.bad:
    one_sentence(sentence, 'a complaint')
    if 'changed.json' not in sentence:
      raise Wrong(f'a complaint does not name the file: {sentence}')
  page = (folder / 'board' / 'README.md').read_text(encoding='utf-8')
  whole = page + (folder / 'board' / 'index.html').read_text(encoding='utf-8')
  if '<script>alert' in whole or '\nnan' in page or '| nan' in page:
    raise Wrong('the board shows what it should not')
  if json.loads(good.read_text(encoding='utf-8'))['id'] not in whole:
    raise Wrong('the good record is not on the board')
  given = folder / 'given'
  shutil.rmtree(given, ignore_errors=True)
  try:
    submit(place / 'changed.json', given)
  except BadSetting as error:
    one_sentence(str(error), 'a refusal')
    if given.exists():
      raise Wrong('a refused record was copied') from None
    return 'refused'
  if found.bad:
    raise Wrong(f'submit took what the board does not: {found.bad[0]}')
  return 'accepted'


def try_words(rng: random.Random, folder: Path) -> str:
  """A command line; what would train returns at once."""
  from ssl_bench import cli

  words = rng.choice(COMMANDS).split()
  for _ in range(rng.choice([0, 1, 2, 3, 4])):
    pick = rng.random()
    words.append(
      rng.choice(FILES)
      if pick < 0.4
      else override(rng)
      if pick < 0.7
      else rng.choice(OPTIONS)
      if pick < 0.85
      else value(rng)
    )
  words = [word.replace('\x00', '') for word in words]  # no argument of a process can hold it
  out, errors, before = io.StringIO(), io.StringIO(), listing(folder)
  quiet = mock.patch.multiple
  with (
    mock.patch.object(sys, 'argv', ['ssl-bench', *words]),
    quiet('ssl_bench.trial.command', run_single=lambda *_, **__: 0),
    quiet('ssl_bench.grid.command', run_whole=lambda *_, **__: 0),
    quiet('ssl_bench.speed.measure', measure=lambda *_: None, show=lambda _: None),
    contextlib.redirect_stdout(out),
    contextlib.redirect_stderr(errors),
  ):
    try:
      cli.main()
      code: Any = 0
    except SystemExit as end:
      code = end.code or 0
  if code not in (0, 1, 2) or 'Traceback' in errors.getvalue():
    raise Wrong(f'{words}: exit code {code}, {errors.getvalue()[:500]}')
  if code == 2:
    one_sentence(errors.getvalue(), f'what {words} says')
    if listing(folder) != before:
      raise Wrong(f'{words} was refused and wrote something')
    return 'refused'
  return 'accepted'


KINDS: dict[str, Callable[[random.Random, Path], str]] = {
  'override': try_override,
  'config': try_file,
  'grid': try_grid,
  'record': try_record,
  'words': try_words,
  'trial': try_trial,
}


def prepare(folder: Path) -> None:
  """Config files, a grid, and some records of the leaderboard."""
  write_configs(folder / 'configs')
  (folder / 'small.yaml').write_text(
    'base: configs\nblocks: [{method: [supervised, simclr], labels: [20, 40]}]\n'
  )
  (folder / 'good').mkdir()
  records = sorted((ROOT / 'leaderboard' / 'records').rglob('*.json'))
  for path in records[:: len(records) // 24]:
    for file in path.parent.glob(f'{path.stem}.*'):  # the record and its curves
      shutil.copy(file, folder / 'good' / file.name)


def run(seed: int, cases: int, kinds: tuple[str, ...] = tuple(KINDS), only: int | None = None) -> Counter:
  """Runs the cases; raises `Wrong`, with all that went wrong, at the end."""
  ends: Counter = Counter()
  wrong: list[str] = []
  with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
    folder = Path(name)
    prepare(folder)
    with mock.patch.dict(os.environ, {'SSL_BENCH_DATA': str(folder / 'data')}):
      for kind in kinds:
        count = max(1, round(cases * SHARES[kind] / sum(SHARES[k] for k in kinds)))
        for number in range(count) if only is None else [only]:
          try:
            with in_time():
              ends[kind, KINDS[kind](random.Random(f'{seed}/{kind}/{number}'), folder)] += 1
          except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
              raise
            wrong.append(f'--seed {seed} --kind {kind} --only {number}: {traceback.format_exc(limit=-4)}')
          if sys.stderr.isatty() and number % 50 == 0:
            print(f'\r{kind} {number}/{count}, {len(wrong)} wrong ', end='', file=sys.stderr)
  if wrong:
    raise Wrong(f'{len(wrong)} cases went wrong:\n\n' + '\n'.join(wrong[:20]))
  return ends


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--cases', type=int, default=10_000)
  parser.add_argument('--kind', choices=list(KINDS))
  parser.add_argument('--only', type=int)
  asked = parser.parse_args()
  started = time.monotonic()
  ends = run(asked.seed, asked.cases, (asked.kind,) if asked.kind else tuple(KINDS), asked.only)
  for (kind, end), count in sorted(ends.items()):
    print(f'{kind:>10} {end:<20} {count:>6}')
  print(f'{sum(ends.values()):,} cases in {time.monotonic() - started:.0f} s, none went wrong.')


if __name__ == '__main__':
  main()
