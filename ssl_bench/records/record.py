"""The record of a trial: its identity, and how it is written, read and checked."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from ssl_bench import data
from ssl_bench.config import to_dict, validate
from ssl_bench.data.sources import BUNDLED
from ssl_bench.plan.build import streams_seen
from ssl_bench.plan.identity import versions_of
from ssl_bench.plan.structure import structure_of
from ssl_bench.records.checks import check_agreement, sentence
from ssl_bench.records.disk import write_whole
from ssl_bench.records.form import Record, Tree
from ssl_bench.records.strict_json import loads, printable, sayable, whole
from ssl_bench.settings.signature import BadSetting

SCHEMA = 1
MEASURED = ('metrics', 'curve', 'evaluations', 'cost')  # what came out of a trial
LARGEST_FILE = 64 * 2**20  # bytes


def write(record: Mapping[str, Any], folder: Path) -> Path:
  """Writes `<id>.json` whole or not at all, and returns after it is on disk.

  What came out of a trial and is not finite, such as the loss of a diverged one, is written as the word
  `NaN`, `Infinity` or `-Infinity`.  Raises `BadSetting` where anything else is not finite, since that would
  answer for another trial.
  """
  tree = {k: sayable(v) if k in MEASURED else whole(v, k) for k, v in record.items()}
  path = folder / f'{record["id"]}.json'
  write_whole(path, json.dumps(tree, indent=1, sort_keys=True, allow_nan=False) + '\n')
  return path


def read(path: Path) -> Tree:
  """One record; raises `BadSetting`, with the file's name, where it is not one or contradicts itself."""
  shown = printable(str(path))
  try:
    if not path.is_file():
      raise ValueError('it is no file')
    if path.stat().st_size > LARGEST_FILE:
      raise ValueError(f'it is larger than {LARGEST_FILE // 2**20} MiB')
    tree = loads(path.read_text(encoding='utf-8'))
  except (OSError, ValueError) as error:
    raise BadSetting(printable(f'{shown} is not a readable record: {_short(error)}.')) from None
  try:
    form = Record.model_validate(tree)
    check_agreement(tree, form)
  except ValidationError as error:
    said = sentence(error.errors(include_url=False)[0])
    raise BadSetting(printable(f'{shown} is not a record of schema {SCHEMA}: {said}.')) from None
  except BadSetting as error:
    raise BadSetting(printable(f'{shown} is not a sound record: {error}')) from None
  return tree


def _short(error: Exception) -> str:
  return (error.strerror or 'it cannot be read') if isinstance(error, OSError) else str(error).rstrip('.')


class Gathered(NamedTuple):
  """The good records under some folders, by id, and a sentence for each file that was left out."""

  records: list[Tree]
  bad: list[str]


def gather(folders: Iterable[Path]) -> Gathered:
  """Reads every `.json` file under some folders; one record in several files of the same content counts once.

  Where files with one id differ, none of them is believed.
  """
  found: dict[str, tuple[Path, Tree]] = {}
  clash: set[str] = set()
  bad: list[str] = []
  for path in sorted({p for folder in folders for p in folder.rglob('*.json')}):
    try:
      tree = read(path)
    except BadSetting as error:
      bad.append(str(error))
      continue
    first, known = found.setdefault(tree['id'], (path, tree))
    if known != tree:
      clash.add(tree['id'])
      names = ' and '.join(printable(str(p)) for p in (first, path))
      bad.append(f'{names} are different records with the id {tree["id"]}; keep the right one.')
  return Gathered([found[i][1] for i in sorted(found) if i not in clash], bad)


def read_all(folders: Iterable[Path]) -> list[Tree]:
  """The records under some folders, by id; raises `BadSetting` where a file is not one."""
  records, bad = gather(folders)
  if bad:
    more = f' {len(bad) - 1} more files are no good.' if bad[1:] else ''
    raise BadSetting(bad[0] + more)
  return records


def check_submittable(record: Mapping[str, Any]) -> None:
  """Raises `BadSetting` unless a record that was read is whole, of today's settings, and its data real."""
  if record['status'] == 'failed':
    raise BadSetting(
      f'record {record["id"]} is of a failed trial; run it again, or submit single files. It said: '
      f'{record["error"]}'
    )
  try:
    config = validate(record['config'])
  except BadSetting as error:
    raise BadSetting(f'record {record["id"]}: {error}') from None
  if config.dataset.startswith('fake'):
    raise BadSetting(f'record {record["id"]} is of a synthetic set, which is for tests only.')
  if to_dict(config) != record['config']:
    raise BadSetting(f'record {record["id"]} has a config that is not written out; run it anew.')
  for name in ('accuracy', 'nll', 'ece') if record['status'] == 'done' else ():
    if not isinstance(record['metrics'].get(name), float):
      raise BadSetting(f'record {record["id"]} lacks the measure {name!r}; run it anew.')
  for name, version in versions_of(config, record['versions']['fingerprint']).items():
    if record['versions'].get(name) != version:
      raise BadSetting(f'record {record["id"]} is of another version of its {name}; run it anew.')
  if config.dataset in BUNDLED:
    learns = 'labeled' in streams_seen(structure_of(config, data.load(config.dataset)))
    family = 'semi-supervised' if learns else 'self-supervised'
    if record['family'] != family:
      raise BadSetting(f'record {record["id"]} says {record["family"]}, and its method is {family}.')
  row = next((row for row in data.available() if row.name == config.dataset), None)
  if row and row.fingerprint and row.fingerprint != record['versions']['fingerprint']:
    raise BadSetting(f'record {record["id"]} is of other data than {config.dataset} has here; run it anew.')
