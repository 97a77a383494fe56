"""What a trial is: its settings, its data, the versions and the machine; and in what two trials differ."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ssl_bench.records.form import Tree
from ssl_bench.report.parts import Part, Section, Sentence, Table
from ssl_bench.report.trial import Trial

WHERE = ('grid', 'tier', 'time')


def settings_of(tree: Tree) -> dict[str, str]:
  """Every setting of the config by its path, such as `optimizer.lr`, with the policies as resolved."""
  return flat(tree['config']) | flat(tree['augment_resolved'], 'augment_resolved')


def surroundings_of(tree: Tree) -> dict[str, str]:
  """Data, versions, and where the trial ran."""
  parts = {name: tree[name] for name in ('split', 'versions', 'environment')}
  return flat(parts) | flat({name: tree[name] for name in WHERE if name in tree})


def flat(value: Any, path: str = '') -> dict[str, str]:
  """Leaves of a tree by their dotted path, as JSON, texts bare; an empty object is a leaf."""
  if isinstance(value, Mapping) and value:
    leaves: dict[str, str] = {}
    for name, inside in value.items():
      leaves |= flat(inside, f'{path}.{name}' if path else str(name))
    return leaves
  return {path: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}


def differences(trees: Sequence[Tree]) -> list[tuple[str, list[str]]]:
  """(path, value in each) of what differs in settings, data, versions or machine; '–' where it is absent."""
  found = [settings_of(tree) | surroundings_of(tree) for tree in trees]
  names = dict.fromkeys(name for one in found for name in one if not name.startswith('time.'))
  rows = [(name, [one.get(name, '–') for one in found]) for name in names]
  return [(name, values) for name, values in rows if len(set(values)) > 1]


def different_section(trials: Sequence[Trial]) -> Section:
  """In what two trials differ."""
  rows = [[name, *values] for name, values in differences([trial.tree for trial in trials])]
  same = Sentence('Settings, data, versions and machine are the same.')
  table = Table(
    'Settings that are not the same', ['setting', *(trial.letter for trial in trials)], rows, of_texts=True
  )
  return Section('differences', 'What differs', [table if rows else same])


def section(trials: Sequence[Trial]) -> Section:
  """All settings and surroundings."""
  heads = ['setting', *(trial.letter or 'value' for trial in trials)]
  parts: list[Part] = []
  for caption, of in (('Settings', settings_of), ('Data, versions, environment', surroundings_of)):
    found = [of(trial.tree) for trial in trials]
    names = sorted({name for one in found for name in one})
    rows = [[name, *(one.get(name, '–') for one in found)] for name in names]
    parts.append(Table(caption, heads, rows, of_texts=True))
  return Section('settings', 'Settings and environment', parts)
