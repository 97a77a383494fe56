"""Contributing records: each is checked, then copied; nothing that is there is overwritten."""

from pathlib import Path

from ssl_bench.records import record
from ssl_bench.signature import BadSetting


def submit(source: Path, to: Path) -> tuple[int, int]:
  """Copies a record, or those of a folder, to `to`/<dataset>/<method>/; returns (copied, already there).

  All are checked before the first is copied.  Raises `BadSetting` for a record that is not whole.
  """
  if not source.exists():
    raise BadSetting(f'There is no {str(source)!r}; name a record or a folder such as runs/quickstart.')
  folder = source / 'records' if (source / 'records').is_dir() else source
  records = [record.read(source)] if source.is_file() else record.read_all([folder])
  if not records:
    raise BadSetting(f'There is no record under {str(source)!r}.')
  for one in records:
    record.check_submittable(one)
  copied = 0
  for one in records:
    place = to / one['config']['dataset'] / one['config']['method']['name']
    if not (place / f'{one["id"]}.json').exists():
      record.write(one, place)
      copied += 1
  return copied, len(records) - copied
