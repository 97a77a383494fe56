"""Values of measures in a record, which may lack any of them or say a number that is not finite as a word."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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


def reader(rows: Sequence['Measure']) -> Reader:
  """What reads the numbers of many measures as `number_of` does, and opens each object of a record once."""
  objects: dict[tuple[str, ...], list[tuple[str, Measure]]] = {}
  for row in rows:
    objects.setdefault(row.path[:-1], []).append((row.path[-1], row))

  def read(record: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for path, inside in objects.items():
      tree = at(record, *path)
      for key, row in inside if isinstance(tree, Mapping) else ():
        value = tree.get(key)
        if type(value) is float and row.reduce is None and math.isfinite(value):  # nearly all
          found[row.name] = value
        elif value is not None and (number := _number(value, row)) is not None:
          found[row.name] = number
    return found

  return read


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
