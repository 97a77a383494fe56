"""The file in which a finished tuning of a method lists every candidate of every study, with its trials."""

import json
from pathlib import Path
from typing import Any

from ssl_bench.records.disk import read_limited
from ssl_bench.records.strict_json import printable
from ssl_bench.settings.signature import BadSetting

FORM = 'ssl_bench tuning 1'


def folder_of(run_folder: Path) -> Path:
  """Where a run folder has these files, one a method."""
  return run_folder / 'studies'


def trials_of(path: Path) -> tuple[str, set[str]]:
  """The method of a file and the ids of its candidates' trials; raises `BadSetting` where it lists none."""
  try:
    tree: dict[str, Any] = json.loads(read_limited(path))
    if tree['form'] != FORM:
      raise ValueError('it has another form')
    candidates = [one for study in tree['studies'] for one in study['candidates']]
    return str(tree['method']), {str(trial) for one in candidates for trial in one['trials']}
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    place = printable(str(path))
    raise BadSetting(f'{place} does not list the studies of a tuning ({error}).') from None
