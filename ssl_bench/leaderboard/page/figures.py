"""Figures by name that are no picture of rows: what they show is computed here and drawn by the page.

The page draws four kinds, each from plain numbers:

* `lines`: {x, y, lines: [{name, points: [[x, y], …], band: [[low, high], …]}]}, such as performance profiles;
* `intervals`: {x, rows: [{name, value, low, high}]}, such as interquartile means;
* `ranks`: {x, rows: [{name, value}], cliques: [[name, …], …]}, such as a critical-difference diagram;
* `table`: {heads, rows}.
"""

from typing import Any, Literal, NamedTuple

Kind = Literal['lines', 'intervals', 'ranks', 'table']


class Figure(NamedTuple):
  """A figure: `name` is its id in the page and the name of its file, `text` says how it is read."""

  name: str
  title: str
  text: str
  kind: Kind
  data: dict[str, Any]
