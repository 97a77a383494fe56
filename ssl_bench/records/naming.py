"""What a sweep varies, told in few words: how its runs are called and grouped."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Record = Mapping[str, Any]

SEEDS = ('fold', 'split_seed', 'seed')  # they repeat a trial
MANNER = ('protocol', 'checkpoint', 'log_every')  # they change nothing that comes out
MARK = 8  # characters of a digest that stand for what was cut off


def varied(records: Iterable[Record]) -> dict[str, set[str]]:
  """Method -> dotted names of the settings in which its records differ, seeds and folds left out."""
  found: dict[str, list[dict[str, str]]] = {}
  for record in records:
    found.setdefault(record['config']['method']['name'], []).append(settings(record['config']))
  return {
    method: {name for one in trials for name in one if len({other.get(name) for other in trials}) > 1}
    for method, trials in found.items()
  }


def variant(record: Record, names: Mapping[str, set[str]]) -> dict[str, str]:
  """{'method.threshold': '0.9', 'optimizer.lr': '0.1'}: a record's own settings among those that vary."""
  method = record['config']['method']['name']
  return {k: v for k, v in settings(record['config']).items() if k in names.get(method, ())}


def settings(config: Mapping[str, Any]) -> dict[str, str]:
  """Settings as text, by dotted name; of a teacher only what differs from its student."""
  own = {k: v for k, v in config.items() if k not in SEEDS + MANNER}
  part: Any = own
  while part.get('teacher'):
    teacher = {k: v for k, v in part['teacher'].items() if k not in MANNER and v != config.get(k)}
    part['teacher'] = teacher
    part = teacher
  return dict(_flat(own, ''))


def _flat(tree: Any, prefix: str) -> Iterator[tuple[str, str]]:
  if isinstance(tree, Mapping) and tree:
    for name in sorted(tree):
      yield from _flat(tree[name], f'{prefix}.{name}'.strip('.'))
  else:
    yield prefix, tree if isinstance(tree, str) else json.dumps(tree, sort_keys=True)


def fit(text: str, limit: int) -> str:
  """`text` in `limit` characters; what is cut off is told apart by a digest of all of it."""
  if len(text) <= limit:
    return text
  return f'{text[: limit - MARK - 1]}~{hashlib.sha256(text.encode()).hexdigest()[:MARK]}'
