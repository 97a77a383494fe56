"""Names of a sweep's runs: the settings that vary, as short text."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ssl_bench.settings.yaml import flatten

Tree = Mapping[str, Any]

SEEDS = ('fold', 'split_seed', 'seed')  # they repeat a trial
MANNER = ('protocol', 'checkpoint', 'log_every', 'plugins')  # they change nothing that comes out
MARK = 8  # characters of a digest that stand for what was cut off


def varied(configs: Iterable[Tree]) -> dict[str, set[str]]:
  """Method -> dotted names of the settings in which its configs differ, seeds and folds left out.

  In a section with a name, such as `net`, another setting varies only if it does so under one name.
  """
  trials = [(config['method']['name'], settings(config)) for config in configs]
  values: dict[tuple[str, str, str | None], set[str | None]] = {}
  for name in {name for _, flat in trials for name in flat}:
    section = f'{name.rpartition(".")[0]}.name'
    for method, flat in trials:
      kind = None if name == section else flat.get(section)
      values.setdefault((method, name, kind), set()).add(flat.get(name))
  varying: dict[str, set[str]] = {method: set() for method, _ in trials}
  for (method, name, _), taken in values.items():
    varying[method] |= {name} if len(taken) > 1 else set()
  return varying


def varied_in(folder: Path, configs: Iterable[Tree]) -> dict[str, set[str]]:
  """Method -> the settings that a run folder varies: as its manifests say, else as `varied` finds of configs.

  While a sweep runs its records differ in less than it varies, and a later sweep beside it varies more.
  """
  paths = list((folder / 'manifests').glob('*.jsonl'))
  names: dict[str, set[str]] = {}
  for path in paths:
    with suppress(OSError, ValueError, KeyError), open(path, encoding='utf-8') as file:
      for method, found in json.loads(file.readline())['names'].items():
        names.setdefault(method, set()).update(found)
  return names if paths else varied(configs)


def variant(config: Tree, names: Mapping[str, Collection[str]]) -> dict[str, str]:
  """A config's values of the settings that vary: {'method.threshold': '0.9', 'optimizer.lr': '0.1'}."""
  varying = names.get(config['method']['name'], ())
  return {name: value for name, value in settings(config).items() if name in varying}


def settings(config: Tree) -> dict[str, str]:
  """Settings as text, by dotted name; of a teacher only what differs from its student."""
  tree = {k: v for k, v in config.items() if k not in SEEDS + MANNER}
  part: Any = tree
  while part.get('teacher'):
    teacher = {k: v for k, v in part['teacher'].items() if k not in MANNER and v != config.get(k)}
    part['teacher'] = teacher
    part = teacher
  return flatten(tree)


def fit(text: str, limit: int) -> str:
  """`text` in `limit` characters; a longer text ends in a digest of the whole text."""
  if len(text) <= limit:
    return text
  return f'{text[: limit - MARK - 1]}~{hashlib.sha256(text.encode()).hexdigest()[:MARK]}'
