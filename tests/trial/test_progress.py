"""The progress of a training: in real terminals, in a pipe, and its numbers against a clock of the test's."""

import os
import sys

import pytest
from support.cli import ROOT, run, write_configs
from support.terminal import in_terminal, screens

from ssl_bench.trial import progress as module
from ssl_bench.trial.standing import Standing

ENV = {'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'}
LOG = {
  'loss': 0.412,
  'loss/supervised': 0.1,
  'loss/unsupervised': 0.312,
  'grad_norm': 0.29,
  'pseudo/precision': 0.971,
  'pseudo/coverage': 0.8125,
  'pseudo/precision_by_class': [1.0, None],
  'pseudo/coverage_by_class': [1.0, 0.0],
}
LOOK = {'evaluate/validation_accuracy': 0.912, 'evaluate/test_accuracy': 0.123}
SHORT = f"""
from ssl_bench.trial.progress import Progress
from ssl_bench.trial.standing import Standing

with Progress('fixmatch on digits, 40 labels', Standing(1500, images=64)) as progress:
  progress.tell(50, {LOG!r})
  progress.tell(100, {LOG!r})
  progress.tell(100, {LOOK!r})
print('After.')
"""


def short(columns, **more):
  """The screens of a training that reports twice, and what was written."""
  code, written = in_terminal([sys.executable, '-c', SHORT], columns=columns, env=ENV | more)
  assert code == 0, written
  return list(screens(written, columns)), written


@pytest.mark.parametrize('columns', [120, 80, 30])
def test_it_is_drawn_in_place_and_goes_at_the_end(columns):
  seen, written = short(columns)
  last = seen[-2]  # before it is erased
  assert max(map(len, last)) <= columns
  assert last[0].rstrip() == 'fixmatch on digits, 40 labels'
  text = ' '.join(' '.join(last).split())
  for told in (
    'step 100 of 1,500, about',
    '(supervised 0.1,',
    'precision 97.1 %,',
    '81.2 %',
    'accuracy 91.2 %',
  ):
    assert told.split()[0] in text and (columns < 80 or told in text), last
  assert '12.3' not in text  # of the test images nothing is shown
  assert [row.strip() for row in seen[-1] if row.strip()] == ['After.']
  assert '\x1b[38;5;' in written


def test_without_colors_the_bar_still_tells_how_far_it_is():
  seen, written = short(60, NO_COLOR='1')
  assert '\x1b[38' not in written
  assert 0 < seen[-2][1].count('━') < 10 and 'step 100 of 1,500' in seen[-2][2]


def test_a_terminal_that_cannot_be_drawn_on_gets_plain_lines():
  _, written = short(200, TERM='dumb')
  assert '\x1b' not in written
  lines = written.splitlines()
  assert lines[0] == 'step 50 of 1,500; loss 0.412 (supervised 0.1, unsupervised 0.312); ' + (
    'pseudo-labels precision 97.1 %, coverage 81.2 %'
  )
  assert lines[1].startswith('step 100 of 1,500, about ') and lines[2:] == ['After.']
  assert lines[1].endswith('validation accuracy 91.2 % at step 100')


@pytest.mark.slow
def test_train_draws_its_losses_in_a_terminal_and_prints_the_same_otherwise(tmp_path):
  configs = write_configs(tmp_path / 'c')
  words = ['train', configs / 'fixmatch.yaml', '--wandb', 'disabled', '--runs', tmp_path / 'runs']
  command = [sys.executable, '-m', 'ssl_bench.cli', *map(str, words)]
  code, written = in_terminal(command, columns=80, env=ENV)
  assert code == 0, written
  *_, before, after = screens(written, 80)
  said = '\n'.join(before)
  for told in ('fixmatch on fake, 20 labels', 'step 12 of 12, evaluating', 'images/s', 'unsupervised'):
    assert told in said
  assert 'coverage' in said and 'at step 12' in said
  left = '\n'.join(after)
  assert 'log_every: 3' in left and 'Recorded: ' in left and 'accuracy, %' in left
  assert 'images/s' not in left


def test_a_pipe_gets_one_line_every_few_seconds(tmp_path, monkeypatch, capsys):
  configs = write_configs(tmp_path / 'c')
  command = ('train', configs / 'fixmatch.yaml', '--wandb', 'disabled', '--runs')
  code, out, told = run(monkeypatch, capsys, *command, tmp_path / 'a')
  lines = told.splitlines()
  assert code == 0 and 'Recorded: ' in out and '\nstep ' not in out
  assert [line.split(';')[0].split(',')[0] for line in lines] == ['step 3 of 12', 'step 12 of 12']
  assert 'loss ' in lines[0] and 'validation accuracy' in lines[1] and '\x1b' not in told
  monkeypatch.setattr(module, 'EVERY', 0.0)
  _, _, told = run(monkeypatch, capsys, *command, tmp_path / 'b')
  steps = [line.split()[1] for line in told.splitlines()]
  assert steps == ['3', '6', '9', '12', '12']  # each log, and the last look


def test_a_reader_that_goes_away_does_not_end_the_training(monkeypatch):
  ours, theirs = os.pipe()
  os.close(ours)
  with open(theirs, 'w') as pipe:
    monkeypatch.setattr(sys, 'stderr', pipe)
    with module.Progress('x', Standing(10)) as progress:
      progress.tell(5, LOG)
    monkeypatch.undo()
    assert progress.standing.step == 5
    os.dup2(os.open(os.devnull, os.O_WRONLY), pipe.fileno())  # takes what is still buffered


def test_the_pace_is_that_of_training_and_the_time_left_has_looks_in_it():
  now = 0.0
  standing = Standing(1000, images=64, clock=lambda: now)
  told = []
  for step in range(100, 500, 100):  # 10 s of training, then 5 s of looking
    now += 10
    standing.tell(step, LOG)
    told.append((standing.images_per_second, standing.seconds_left))
    now += 5
    standing.tell(step, LOOK)
  assert [speed for speed, _ in told] == [None, *[pytest.approx(64 * 100 / 10)] * 3]
  assert [left for _, left in told] == [None, *(pytest.approx(15 * left) for left in (8, 7, 6))]
  assert standing.seconds_left == pytest.approx(15 * 6 - 5)  # the look has taken 5 s of it
  assert standing.line().startswith('step 400 of 1,000, about 85 s left; 640 images/s; loss 0.412')


def test_a_teacher_is_told_of_until_its_student_begins():
  standing = Standing(100)
  assert standing.place() == 'no step logged yet' and not standing.rows()
  standing.tell(0, {'step': 40, 'loss': 1.5})
  assert standing.line() == 'its teacher at step 40; loss 1.5'
  standing.tell(0, {'evaluate/validation_accuracy': 0.5})
  standing.tell(25, LOOK)
  assert standing.line() == 'step 25 of 100; validation accuracy 91.2 % at step 25'


def test_what_no_log_says_is_not_made_up():
  standing = Standing(1)
  standing.tell(1, {})  # of a method that learns at once
  assert standing.line() == 'step 1 of 1'
  standing.tell(1, {'evaluate/knn': 0.5, 'evaluate/rankme': 12.345, 'evaluate/pretext_loss': 3.25})
  assert standing.held_out() == 'kNN accuracy 50.0 %, loss 3.25, RankMe 12.35 at step 1'
  standing.tell(1, LOG | {'pseudo/precision': None, 'pseudo/coverage': 0.0})
  assert standing.pseudo_labels() == 'coverage 0.0 %'
