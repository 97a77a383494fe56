"""Whether a record is of today's versions of the protocol, its method, its data, and its teachers."""

from collections.abc import Mapping
from typing import Any

from ssl_bench.measures import at


def why_stale(record: Mapping[str, Any], today: Mapping[str, Any] | None) -> str | None:
  """The sentence that says which version has moved on since, or None.

  `today` is {'protocol': 1, 'methods': {'fixmatch': 1}, 'datasets': {'digits': 'fingerprint'}}; what it does
  not name is not judged.
  """
  if not today:
    return None
  config = record['config']
  method, dataset = config['method']['name'], config['dataset']
  now = {
    'protocol': ('the protocol', today.get('protocol')),
    'method': (method, at(today, 'methods', method)),
    'fingerprint': (f'the data of {dataset}', at(today, 'datasets', dataset)),
  }
  for name, (what, version) in now.items():
    was = at(record, 'versions', name)
    if version is not None and was != version:
      return f'{what} is at version {version} now; this was run at {"none" if was is None else was}'
  for name, was in (at(record, 'versions', 'other_data') or {}).items():
    version = at(today, 'datasets', name)
    if version not in (None, was):
      return f'the data of {name} is at version {version} now; this was run at {was}'
  for was in at(record, 'versions', 'teachers') or ():
    config = config['teacher']
    name = config['method']['name']
    version = at(today, 'methods', name)
    if version not in (None, was):
      return f'its teacher, {name}, is at version {version} now; this was run at {was}'
  return None
