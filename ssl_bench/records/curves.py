"""The curves of a record, its measures by training step: a gzip-compressed JSON file beside the record.

`<id>.curves.json.gz` holds {"curve": [...], "evaluations": [...]}, each a list of rows such as
{"step": 100, "loss": 0.7}.  The record holds the SHA-256 of the uncompressed text, so that a record and the
curves of another run cannot pass for one trial.  To read a file without this package::

  json.load(gzip.open('leaderboard/records/digits/fixmatch/….curves.json.gz'))['curve']
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ssl_bench.records.checks import sentence
from ssl_bench.records.disk import LARGEST_FILE, read_limited, write_whole
from ssl_bench.records.form import Evaluations, Rows, Tree
from ssl_bench.records.strict_json import loads, printable
from ssl_bench.settings.signature import BadSetting

NAMES = ('curve', 'evaluations')
SUFFIX = '.curves.json.gz'
CHUNK = 2**20  # bytes of text that are unpacked at once


class Curves(BaseModel):
  """The losses of the training log, and the evaluations on held-out images; one row a step."""

  model_config = ConfigDict(extra='forbid', strict=True, frozen=True)

  curve: Rows
  evaluations: Evaluations


def path_of(record: Path) -> Path:
  """`<id>.json` -> `<id>.curves.json.gz`, in the same folder."""
  return record.with_name(record.stem + SUFFIX)


def digest_of(curves: Mapping[str, Any]) -> str | None:
  """The SHA-256 by which a record names its curves; None where they have no rows."""
  return hashlib.sha256(_text(curves)).hexdigest() if any(curves.values()) else None


def write(curves: Mapping[str, Any], path: Path) -> str | None:
  """Writes curves whole or not at all, equal bytes for equal curves, and returns their digest.

  Curves without rows have no file.
  """
  digest = digest_of(curves)
  if digest:
    packed = BytesIO()
    with gzip.GzipFile(filename='', mode='wb', compresslevel=9, fileobj=packed, mtime=0) as file:
      file.write(_text(curves))
    write_whole(path, packed.getvalue())
  return digest


def read(path: Path, record: Mapping[str, Any]) -> Tree:
  """The curves of `record`, which was read from the file `path`.

  Raises `BadSetting`, with the name of the curves' file, where they are missing, broken or of another run.
  """
  digest, place = record['curves'], path_of(path)
  if digest is None:
    return {name: [] for name in NAMES}
  shown, owner = printable(str(place)), printable(path.name)
  if not place.exists():
    raise BadSetting(f'{shown} is missing; it holds the curves of {owner}, so copy both files.')
  try:
    text = _unpacked(place)
    if hashlib.sha256(text).hexdigest() != digest:
      raise ValueError(f'{owner} names curves with another SHA-256, so copy both files anew')
    tree = loads(text.decode())
    check(tree, record)
  except ValueError as error:
    why = str(error).rstrip('.')
    raise BadSetting(printable(f'{shown} does not hold the curves of {owner}: {why}.')) from None
  return tree


def check(tree: Any, record: Mapping[str, Any]) -> None:
  """Raises `BadSetting` unless `tree` has the form of curves and no step after the record's last."""
  try:
    rows = Curves.model_validate(tree)
  except ValidationError as error:
    raise BadSetting(f'{sentence(error.errors(include_url=False)[0])}.') from None
  steps = record['config']['steps']
  for row in (*rows.curve, *rows.evaluations):
    if row['step'] > steps:
      raise BadSetting(f'step {row["step"]} of its curve comes after its last, {steps}.')


def _text(curves: Mapping[str, Any]) -> bytes:
  return json.dumps(curves, sort_keys=True, separators=(',', ':'), allow_nan=False).encode()


def _unpacked(path: Path) -> bytes:
  packed = gzip.GzipFile(fileobj=BytesIO(read_limited(path)))
  text = b''
  try:
    while part := packed.read(CHUNK):
      text += part
      if len(text) > LARGEST_FILE:
        raise ValueError(f'it unpacks to more than {LARGEST_FILE // 2**20} MiB')
  except (OSError, EOFError, zlib.error):
    raise ValueError('it is no whole gzip file') from None
  return text
