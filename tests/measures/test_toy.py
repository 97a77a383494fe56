"""A measure of one row in one file is found, measured, recorded, checked and shown."""

import csv
import json
import os
import re
import subprocess
import sys

import pytest
from support import cli
from support.cli import write_configs
from support.pages import tree_of

from ssl_bench import measures
from ssl_bench.records import record
from ssl_bench.settings.signature import BadSetting

TOY = '''
"""How sure a classifier is."""

from ssl_bench.measures import ABSENT, Measure


def confidence(trained):
  scored = trained.scored.get('plain')
  return ABSENT if scored is None else float(scored.probs.max(-1).mean())


MEASURES = (
  Measure(
    'toy_confidence', ('metrics', 'toys', 'confidence'), 'toy confidence', confidence,
    hint='mean probability of the predicted class', digits=4, table='toys', main=MAIN, range=(0, 1),
  ),
)
'''


@pytest.fixture(params=[True, False], ids=['main', 'detail'])
def is_main(request):
  return request.param


@pytest.fixture
def here(tmp_path, monkeypatch, is_main):
  """A folder with configs, in which a file holds one more measure."""
  (tmp_path / 'measures').mkdir()
  (tmp_path / 'measures/toys.py').write_text(TOY.replace('MAIN', str(is_main)))
  monkeypatch.setattr(measures, '__path__', [*measures.__path__, str(tmp_path / 'measures')])
  write_configs(tmp_path / 'c')
  monkeypatch.chdir(tmp_path)
  for name in ('JAX_COMPILATION_CACHE_DIR', 'SSL_BENCH_DATA'):
    monkeypatch.setenv(name, os.environ.get(name, str(tmp_path.parent / 'nowhere')))
  yield tmp_path
  sys.modules.pop('ssl_bench.measures.toys', None)


def run(monkeypatch, capsys, *words):
  """What the command says on stdout, in this process; its exit code is 0."""
  code, out, errors = cli.run(monkeypatch, capsys, *words)
  assert not code, errors
  return out


def summary_of(folder):
  """The summary of the one offline run in a folder, as W&B reads it back."""
  (path,) = (folder / 'wandb').glob('offline-run-*')
  command = [sys.executable, '-m', 'wandb', 'leet', 'inspect', '--json', str(path)]
  lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
  found = [entry['summary'] for entry in map(json.loads, lines) if entry['type'] == 'summary']
  return {name: value for part in found for name, value in part['update'].items()}


@pytest.mark.slow
def test_a_measure_of_one_file_works_end_to_end(here, is_main, monkeypatch, capsys):
  assert measures.get('toy_confidence').title == 'toy confidence'
  out = run(monkeypatch, capsys, 'train', 'c/supervised.yaml', '--wandb', 'offline')
  (path,) = here.glob('runs/train/records/*.json')
  found = record.read(path)
  value = found['metrics']['toys']['confidence']
  bins = found['metrics']['reliability']  # the same mean, by the sizes and means of the diagram's bins
  mean = sum(n * c for n, c in zip(bins['count'], bins['confidence'])) / sum(bins['count'])
  assert value == pytest.approx(mean, rel=1e-12)
  said = f'{value:.4f}'
  assert (re.search(rf'toy confidence  {said}\n', out) is not None) == is_main
  assert summary_of(here / 'runs/train')['toys/confidence'] == value

  run(monkeypatch, capsys, 'leaderboard', '--records', 'runs/train/records', '--out', 'board')
  tree = tree_of((here / 'board/index.html').read_text())
  (toy,) = (one for one in tree['measures'] if one['name'] == 'toy_confidence')
  told = [tree['words'][toy[part]] for part in ('title', 'hint', 'group')]
  assert (
    told == ['toy confidence', 'mean probability of the predicted class', 'toys'] and toy['main'] == is_main
  )
  assert tree['means']['toy_confidence']['value'] == [round(value * 10 ** toy['kept'])] and toy['kept'] == 6
  (row,) = csv.DictReader((here / 'board/tables/fake-smoke-20-ranking.csv').open())
  assert float(row['toy_confidence']) == pytest.approx(value, rel=1e-9)
  readme = (here / 'board/README.md').read_text()
  assert ('| toy confidence |' in readme, said in readme) == (is_main, is_main)

  path.write_text(json.dumps(found | {'metrics': {**found['metrics'], 'toys': {'confidence': 2.0}}}))
  with pytest.raises(
    BadSetting, match=r'metrics\.toys\.confidence must be less than or equal to 1, not 2\.0'
  ):
    record.read(path)


def test_the_terminal_shows_a_board_with_it(here, is_main):
  from rich.console import Console
  from support.records import record as made

  from ssl_bench.leaderboard import aggregate, terminal

  one = made()
  one['metrics']['toys'] = {'confidence': 0.98765}
  console = Console(width=160, record=True, file=open(os.devnull, 'w'))  # noqa: SIM115
  console.print(terminal(aggregate([one])))
  text = console.export_text()
  assert ('toy confidence' in text, '0.9877' in text) == (is_main, is_main)


def test_without_the_file_a_record_with_its_value_is_a_record_and_shows_nothing_of_it():
  from support.records import record as made

  from ssl_bench.leaderboard import aggregate

  one = made()
  one['metrics']['toys'] = {'confidence': 0.98765}
  (row,) = aggregate([one]).sections[0].rows
  assert 'toy_confidence' not in row.measures and 'toy_confidence' not in measures.by_name()
