"""The board's page as a test reads it: the data in its element, with the texts in place of their numbers."""

import json
import re
from typing import Any


def tree_of(html: str) -> dict[str, Any]:
  """The data of a page."""
  found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
  return json.loads(found[1])


def grids_of(html: str) -> dict[str, list[dict[str, str]]]:
  """The tables that came as cells, by their titles: a dictionary a row, of texts by the titles of columns."""
  tree = tree_of(html)
  words, found = tree['words'], {}
  grids = [grid for section in tree['sections'] for grid in (*section['tables'], *section['last'])]
  grids += [one['grid'] for one in tree['reproduced']] + ([tree['elsewhere']] if tree['elsewhere'] else [])
  for grid in grids:
    heads = [words[head[0]] for head in grid['heads']]
    rows = [[words[cell[0] if isinstance(cell, list) else cell] for cell in row] for row in grid['rows']]
    found.setdefault(words[grid['title']], []).extend(dict(zip(heads, row)) for row in rows)
  return found
