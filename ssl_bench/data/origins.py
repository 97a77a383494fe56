"""Where the examples of an added set came from: a file beside its arrays, which no fingerprint covers.

`origins.json` has a text for each example of each part, such as `photos/cat/3.png`, `photos/3.png
(labels.csv, line 5)` or `row 3 of data.parquet`, with paths as the user wrote them.  Sets from before
have no such file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = 'origins.json'

Origins = Mapping[str, Sequence[str]]  # by part, in the order of its examples


def write_origins(folder: Path, origins: Origins) -> None:
  """Writes the file into the folder of a set's arrays."""
  tree = {part: [as_utf_8(text) for text in found] for part, found in origins.items()}
  (folder / FILE).write_text(json.dumps(tree, indent=0), encoding='utf-8')


def as_utf_8(text: str) -> str:
  """A text without the bytes of a file's name that are no UTF-8."""
  return text.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')


def read_origins(folder: Path, sizes: Mapping[str, int]) -> Origins | None:
  """What the file says; None where it is missing, cannot be read, or is not of parts of these sizes."""
  try:
    tree = json.loads((folder / FILE).read_bytes())
    good = all(len(tree[part]) == size for part, size in sizes.items())
  except (OSError, ValueError, RecursionError, KeyError, TypeError):
    return None
  return tree if good else None


def name_origins(found: dict[str, Any], origins: Origins) -> None:
  """Adds to findings (`checking.findings`) where each example that they name came from, as `from`.

  A pair has a list of two.  `inputs_from` has the same form as `inputs`, with texts in place of positions.
  """

  def text(place: Sequence) -> str:
    part, position = place
    return origins[part][position]

  for pair in (pair for kind in ('equal', 'twins') for pair in found.get(kind, ())):
    pair['from'] = [text(pair['a']), text(pair['b'])]
  for one in found.get('wrong_labels', {}).get('suspects', ()):
    one['from'] = text(one['at'])
  found['inputs_from'] = {
    part: {kind: [text((part, k)) for k in places] for kind, places in kinds.items()}
    for part, kinds in found['inputs'].items()
  }
