"""What a sweep varies, told in few words: how its runs are called and grouped."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from ssl_bench.settings.yaml import flatten

Tree = Mapping[str, Any]

SEEDS = ('fold', 'split_seed', 'seed')  # they repeat a trial
MANNER = ('protocol', 'checkpoint', 'log_every', 'plugins')  # they change nothing that comes out
MARK = 8  # characters of a digest that stand for what was cut off


def varied(configs: Iterable[Tree]) -> dict[str, set[str]]:
  """Method -> dotted names of the settings in which its configs differ, seeds and folds left out.

  Where a section has a name, as `net` has, its other settings differ only if they do for one name.
  """
  trials = [(config['method']['name'], settings(config)) for config in configs]
  seen: dict[tuple[str, str, str | None], set[str | None]] = {}
  for name in {name for _, own in trials for name in own}:
    section = f'{name.rpartition(".")[0]}.name'
    for method, own in trials:
      kind = None if name == section else own.get(section)
      seen.setdefault((method, name, kind), set()).add(own.get(name))
  found: dict[str, set[str]] = {method: set() for method, _ in trials}
  for (method, name, _), values in seen.items():
    found[method] |= {name} if len(values) > 1 else set()
  return found


def variant(config: Tree, names: Mapping[str, set[str]]) -> dict[str, str]:
  """{'method.threshold': '0.9', 'optimizer.lr': '0.1'}: a config's own settings among those that vary."""
  own = names.get(config['method']['name'], ())
  return {name: value for name, value in settings(config).items() if name in own}


def settings(config: Tree) -> dict[str, str]:
  """Settings as text, by dotted name; of a teacher only what differs from its student."""
  own = {k: v for k, v in config.items() if k not in SEEDS + MANNER}
  part: Any = own
  while part.get('teacher'):
    teacher = {k: v for k, v in part['teacher'].items() if k not in MANNER and v != config.get(k)}
    part['teacher'] = teacher
    part = teacher
  return flatten(own)


def fit(text: str, limit: int) -> str:
  """`text` in `limit` characters; what is cut off is told apart by a digest of all of it."""
  if len(text) <= limit:
    return text
  return f'{text[: limit - MARK - 1]}~{hashlib.sha256(text.encode()).hexdigest()[:MARK]}'
