"""Contributing records: each is checked, then copied; nothing that is there is overwritten."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ssl_bench import plugins
from ssl_bench.records import record
from ssl_bench.settings.paths import is_path
from ssl_bench.settings.signature import BadSetting


def submit(source: Path, to: Path, *, ours: bool = False, trusted: Iterable[str] = ()) -> tuple[int, int]:
  """Copies a record, or those of a folder, to `to`/<dataset>/<method>/; returns (copied, already there).

  All are checked before the first is copied: `BadSetting` for a file that the board would leave out, and for
  a record that is not whole or lacks its curves.  A copy says that it was submitted, whatever the record
  said; `ours` is for the project's own records, which say nothing.  A plugin file is run only where `trusted`
  names it, and a copy keeps its name alone.  A record whose id is anywhere under `to` is there already.
  """
  if not source.exists():
    raise BadSetting(f'There is no {str(source)!r}; name a record or a folder such as runs/quickstart.')
  folder = source / 'records' if (source / 'records').is_dir() else source
  single = source.is_file()
  records = [record.read_with_curves(source)] if single else record.read_all([folder], with_curves=True)
  if not records:
    raise BadSetting(f'There is no record under {str(source)!r}.')
  plugins.load(list(trusted))
  check_trusted(records)
  for one in records:
    record.check_submittable(one)
  known = {one['id']: one for one in record.gather([to]).records}
  for one in records:
    if one['id'] in known and one['metrics'] != known[one['id']]['metrics']:
      raise BadSetting(f'record {one["id"]} is in {to} with other numbers; keep the right one, by hand.')
  there = known.keys() | {path.stem for path in to.rglob('*.json')}
  new = [one for one in records if one['id'] not in there]
  for one in new:
    copy = {k: v for k, v in one.items() if k != 'tier'} | ({} if ours else {'tier': 'submitted'})
    copy['config'] = without_places(one['config'])
    record.write(copy, to / one['config']['dataset'] / one['config']['method']['name'])
  return len(new), len(records) - len(new)


def check_trusted(records: Iterable[Mapping[str, Any]]) -> None:
  """Raises `BadSetting` for records of plugin files that nobody named: checking them would run the files."""
  found = {file: one['id'] for one in records for file in _plugin_files(one['config'])}
  if missing := sorted(file for file in found if not plugins.is_loaded(file)):
    options = ' '.join(f'--plugin {file}' for file in missing)
    raise BadSetting(
      f'record {found[missing[0]]} is of the plugin file {missing[0]!r}; '
      f'if you trust what is named, which is run, give {options}.'
    )


def _plugin_files(config: Mapping[str, Any]) -> Iterator[str]:
  """The plugin files of a recorded config, its teacher's too."""
  yield from (one for one in config.get('plugins', ()) if is_path(one))
  if isinstance(teacher := config.get('teacher'), Mapping):
    yield from _plugin_files(teacher)


def without_places(config: Mapping[str, Any]) -> dict[str, Any]:
  """A recorded config without the folders of plugin files, a teacher's too, which are one machine's."""
  out = dict(config)
  if 'plugins' in out:
    out['plugins'] = [Path(one).name if is_path(one) else one for one in out['plugins']]
  if isinstance(out.get('teacher'), Mapping):
    out['teacher'] = without_places(out['teacher'])
  return out
