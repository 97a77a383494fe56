"""The record of a trial: its identity, and how it is written, read and checked."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from ssl_bench import data
from ssl_bench.config import Config, validate
from ssl_bench.records import curves
from ssl_bench.records.checks import check_agreement, sentence
from ssl_bench.records.disk import read_limited, write_whole
from ssl_bench.records.form import Record, Tree
from ssl_bench.records.strict_json import check_finite, loads, printable, words_for_nonfinite
from ssl_bench.settings.signature import BadSetting
from ssl_bench.settings.yaml import overlay, parse_override

SCHEMA = 2  # 1 held the curves as well; such files are read, and none is written
ENDS = ('done', 'failed', 'diverged')  # how a trial ends
TUNING = range(100, 200)  # split seeds by which settings are chosen, so no board shows them
MEASURED = ('metrics', 'cost')  # what came out of a trial


def write(record: Mapping[str, Any], folder: Path) -> Path:
  """Writes a record with its curves: `<id>.curves.json.gz`, then `<id>.json`, each whole or not at all.

  Returns the record's path after both are on disk, so a record never lacks its curves.

  What came out of a trial and is not finite, such as the loss of a diverged one, is written as the word
  `NaN`, `Infinity` or `-Infinity`.  Raises `BadSetting` where anything else is not finite, since that would
  answer for another trial.
  """
  rows = words_for_nonfinite({name: record[name] for name in curves.NAMES})
  rest = {k: v for k, v in record.items() if k not in curves.NAMES}
  tree = {k: words_for_nonfinite(v) if k in MEASURED else check_finite(v, k) for k, v in rest.items()}
  path = folder / f'{record["id"]}.json'
  tree |= {'schema': SCHEMA, 'curves': curves.write(rows, curves.path_of(path))}
  write_whole(path, json.dumps(tree, indent=1, sort_keys=True, allow_nan=False) + '\n')
  return path


def read(path: Path) -> Tree:
  """One record without its curves, of which it holds the SHA-256 (`curves`, None where there are none).

  Raises `BadSetting`, with the file's name, where it is not a record or contradicts itself.
  """
  return _read(path)[0]


class Glance(NamedTuple):
  """What a grid asks of a record."""

  status: str
  error: str | None
  finished: str  # when it was written
  code: str | None  # the digest of its code, where it was noted


def glance(path: Path) -> Glance:
  """What a record says first.  The rest is not checked, which takes thirty times as long; `read` does that.

  Raises `BadSetting` for a file that is no record.
  """
  try:
    tree = json.loads(read_limited(path))
    if tree['id'] == path.stem and tree['status'] in ENDS:
      return _glance(tree)
  except (ValueError, KeyError, TypeError, AttributeError):
    pass
  return _glance(read(path))


def _glance(tree: Mapping[str, Any]) -> Glance:
  return Glance(tree['status'], tree['error'], tree['time']['finished'], tree['versions'].get('code'))


def config_of(path: Path, overrides: Iterable[str] = ()) -> Config:
  """The config of the record in a file, under `key=value` overrides; raises `BadSetting` as `read` does."""
  tree = overlay(read(path)['config'], map(parse_override, overrides))
  data.check_here(tree['dataset'])
  return validate(tree)


def read_curves(path: Path) -> Tree:
  """The `curve` and the `evaluations` of the record in a file: lists of rows, each {step, name: number, …}.

  Raises `BadSetting`, with the file's name, where the record or the file of its curves is not sound.
  """
  tree, inside = _read(path)
  return curves.read(path, tree) if inside is None else inside


def read_with_curves(path: Path) -> Tree:
  """One record with its `curve` and `evaluations`, as `write` takes it; raises as `read_curves` does."""
  tree, inside = _read(path)
  rows = curves.read(path, tree) if inside is None else inside
  return {k: v for k, v in tree.items() if k != 'curves'} | rows


def _read(path: Path) -> tuple[Tree, Tree | None]:
  """The record in a file, in today's schema; and its curves, where the file is of schema 1, else None."""
  shown = printable(str(path))
  try:
    tree = loads(read_limited(path).decode())
  except ValueError as error:
    raise BadSetting(printable(f'{shown} is not a readable record: {str(error).rstrip(".")}.')) from None
  try:
    tree, inside = _of_today(tree)
    form = Record.model_validate(tree)
    check_agreement(tree, form)
    if inside is not None:
      curves.check(inside, tree)
      tree['curves'] = curves.digest_of(inside)
  except ValidationError as error:
    said = sentence(error.errors(include_url=False)[0])
    raise BadSetting(printable(f'{shown} is not a record of schema {SCHEMA}: {said}.')) from None
  except BadSetting as error:
    raise BadSetting(printable(f'{shown} is not a sound record: {error}')) from None
  return tree, inside


def _of_today(tree: Any) -> tuple[Any, Tree | None]:
  """Changes the content of a file from schema 1 to today's; returns it and the curves that were in it."""
  if not isinstance(tree, dict) or type(tree.get('schema')) is not int or tree['schema'] != 1:
    return tree, None
  if 'curves' in tree:
    raise BadSetting("a record of schema 1 holds its curves as 'curve' and 'evaluations', not as 'curves'.")
  inside = {k: v for k, v in tree.items() if k in curves.NAMES}
  rest = {k: v for k, v in tree.items() if k not in curves.NAMES}
  return {**rest, 'schema': SCHEMA, 'curves': None}, inside


class Gathered(NamedTuple):
  """The good records under some folders, by id, and a sentence for each file that was left out."""

  records: list[Tree]
  bad: list[str]


def gather(folders: Iterable[Path], *, with_curves: bool = False) -> Gathered:
  """Reads every `.json` file under some folders; one record in several files of the same content counts once.

  Where files with one id differ, none of them is believed.  A record without its curves is left out only
  `with_curves`, where each is read as by `read_with_curves`.
  """
  reader = read_with_curves if with_curves else read
  found: dict[str, tuple[Path, Tree]] = {}
  clash: set[str] = set()
  bad: list[str] = []
  for path in sorted({p for folder in folders for p in folder.rglob('*.json')}):
    try:
      tree = reader(path)
    except BadSetting as error:
      bad.append(str(error))
      continue
    first, known = found.setdefault(tree['id'], (path, tree))
    if known != tree:
      clash.add(tree['id'])
      names = ' and '.join(printable(str(p)) for p in (first, path))
      bad.append(f'{names} are different records with the id {tree["id"]}; keep the right one.')
  return Gathered([found[i][1] for i in sorted(found) if i not in clash], bad)


def read_all(folders: Iterable[Path], *, with_curves: bool = False) -> list[Tree]:
  """The records under some folders as `gather` reads them; raises `BadSetting` where a file is not one."""
  records, bad = gather(folders, with_curves=with_curves)
  if bad:
    more = f' {len(bad) - 1} more files are no good.' if bad[1:] else ''
    raise BadSetting(bad[0] + more)
  return records
