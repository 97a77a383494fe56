"""Trials that differ in seeds alone train in one program, and are recorded as if each had trained alone."""

import os
import re
import signal
import time

import jax
import numpy as np
import pytest
from support.cli import records, start
from support.sweep import die_at, grid_of
from support.training import stop_after

from ssl_bench import data, measures
from ssl_bench.grid import manifest
from ssl_bench.grid.dry_run import dry_run
from ssl_bench.grid.estimate import timings
from ssl_bench.grid.run import plan
from ssl_bench.grid.survey import survey
from ssl_bench.grid.together import Together, count_together
from ssl_bench.grid.work import MOST_DEATHS, work
from ssl_bench.planning import make_plan
from ssl_bench.records import predictions
from ssl_bench.records.record import read_with_curves
from ssl_bench.settings.signature import BadSetting
from ssl_bench.speed.seeds import measure_seeds, show_seeds
from ssl_bench.training import together
from ssl_bench.training.checkpoint import Checkpoints
from ssl_bench.training.loop import Interrupted, fit
from ssl_bench.training.together import Member, can_join, fit_together
from ssl_bench.trial.run_folder import RunFolder

PLAIN = """
net: {name: mlp, widths: [16], norm: none}
augment: {weak: none, strong: none}
evaluate: {every: 4, last: 2, bootstrap: 100, probes: [linear]}
"""
GRID = """
name: small
base: configs
vmap_seeds: 4
blocks: [{method: fixmatch, 'split_seed, seed': [[0, 0], [1, 3], [2, 5]]}]
"""
TOLERANCE = 1e-5  # of float32 sums in another order, over twelve steps


@pytest.fixture
def grid(tmp_path):
  return grid_of(tmp_path, GRID, PLAIN)


@pytest.fixture
def run_folder(tmp_path):
  return RunFolder(tmp_path / 'runs')


def todo_of(grid, run_folder):
  datasets = {'fake': data.load('fake')}
  return plan(grid.name, survey(grid.configs, run_folder, datasets), run_folder, {}, grid.together)[0]


def assert_near(one, other):
  """Two trees of plain data say the same, their floats within the tolerance."""
  assert type(one) is type(other)
  if isinstance(one, dict):
    assert one.keys() == other.keys()
    for key in one:
      assert_near(one[key], other[key])
  elif isinstance(one, list):
    assert len(one) == len(other)
    for a, b in zip(one, other):
      assert_near(a, b)
  elif isinstance(one, float):
    assert one == pytest.approx(other, abs=TOLERANCE, rel=TOLERANCE)
  else:
    assert one == other


def whole(run_folder):
  """The records of a folder with their curves, without what a clock wrote or what vouches for bytes.

  Nor what is measured of predictions in half precision, of which `assert_predictions_near` is.
  """
  found = {}
  for name, tree in records(run_folder.records).items():
    for row in measures.all_measures():
      if row.function and row.reads == 'predictions':
        *folders, last = row.path
        (measures.at(tree, *folders) or {}).pop(last, None)
    rows = read_with_curves(run_folder.record_of(name))
    kept = {k: v for k, v in tree.items() if k not in ('curves', 'predictions')}
    found[name] = kept | {k: rows[k] for k in ('curve', 'evaluations')}
  return found


def assert_predictions_near(run_folder, other):
  """Each trial's log-probabilities are within one step of half precision."""
  for name in (name for name, tree in records(other.records).items() if tree['status'] == 'done'):
    one, two = (
      predictions.read(path, read_with_curves(path))
      for path in (run_folder.record_of(name), other.record_of(name))
    )
    np.testing.assert_allclose(
      one.log_probs.astype(float), two.log_probs.astype(float), rtol=2**-10, atol=2 * TOLERANCE
    )


def costs(run_folder):
  paths = run_folder.records.glob('*.json')
  return [read_with_curves(path)['cost'] for path in paths]


def trained_alone(grid, folder):
  run_folder = RunFolder(folder)
  work(todo_of(grid, run_folder)._replace(together=1), run_folder)
  return run_folder


def members_of(grid, folder, **more):
  return [Member(make_plan(config), folder / str(config.seed), **more) for config in grid.configs]


@pytest.mark.parametrize('method', ['fixmatch', pytest.param('simclr', marks=pytest.mark.slow)])
def test_records_equal_those_of_trials_that_train_alone(tmp_path, run_folder, method):
  grid = grid_of(tmp_path, GRID.replace('fixmatch', method), PLAIN)
  told = []
  work(todo_of(grid, run_folder), run_folder, tell=lambda *words: told.append(words))
  alone = trained_alone(grid, tmp_path / 'alone')
  assert_near(whole(run_folder), whole(alone))
  assert_predictions_near(run_folder, alone)
  assert {one['status'] for one in whole(alone).values()} == {'done'}
  assert [(cost['together'], cost['shared']) for cost in costs(run_folder)] == [(3, True)] * 3
  assert all('together' not in cost for cost in costs(alone))
  assert told[0][0] == 'begin' and told[0][1].endswith(' and 2 more seeds')
  assert sum(words[1] for words in told if words[0] == 'step') == 3 * 12
  assert {run_folder.claims.newest(name).end for name in run_folder.claims.all()} == {'ended'}
  assert not list(run_folder.live.glob('*'))
  shares = [cost['train_seconds'] / 3 / 12 for cost in costs(run_folder)]
  (timing,) = timings([run_folder.records]).values()
  assert timing.step == pytest.approx(np.median(shares)) and 0 <= timing.beside < 120


def test_a_bundle_that_is_stopped_goes_on_bit_for_bit(grid, tmp_path):
  members = members_of(grid, tmp_path / 'whole')
  fit_together(members)
  for steps, at in ((5, 5), (2, 7)):
    with pytest.raises(Interrupted, match=f'Stopped at step {at}, which is saved'):
      fit_together(members_of(grid, tmp_path / 'parts'), should_stop=stop_after(steps))
  fit_together(members_of(grid, tmp_path / 'parts'))
  for one, other in zip(members, members_of(grid, tmp_path / 'parts')):
    a, b = (fit(member.plan, member.folder, only_restore=True) for member in (one, other))
    for x, y in zip(leaves(a), leaves(b), strict=True):
      np.testing.assert_array_equal(x, y)
    assert a.history['curve'] == b.history['curve']


def leaves(fitted):
  return [np.asarray(x) for x in jax.tree.leaves(fitted.state.params)]


def test_one_goes_on_alone_from_what_several_saved(grid, tmp_path, monkeypatch):
  """And trainings at another step are left alone."""
  with pytest.raises(Interrupted):
    fit_together(members_of(grid, tmp_path), should_stop=stop_after(5))
  first, *others = members_of(grid, tmp_path)
  ended = fit(first.plan, first.folder)
  assert int(ended.state.step) == 12 and len(ended.history['curve']) == 4
  sizes = []
  compile_together = together.compile_together
  monkeypatch.setattr(
    together, 'compile_together', lambda *given: sizes.append(given[1]) or compile_together(*given)
  )
  with pytest.raises(Interrupted):
    fit(others[0].plan, others[0].folder, should_stop=stop_after(1))
  fit_together([first, *others])  # one has ended, one is at step 6, one at 5
  assert sizes == [] and Checkpoints(others[1].folder).latest() == 5


def test_one_that_diverges_is_recorded_so_and_the_others_go_on(grid, tmp_path, run_folder, monkeypatch):
  """A rate that no float32 bears, of one member alone: rates are numbers of a trial, as its seed is."""
  bad = grid.configs[1].seed
  numbers_of = together.numbers.numbers_of

  def changed(config, *more):
    found = numbers_of(config, *more)
    if config.seed == bad:
      groups = found['optimizer']['groups']
      found['optimizer']['groups'] = {name: {**own, 'lr': np.float32(1e30)} for name, own in groups.items()}
    return found

  monkeypatch.setattr('ssl_bench.planning.numbers.numbers_of', changed)
  monkeypatch.setattr('ssl_bench.training.loop.numbers_of', changed)
  work(todo_of(grid, run_folder), run_folder)
  found = {one['config']['seed']: one for one in whole(run_folder).values()}
  assert {seed: one['status'] for seed, one in found.items()} == {0: 'done', 3: 'diverged', 5: 'done'}
  assert 'was not finite at step' in found[bad]['error']
  assert [cost['together'] for cost in costs(run_folder) if cost] == [3, 3]
  alone = trained_alone(grid, tmp_path / 'alone')
  assert_near(whole(run_folder), whole(alone))
  assert_predictions_near(run_folder, alone)


def test_what_is_recorded_is_left_out(grid, run_folder):
  todo = todo_of(grid, run_folder)
  work(todo._replace(tasks=todo.tasks[1:2]), run_folder)
  assert 'together' not in costs(run_folder)[0]
  work(todo, run_folder)  # as another worker's manifest has it, in which nothing is recorded
  assert sorted(cost.get('together', 1) for cost in costs(run_folder)) == [1, 2, 2]
  assert set(run_folder.claims.all().values()) == {0}


def test_a_worker_takes_as_many_as_were_asked_for_and_not_what_killed_two(grid, run_folder):
  todo = todo_of(grid, run_folder)._replace(together=2)
  bundles = Together(todo, run_folder)
  assert [bundles.most(task) for task in todo.tasks] == [2, 2, 2]
  for number in range(MOST_DEATHS - 1):
    die_at(run_folder, todo.tasks[0], number)
  work(todo, run_folder)
  assert sorted(cost.get('together', 1) for cost in costs(run_folder)) == [1, 2, 2]


def test_what_cannot_be_traced_together_is_trained_alone_and_said(grid, run_folder, monkeypatch, capsys):
  def refuse(*given):
    raise BadSetting('A step of this training needs 9 bytes; the memory at hand is 8.')

  monkeypatch.setattr(together, 'compile_together', refuse)
  todo = todo_of(grid, run_folder)
  work(todo._replace(tasks=todo.tasks[:2]), run_folder)
  assert 'trained one after the other, not in one program (A step of this' in capsys.readouterr().out
  assert {one['status'] for one in records(run_folder.records).values()} == {'done'}
  assert all('together' not in cost for cost in costs(run_folder))
  assert [path.name[:9] for path in (run_folder.path / 'failures').iterdir()] == ['together-']


@pytest.mark.parametrize('count', ['0', '65', '2.5', 'true', 'many', '[2]'])
def test_a_number_of_seeds_is_a_whole_number_in_range(tmp_path, count):
  with pytest.raises(BadSetting, match=r'vmap_seeds is how many seeds train in one program, 1 to 64, not '):
    grid_of(tmp_path, GRID.replace('vmap_seeds: 4', f'vmap_seeds: {count}'))


MIXED = """
name: small
base: configs
vmap_seeds: 2
blocks:
  - {method: [supervised, label_propagation], seed: [0, 1, 2]}
  - {method: noisy_student, steps: 45, seed: [0, 1]}
  - {method: supervised, early_stop: {patience: 2}, seed: [0, 1]}
  - {method: supervised, federated: {clients: 2, local_steps: 4}, seed: [0, 1]}
  - {method: distill, teacher: {config: supervised.yaml}, seed: [0, 1]}
"""


def test_what_does_not_join_is_trained_alone_and_a_dry_run_counts_the_others(tmp_path, run_folder):
  grid = grid_of(tmp_path, MIXED, PLAIN)
  joins = [config.seed for config in grid.configs if can_join(make_plan(config))]
  assert joins == [0, 1, 2]
  todo = todo_of(grid, run_folder)
  assert count_together(todo.tasks, {0}, 2) == 2 and count_together(todo.tasks, {0}, 3) == 3
  assert '2 of the trainings are in programs of up to 2 seeds.' in dry_run(grid, run_folder, 1)
  assert 'in programs of up to' not in dry_run(grid._replace(together=1), run_folder, 1)


def test_a_manifest_says_how_many_and_one_of_before_says_none(grid, run_folder, tmp_path):
  todo = todo_of(grid, run_folder)
  path = manifest.write(todo, tmp_path)
  assert manifest.read(path) == todo and todo.together == 4
  path.write_text(path.read_text().replace(', "together": 4', ''))
  assert manifest.read(path).together == 1


def test_what_it_saves_is_measured_and_refused_where_nothing_joins(grid, capsys):
  show_seeds(measure_seeds(grid.configs[0], 4, [2, 3]))
  lines = capsys.readouterr().out.splitlines()
  assert [line.split()[:2] for line in lines] == [['2', 'seeds:'], ['3', 'seeds:']]
  assert all(re.search(r'[\d.]+× the steps/s$', line) for line in lines)
  with pytest.raises(BadSetting, match=r'Seeds are trained in one program .* Leave --seeds out'):
    measure_seeds(grid.configs[0].model_copy(update={'method': {'name': 'label_propagation'}}), 4, [2])


@pytest.mark.slow
@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGTERM])
def test_a_bundle_that_is_killed_is_taken_up_again(grid, tmp_path, run_folder, how):
  grid_file = tmp_path / 'small.yaml'
  grid_file.write_text(GRID + 'set: {steps: 4000, checkpoint.every: 200, evaluate.every: 200}\n')
  words = ('grid', grid_file, '--runs', tmp_path / 'runs', '--workers', 1)
  process = start(*words, SSL_BENCH_DATA=os.environ.get('SSL_BENCH_DATA', ''))
  folder = RunFolder(tmp_path / 'runs/small')
  deadline = time.monotonic() + 120
  while len(list(folder.checkpoints.glob('*/[1-9]*00'))) < 3 and time.monotonic() < deadline:
    time.sleep(0.05)
  process.send_signal(how) if how == signal.SIGTERM else os.killpg(process.pid, how)
  process.communicate(timeout=60)
  assert not folder.names()
  process = start(*words)
  assert process.communicate(timeout=200) and process.returncode == 0
  assert [cost['together'] for cost in costs(folder)] == [3] * 3
