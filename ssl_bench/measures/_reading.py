"""Values of measures in a record, which may lack any of them or say a number that is not finite as a word."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
  from ssl_bench.measures import Measure


def at(record: Any, *path: str) -> Any:
  """What stands at `path`, or None."""
  value: Any = record
  for part in path:
    if type(value) is not dict and not isinstance(value, Mapping):  # a dict is told at once
      return None
    value = value.get(part)
  return value


def finite(value: Any) -> float | None:
  """A finite number as a float, and None for anything else."""
  if type(value) is float:  # as nearly all are
    return value if math.isfinite(value) else None
  if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
    return None
  return float(value)


def number_of(record: Mapping[str, Any], row: 'Measure') -> float | None:
  """The finite number of a measure in a record, or None."""
  return _number(at(record, *row.path), row)


def _number(value: Any, row: 'Measure') -> float | None:
  if row.reduce is None:
    return finite(value)
  listed = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
  found = [number for one in listed if (number := finite(one)) is not None]
  return row.reduce(found) if found else None


Reader = Callable[[Mapping[str, Any]], dict[str, float]]  # a record -> measure -> finite number


class _Place(NamedTuple):
  """A place in a record: the measures whose value stands there, and the places in its object."""

  rows: list['Measure']
  inside: dict[str, '_Place']


def reader(rows: Sequence['Measure']) -> Reader:
  """What reads the numbers of many measures as `number_of` does, and opens each object of a record once."""
  places: dict[str, _Place] = {}
  for row in rows:
    inside = places
    for name in row.path:
      place = inside.setdefault(name, _Place([], {}))
      inside = place.inside
    place.rows.append(row)

  def read(record: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    _read(record, places, found)
    return found

  return read


def _read(tree: Mapping[str, Any], places: Mapping[str, _Place], found: dict[str, float]) -> None:
  """Adds the numbers of the measures that stand in an object of a record."""
  for name, value in tree.items():
    if value is None or name not in places:
      continue
    rows, inside = places[name]
    for row in rows:
      number = finite(value) if row.reduce is None else _number(value, row)
      if number is not None:
        found[row.name] = number
    if inside and isinstance(value, Mapping):
      _read(value, inside, found)


def say(row: 'Measure', value: float) -> str:
  """A number of a measure as text, in its unit and with its decimals: `'93.25'` of 0.9325 where that is %."""
  scale = 100 if row.unit in ('%', 'points') else row.scale
  return f'{value * scale:,.{2 if row.digits < 0 else row.digits}f}'


def put(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
  """Sets what stands at `path`, and makes the objects on the way."""
  *folders, last = path
  for name in folders:
    tree = tree.setdefault(name, {})
  tree[last] = value
