"""Contributing records: each is checked, then copied; no number that is there is overwritten."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench import data, plugins
from ssl_bench.config import to_dict, validate
from ssl_bench.data.sources import BUNDLED
from ssl_bench.planning.build import streams_seen
from ssl_bench.planning.identity import versions_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.records import record
from ssl_bench.settings.paths import is_path
from ssl_bench.settings.signature import BadSetting

ROUNDING = 1e-9  # by which numbers that agree may differ, in parts of them


class Submitted(NamedTuple):
  """How many records were copied, gained measures where they are, and were there already."""

  copied: int
  extended: int
  there: int


def submit(source: Path, to: Path, *, ours: bool = False, trusted: Iterable[str] = ()) -> Submitted:
  """Copies a record, or those of a folder, to `to`/<dataset>/<method>/.

  All are checked before the first is copied: `BadSetting` for a file that the board would leave out, and for
  a record that is not whole or lacks its curves.  A copy says that it was submitted, whatever the record
  said; `ours` is for the project's own records, which say nothing.  A plugin file is run only where `trusted`
  names it, and a copy keeps its name alone.

  A record whose id is anywhere under `to` is there already.  Where all of its metrics agree to 1e-9 (threads
  add in another order) and the new one has further measures, as after an evaluation by a later version, the
  one that is there gains these, and keeps all else, its numbers too; `BadSetting` where a number differs.
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
    check_submittable(one)
  tier = 'ours' if ours else 'submitted'
  known = {one['id']: one for one in record.gather([to]).records}
  places = {path.stem: path for path in to.rglob('*.json')}
  longer = {}
  for one in records:
    if (old := known.get(one['id'])) and one['metrics'] != old['metrics']:
      if not _agree(old['metrics'], one['metrics']):
        raise BadSetting(f'record {one["id"]} is in {to} with other numbers; keep the right one, by hand.')
      joined = _joined(old['metrics'], one['metrics'])
      if joined != old['metrics'] and old.get('tier', 'ours') == tier and one['id'] in places:
        longer[one['id']] = joined
  for name, metrics in longer.items():
    old = record.read_with_curves(places[name])
    record.write(old | {'metrics': metrics}, places[name].parent)
  new = [one for one in records if one['id'] not in known.keys() | places.keys()]
  for one in new:
    copy = {k: v for k, v in one.items() if k != 'tier'} | ({} if ours else {'tier': tier})
    copy['config'] = without_places(one['config'])
    record.write(copy, to / one['config']['dataset'] / one['config']['method']['name'])
  return Submitted(len(new), len(longer), len(records) - len(new) - len(longer))


def check_submittable(one: Mapping[str, Any]) -> None:
  """Raises `BadSetting` unless a record that was read is whole, of today's settings, and its data real."""
  if one['status'] == 'failed':
    raise BadSetting(
      f'record {one["id"]} is of a failed trial; run it again, or submit single files. It said: '
      f'{one["error"]}'
    )
  try:
    config = validate(one['config'])
  except BadSetting as error:
    raise BadSetting(f'record {one["id"]}: {error}') from None
  if config.split_seed in record.TUNING:
    raise BadSetting(
      f'record {one["id"]} is of split seed {config.split_seed}; {record.TUNING[0]} to {record.TUNING[-1]} '
      'are for tuning, and no board shows them.'
    )
  if config.dataset.startswith('fake'):
    raise BadSetting(f'record {one["id"]} is of a synthetic set, which is for tests only.')
  if to_dict(config) != one['config']:
    raise BadSetting(f'record {one["id"]} has a config that is not written out; run it anew.')
  row = next((row for row in data.available() if row.name == config.dataset), None)
  judged = one['status'] == 'done' and not (row and row.classes < 2)  # one class is not classified
  for name in ('accuracy', 'nll', 'ece') if judged else ():
    if not isinstance(one['metrics'].get(name), float):
      raise BadSetting(f'record {one["id"]} lacks the measure {name!r}; run it anew.')
  for name, version in versions_of(config, one['versions']['fingerprint']).items():
    if one['versions'].get(name) != version:
      raise BadSetting(f'record {one["id"]} is of another version of its {name}; run it anew.')
  if config.dataset in BUNDLED and row and row.ready:
    learns = 'labeled' in streams_seen(structure_of(config, data.load(config.dataset)))
    family = 'semi-supervised' if learns else 'self-supervised'
    if one['family'] != family:
      raise BadSetting(f'record {one["id"]} says {one["family"]}, and its method is {family}.')
  if row and row.fingerprint and row.fingerprint != one['versions']['fingerprint']:
    raise BadSetting(f'record {one["id"]} is of other data than {config.dataset} has here; run it anew.')


def _agree(old: Any, new: Any) -> bool:
  """Whether all that is in `old` is in `new`, and numbers differ by rounding at most."""
  if isinstance(old, Mapping) and isinstance(new, Mapping):
    return all(name in new and _agree(value, new[name]) for name, value in old.items())
  if isinstance(old, list) and isinstance(new, list):
    return len(old) == len(new) and all(map(_agree, old, new))
  if type(old) is float and type(new) is float:
    return math.isclose(old, new, rel_tol=ROUNDING, abs_tol=1e-12)
  return bool(old == new)


def _joined(old: Any, new: Any) -> Any:
  """What is in `old`, and what `new` has besides."""
  if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
    return old
  return {name: _joined(old[name], value) if name in old else value for name, value in new.items()}


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
