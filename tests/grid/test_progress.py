"""How long a grid still takes: by its steps, or where trainings were saved before, by its trials."""

import time

import pytest

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
