"""A tiny trial: its config files, the command in a process of its own, and a record without the clock."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from ssl_bench.settings.yaml12 import parse_yaml

ROOT = Path(__file__).parents[2]

PROTOCOL = """
dataset: fake
labels: 20
protocol: smoke
net: {name: mlp, widths: [16]}
batch: {labeled: 8, unlabeled_ratio: 2}
steps: 12
optimizer: {name: sgd, lr: 0.03}
augment: {weak: crop(1), strong: crop(1) | cutout(3)}
evaluate: {every: 4, last: 2, bootstrap: 100}
checkpoint: {every: 4}
log_every: 3
"""

METHODS = {
  'fixmatch': 'method: {name: fixmatch, threshold: 0.3}',
  'simclr': 'method: {name: simclr, hidden: 8, out: 8}\nema: null',
  'supervised': 'method: supervised',
}


def write_configs(folder: Path, protocol: str = '', **methods: str) -> Path:
  """A folder of configs; what `protocol` says takes the place of the shared file's own."""
  folder.mkdir(parents=True, exist_ok=True)
  shared = {**parse_yaml(PROTOCOL), **(parse_yaml(textwrap.dedent(protocol)) or {})}
  (folder / '_protocol.yaml').write_text(yaml.safe_dump(shared, sort_keys=False))
  for name, text in {**METHODS, **methods}.items():
    (folder / f'{name}.yaml').write_text(text + '\n')
  return folder


def start(*words: object, cwd: Path | None = None, **environment: str) -> subprocess.Popen:
  """`ssl-bench` as a process that leads a group of its own, in a folder if one is given."""
  command = [sys.executable, '-m', 'ssl_bench.cli', *map(str, words)]
  env = {**os.environ, 'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu', **environment}
  pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
  hear = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background ignores it
  return subprocess.Popen(command, cwd=cwd, env=env, start_new_session=True, preexec_fn=hear, **pipes)


def run(monkeypatch, capsys, *words):
  """(exit code, stdout, stderr) of `ssl-bench`, in this process."""
  from ssl_bench import cli

  monkeypatch.setattr(sys, 'argv', ['ssl-bench', *map(str, words)])
  with pytest.raises(SystemExit) as end:
    cli.main()
  return end.value.code or 0, *capsys.readouterr()


def command(*words: object, code: int | None = 0, **environment: str) -> str:
  """Runs `ssl-bench` to its end; its stdout and stderr, after checking its exit code."""
  process = start(*words, **environment)
  out, errors = process.communicate(timeout=300)
  assert code is None or process.returncode == code, f'exit code {process.returncode}\n{out}\n{errors}'
  return out + errors


def die(*words: object) -> None:
  """What a process does that cannot work."""
  os._exit(3)


def records(folder: Path) -> dict[str, dict]:
  """The records under a folder by id, without what a clock wrote or the machine tells."""
  found = [json.loads(path.read_text(), parse_constant=_refuse) for path in folder.rglob('*.json')]
  return {record['id']: without_clock(record) for record in found if 'schema' in record}


def without_clock(record: dict) -> dict:
  cost = {k: v for k, v in record['cost'].items() if k.startswith('gflops') or k == 'steps_per_epoch'}
  return {k: v for k, v in record.items() if k not in ('time', 'environment')} | {'cost': cost}


def _refuse(constant: str):
  raise AssertionError(f'{constant} is not JSON')
