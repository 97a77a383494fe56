"""How long a grid still takes: by its steps, or where trainings were saved before, by its trials."""

import sys
import time

import pytest
from support.cli import ROOT
from support.terminal import in_terminal, screens

from ssl_bench.grid.progress import Progress


@pytest.fixture
def progress(monkeypatch):
  """Of ten trials and 10,000 steps, of which four trials were recorded before; begun 60 s ago."""
  made = Progress('small', 10, 4, 6000)
  monkeypatch.setattr(made, 'started', time.monotonic() - 60)
  return made


@pytest.mark.parametrize(
  'steps, trials, told',
  [
    (0, 0, ''),
    (3000, 0, ' (about 60 s left)'),
    (1000, 0, ' (about 5 min left)'),
    (1, 3, ' (about 60 s left)'),  # their trainings were saved
    (6000, 6, ''),
  ],
)
def test_the_time_left_is_that_of_the_larger_share(progress, steps, trials, told):
  progress.advance(1, steps)
  progress.done += trials
  assert progress._left() == told


def test_the_overhead_is_what_workers_took_beside_trials(progress, capsys):
  progress.tell_overhead(0.0, 0.0)
  assert not capsys.readouterr().out
  progress.tell_overhead(200.0, 190.0)
  assert capsys.readouterr().out == 'Overhead: 5.0% of 200 s of the workers (start, claims).\n'


SWEEP = """
from ssl_bench.grid.progress import Progress

with Progress('small', 4, 0, 4000) as progress:
  progress.begin(1, 'fixmatch labels=20 seed=0')
  progress.begin(2, 'simclr labels=20 seed=0')
  pseudo = {'pseudo/precision': 0.971, 'pseudo/coverage': 0.5}
  progress.advance(1, 500, 500, {'loss': 0.412, 'loss/supervised': 0.1, **pseudo})
  progress.advance(1, 0, 500, {'evaluate/validation_accuracy': 0.912})
  progress.end(2, 'simclr labels=20 seed=0', {'status': 'done', 'error': None, 'accuracy': 0.5})
print('After.')
"""


@pytest.mark.parametrize('columns', [140, 40])
def test_a_terminal_shows_what_each_worker_is_at(columns):
  env = {'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'}
  code, written = in_terminal([sys.executable, '-c', SWEEP], columns=columns, env=env)
  assert code == 0, written
  *_, before, after = screens(written, columns)
  assert max(map(len, before)) <= columns
  *ended, bar, worker = (row.rstrip() for row in before if row.strip())
  assert ended[0].startswith('[1/4] simclr labels=20 seed=0: accuracy') and bar.startswith('small ')
  whole = 'fixmatch labels=20 seed=0: step 500; loss 0.412; validation accuracy 91.2 %; '
  whole += 'pseudo-labels precision 97.1 %, coverage 50.0 %'
  assert worker == (whole if len(whole) <= columns else f'{whole[: columns - 1].rstrip()}…')
  assert [row.rstrip() for row in after if row.strip()][-1] == 'After.'
  assert not any('fixmatch' in row for row in after)
