"""Values of measures in a record, which may lack any of them or say a number that is not finite as a word."""

import math
from collections.abc import Mapping, Sequence
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
  value = at(record, *row.path)
  if row.reduce is None:
    return finite(value)
  listed = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
  found = [number for one in listed if (number := finite(one)) is not None]
  return row.reduce(found) if found else None


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
