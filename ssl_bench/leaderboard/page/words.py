"""Compact, safe JSON for a page: texts that repeat are written once, numbers as whole ones."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ssl_bench.records.strict_json import printable

_UNSAFE = re.compile('[<>&\u2028\u2029]')


class Words:
  """Texts by their number, in the order in which they came; control characters are left out."""

  def __init__(self) -> None:
    self._places: dict[str, int] = {}
    self._asked: dict[str, int] = {}  # by the text as it was given

  def of(self, text: str) -> int:
    """The number of a text."""
    if text not in self._asked:
      self._asked[text] = self._places.setdefault(printable(text), len(self._places))
    return self._asked[text]

  def each(self, texts: Iterable[str]) -> list[int]:
    """The numbers of some texts."""
    return [self.of(text) for text in texts]

  @property
  def texts(self) -> list[str]:
    """All texts, each at its number."""
    return list(self._places)


def whole(value: float | None, digits: int) -> int | None:
  """A number times 10 ** digits, as a whole one; None stays None."""
  return None if value is None else round(value * 10**digits)


def thinned(rows: Sequence[Any], most: int) -> list[Any]:
  """At most `most` of some rows, evenly spaced, the first and the last among them."""
  if len(rows) <= most:
    return list(rows)
  return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def script_json(tree: Any) -> str:
  """JSON that may stand in a script element: no character of it can end the element or begin markup."""
  text = json.dumps(tree, ensure_ascii=False, separators=(',', ':'), allow_nan=False)
  return _UNSAFE.sub(lambda found: f'\\u{ord(found[0]):04x}', text)
