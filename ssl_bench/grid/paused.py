"""Trials that a tuning paused at a rung: those that it may take up again, and those that it gave up.

A tuning writes the file of a method's studies when they are over.  A trial that this file lists and that has
no record was given up, unless it failed, since the same command runs it again.  Where something of the method
was written later, a tuning of it goes on, and may take up any of its trials.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ssl_bench.grid import manifest
from ssl_bench.records import rung, study
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run_folder import RunFolder

Tree = Mapping[str, Any]


def paused(run_folder: RunFolder, records: Mapping[str, Tree]) -> tuple[list[Tree], list[Tree]]:
  """The configs of the trials that have a rung and no record: those that may go on, and those given up.

  Args:
    run_folder: of a tuning.
    records: what is recorded there, by the id of the trial, each with its `config`.
  """
  found, failed, written = dict[str, Tree](), set[str](), dict[str, float]()
  for path in sorted((run_folder.path / 'rungs').glob('*/*.json')):
    with suppress(OSError, BadSetting):
      one = rung.read(path)
      _note(written, one['config'], path)
      if path.stem not in records:
        found[path.stem] = one['config']
      if one['status'] == 'failed':
        failed.add(path.stem)
  if not found:
    return [], []
  for trial_id, tree in records.items():
    _note(written, tree['config'], run_folder.record_of(trial_id))
  for path in run_folder.manifests.glob('*.jsonl'):
    with suppress(BadSetting):
      for config in manifest.read(path).configs:
        _note(written, config, path)
  over = set[str]().union(*_over(run_folder, written)) - failed
  given_up = [config for trial_id, config in found.items() if trial_id in over]
  return [config for trial_id, config in found.items() if trial_id not in over], given_up


def _note(written: dict[str, float], config: Tree, path: Path) -> None:
  """Notes when a file that is about a method was written."""
  name = config['method']['name']
  with suppress(FileNotFoundError):
    written[name] = max(written.get(name, 0.0), path.stat().st_mtime)


def _over(run_folder: RunFolder, written: Mapping[str, float]) -> Iterator[set[str]]:
  """The trials of each method whose studies are over."""
  for path in sorted(study.folder_of(run_folder.path).glob('*.json')):
    with suppress(OSError, BadSetting):
      method, trials = study.trials_of(path)
      if path.stat().st_mtime >= written.get(method, 0.0):
        yield trials
