"""A part of a grid by what its trials are, and the axes that an override may not flatten."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from ssl_bench.config import Config
from ssl_bench.settings.signature import BadSetting, short, split, suggest
from ssl_bench.settings.yaml import NAMED, Place, leaves, nest, overlay, parse_override
from ssl_bench.settings.yaml12 import write_yaml

SHOWN = 12  # values in a sentence
ABSENT = object()


class Trial(NamedTuple):
  """A cell of a grid, as the file writes it, and the config that it makes."""

  cell: Mapping[str, Any]
  config: Config


def check_overrides(cells: Sequence[Mapping[str, Any]], overrides: Iterable[str]) -> None:
  """Raises `BadSetting` for an override of what varies over a grid's cells: they would be other trials.

  A setting varies where two cells give it different values, or only one of them gives it one.
  """
  overrides = list(overrides)
  if not overrides:
    return
  told = [dict(leaves(overlay({}, cell.items()))) for cell in cells]
  places = {place: None for flat in told for place in flat}
  axes = {
    place: values for place in places if len(values := _distinct(f.get(place, ABSENT) for f in told)) > 1
  }
  for text in overrides:
    name, value = parse_override(text)
    for place in map(_reach, (place for place, _ in leaves(nest(name, value)))):
      for axis, values in axes.items():
        if axis[: len(place)] == place or place[: len(axis)] == axis:
          given = [v for v in values if v is not ABSENT]
          meant = next((v for v in given if _same(v, dict(leaves(nest(name, value))).get(axis))), given[0])
          raise BadSetting(
            f'{short(text)} would change {_dotted(axis)}, which varies over the trials of this grid '
            f'({_list(given, "and")}); choose trials by --select {_quoted(axis, meant)}, or edit the file.'
          )


def select(trials: Sequence[Trial], terms: Iterable[str]) -> list[Trial]:
  """The trials of which every term holds: `seed=0`, `method=fixmatch`, `labels=20|40`, several with commas.

  A term names a setting of a config, with dots, and a value or several; terms on one setting add up.  Raises
  `BadSetting` for an unknown name or value, and where no trial is left, with the values that there are.
  """
  return [trials[place] for place in _chosen([_View.of(trial) for trial in trials], terms)]


def chosen(trees: Sequence[Mapping[str, Any]], terms: Iterable[str]) -> list[int]:
  """The places of those configs, as records hold them, of which every term holds; as `select`."""
  return _chosen([_View({}, dict(leaves(tree))) for tree in trees], terms)


def _chosen(views: Sequence['_View'], terms: Iterable[str]) -> list[int]:
  """The places of the views of which every term holds."""
  wanted: dict[Place, list[Any]] = {}
  for term in (term.strip() for text in terms for term in split(text)):
    place, values = _read(term, views)
    wanted.setdefault(place, []).extend(values)
  places = [
    place
    for place, view in enumerate(views)
    if all(any(view.holds(place, value) for value in values) for place, values in wanted.items())
  ]
  if not places:
    there = '; '.join(f'{_dotted(place)} is {_list(_values(views, place))}' for place in wanted)
    raise BadSetting(f'--select: no trial is all of that at once; here {there}.')
  return places


class _View(NamedTuple):
  """What a trial is at each place: as its file writes it, and as its config says."""

  written: Mapping[Place, Any]
  full: Mapping[Place, Any]

  @classmethod
  def of(cls, trial: Trial) -> '_View':
    return cls(dict(leaves(overlay({}, trial.cell.items()))), dict(leaves(_plain(trial.config))))

  def holds(self, place: Place, value: Any) -> bool:
    return any(_same(told[place], value) for told in self if place in told)

  def at(self, place: Place) -> Any:
    return self.written.get(place, self.full.get(place, ABSENT))


def _read(term: str, views: Sequence[_View]) -> tuple[Place, list[Any]]:
  """The place that a term names, and the values that it allows there."""
  name, eq, text = term.partition('=')
  if not (eq and name.strip() and text.strip()):
    raise BadSetting(f'--select: {short(term)} is not of the form name=value, such as seed=0.')
  place: Place = tuple(part.strip() for part in name.split('.'))
  place = (*place, 'name') if place[-1] in NAMED else place
  known = {one: None for view in views for told in view for one in told}
  if place not in known:
    near = suggest(_dotted(place), map(_dotted, known))
    raise BadSetting(f'--select: no trial here has a setting {short(name.strip())}; {near}')
  parts = [text] if any(view.holds(place, parse_override(term)[1]) for view in views) else split(text, '|')
  values = [parse_override(f'{name}={part.strip()}')[1] for part in parts]
  for value in values:
    if not any(view.holds(place, value) for view in views):
      raise BadSetting(
        f'--select: {_dotted(place)} is {_list(_values(views, place))} here, never {short(value)}.'
      )
  return place, values


def _plain(value: Any) -> Any:
  """A config as nested dicts with every field in them, those that a record leaves out as well."""
  if isinstance(value, BaseModel):
    return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
  return list(value) if isinstance(value, tuple) else value


def _reach(place: Place) -> Place:
  """What an override at a place may change: another name starts its whole section anew."""
  return place[:-1] if place[-1] == 'name' and len(place) > 1 and place[-2] in NAMED else place


def _same(one: Any, other: Any) -> bool:
  """Whether two values are one: 1 and 1.0 are, 1 and true are not, spaces in a text do not count."""
  if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
    return len(one) == len(other) and all(map(_same, one, other))
  if isinstance(one, str) and isinstance(other, str):
    return ''.join(one.split()) == ''.join(other.split())
  return isinstance(one, bool) == isinstance(other, bool) and one == other


def _distinct(values: Iterable[Any]) -> list[Any]:
  found: list[Any] = []
  for value in values:
    if not any(_same(value, one) for one in found):
      found.append(value)
  return found


def _values(views: Iterable[_View], place: Place) -> list[Any]:
  return [value for value in _distinct(view.at(place) for view in views) if value is not ABSENT]


def _list(values: Sequence[Any], last: str = 'or') -> str:
  words = [_word(value) for value in values[:SHOWN]]
  if len(values) > SHOWN:
    return f'{", ".join(words)}, …'
  return f' {last} '.join([*([', '.join(words[:-1])] if words[1:] else []), words[-1]])


def _word(value: Any) -> str:
  plain = isinstance(value, str) and re.fullmatch(r'[\w.-]+', value)
  return value if plain else repr(value) if isinstance(value, str) else write_yaml(value)


def _dotted(place: Place) -> str:
  """`('method', 'name')` as a user writes it, method."""
  return '.'.join(_reach(place))


def _quoted(place: Place, value: Any) -> str:
  return f"'{_dotted(place)}={value if isinstance(value, str) else write_yaml(value)}'"
