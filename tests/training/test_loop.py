"""Training resumes bit for bit from anywhere, stops where a loss is not finite, and is told to stop."""

import os
import signal
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from support.cli import command, records, start, write_configs
from support.training import arrays, stop_after, train

from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.parallel import make_mesh
from ssl_bench.planning import make_plan
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.planning.batch import drawer
from ssl_bench.planning.numbers import numbers_of
from ssl_bench.planning.split import labeled_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.records.record import read_curves
from ssl_bench.training.checkpoint import Checkpoints, UnusableCheckpoint
from ssl_bench.training.loop import Diverged, Interrupted, fit
from ssl_bench.training.program import compile_program
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

PLAIN = """
net: {name: mlp, widths: [16], norm: none}
augment: {weak: none, strong: none}
"""


@pytest.fixture
def folder(tmp_path):
  return write_configs(tmp_path / 'configs', PLAIN)


def config_of(folder, *words, method='fixmatch'):
  return load(folder / f'{method}.yaml', words)


def assert_same(one, other):
  """Two trainings ended in the same bits, and told the same."""
  for a, b in zip(arrays(one.state), arrays(other.state), strict=True):
    np.testing.assert_array_equal(a, b)
  assert one.history['curve'] == other.history['curve']
  assert one.history['evaluations'] == other.history['evaluations']


def look(program, state, numbers, kept):
  return {'sum': float(sum(np.abs(x.astype('float64')).sum() for x in arrays(state.params)))}


@pytest.fixture
def whole(folder, tmp_path):
  """An uninterrupted training."""
  return train(config_of(folder), tmp_path / 'whole', watch=look)


@pytest.mark.parametrize(
  'stops',
  [(5,), *(pytest.param(at, marks=pytest.mark.slow) for at in ((1,), (6,), (11,), (2, 3, 1, 1)))],
  ids=str,
)
def test_a_training_resumes_bit_for_bit_at_any_step(folder, tmp_path, whole, stops):
  """Logs are every 3 steps, looks and checkpoints every 4; the stops are at none of them, at one, at both."""
  config, at = config_of(folder), 0
  for steps in stops:
    at += steps
    with pytest.raises(Interrupted, match=f'Stopped at step {at}, which is saved') as stopped:
      train(config, tmp_path / 'parts', watch=look, should_stop=stop_after(steps))
    assert stopped.value.step == at
  assert_same(train(config, tmp_path / 'parts', watch=look), whole)


def test_a_training_that_ends_before_its_last_step_goes_on_bit_for_bit(folder, tmp_path, whole):
  """Steps 5 and 8 are between logs and at a checkpoint; each part is the beginning of the whole."""
  config, place = config_of(folder), tmp_path / 'parts'
  for until in (5, 5, 8):
    part = train(config, place, watch=look, until=until)
    assert int(part.state.step) == until and int(max(p.name for p in place.iterdir())) == until
    told = part.history['evaluations']
    assert told == whole.history['evaluations'][: len(told)] and len(told) == until // 4
  assert_same(train(config, place, watch=look, until=12), whole)
  assert_same(train(config, place, watch=look), whole)


def test_a_part_of_a_training_that_diverged_since_its_last_log_says_so(folder, tmp_path):
  with pytest.raises(Diverged):
    train(config_of(folder, 'optimizer.lr=1e30', 'log_every=100'), tmp_path / 'parts', until=5)


@pytest.mark.parametrize(
  ('given', 'sentence'),
  [
    ((7,), 'Stopped at step 7, which is saved; the same command goes on from there.'),
    (
      (7, 6, 4),
      'Stopped at step 7, not saved since step 6 was not finite; the same command goes on from step 4.',
    ),
    (
      (7, 6),
      'Stopped at step 7, not saved since step 6 was not finite; the same command goes on from the start.',
    ),
    ((0,), 'Stopped before the first step; the same command starts again.'),
  ],
)
def test_a_stop_says_what_is_saved(given, sentence):
  assert str(Interrupted(*given)) == sentence


def test_a_stop_after_a_step_that_was_not_finite_saves_nothing_and_says_so(folder, tmp_path):
  """The rate makes step 2 infinite; the log, which would tell, comes later than the stop."""
  config = config_of(folder, 'optimizer.lr=1e30', 'log_every=12')
  with pytest.raises(
    Interrupted, match=r'^Stopped at step 6, not saved since step . was not finite'
  ) as stopped:
    train(config, tmp_path / 'x', should_stop=stop_after(6))
  assert str(stopped.value).endswith('goes on from the start.')
  assert not [p for p in (tmp_path / 'x').glob('*') if p.name == '6']


def test_a_training_that_ended_is_taken_as_it_is(folder, tmp_path, whole):
  told = []
  again = train(config_of(folder), tmp_path / 'whole', watch=look, report=lambda *x: told.append(x))
  assert_same(again, whole)
  assert not told


def test_a_stop_at_the_last_step_is_an_end(folder, tmp_path, whole):
  assert_same(train(config_of(folder), tmp_path / 'x', watch=look, should_stop=stop_after(12)), whole)


@pytest.mark.parametrize('how', ['empty', 'cut', 'temporary'])
def test_a_checkpoint_that_cannot_be_read_is_named_and_left_where_it_is(folder, tmp_path, whole, how):
  """Moved away by hand, the training goes on from the one before it, or anew."""
  config = config_of(folder)
  with pytest.raises(Interrupted):
    train(config, tmp_path / 'x', watch=look, should_stop=stop_after(8))
  if how == 'empty':
    (tmp_path / 'x/9').mkdir()
  elif how == 'temporary':
    (tmp_path / 'x/12.orbax-checkpoint-tmp/carry').mkdir(parents=True)
  else:
    for path in (tmp_path / 'x/8').rglob('*'):
      if path.is_file():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
  if how != 'temporary':
    bad = tmp_path / 'x' / {'empty': '9', 'cut': '8'}[how]
    with pytest.raises(
      UnusableCheckpoint, match=rf'The checkpoint .*/{bad.name} cannot be read .*move it away'
    ):
      train(config, tmp_path / 'x', watch=look)
    with (
      Checkpoints(tmp_path / 'x') as checkpoints,
      pytest.raises(UnusableCheckpoint, match='cannot be read'),
    ):
      checkpoints.history()
    assert bad.is_dir()
    bad.rename(tmp_path / 'away')
  assert_same(train(config, tmp_path / 'x', watch=look), whole)
  assert {p.name for p in (tmp_path / 'x').iterdir()} == {'8', '12'}


def test_a_folder_whose_name_has_wildcards_resumes_bit_for_bit(folder, tmp_path, whole):
  config, place = config_of(folder), tmp_path / 'a[1]*?b'
  with pytest.raises(Interrupted):
    train(config, place, watch=look, should_stop=stop_after(5))
  assert_same(train(config, place, watch=look), whole)
  assert {p.name for p in place.iterdir()} == {'8', '12'}


def test_what_may_only_be_restored_is_not_trained(folder, tmp_path, whole):
  config = config_of(folder)
  with pytest.raises(UnusableCheckpoint, match='has no checkpoint of step 12; train it first'):
    train(config, tmp_path / 'x', only_restore=True)
  with pytest.raises(Interrupted):
    train(config, tmp_path / 'x', should_stop=stop_after(5))
  with pytest.raises(UnusableCheckpoint, match='has no checkpoint of step 12; train it first'):
    train(config, tmp_path / 'x', only_restore=True)
  assert_same(train(config, tmp_path / 'whole', only_restore=True), whole)


def test_seeds_differ_and_a_seed_repeats(folder, tmp_path, whole):
  again = train(config_of(folder), tmp_path / 'again', watch=look)
  other = train(config_of(folder, 'seed=1'), tmp_path / 'other', watch=look)
  assert_same(again, whole)
  assert other.history['curve'] != whole.history['curve']


def test_the_log_is_the_mean_since_the_last_one(folder, tmp_path, whole):
  """Twelve logs of one step each, averaged by hand, are the four logs of three."""
  single = train(config_of(folder, 'log_every=1'), tmp_path / 'single').history['curve']
  assert [entry['step'] for entry in single] == list(range(1, 13))
  assert [entry['step'] for entry in whole.history['curve']] == [3, 6, 9, 12]
  for i, entry in enumerate(whole.history['curve']):
    for name in ('loss', 'loss/supervised', 'loss/unsupervised', 'grad_norm', 'agreement'):
      mean = np.mean([one[name] for one in single[3 * i : 3 * i + 3]])
      np.testing.assert_allclose(entry[name], mean, rtol=1e-6)
    terms = [v for k, v in entry.items() if k.startswith('loss/')]
    np.testing.assert_allclose(entry['loss'], sum(terms), rtol=1e-6)


def test_pseudo_labels_in_the_log_are_those_that_numpy_counts(folder, tmp_path):
  """FixMatch on an MLP without normalization or augmentation, its beliefs computed again in NumPy."""
  config = config_of(folder, 'log_every=1', 'method.threshold=0.2', 'optimizer.lr=0.3')
  curve = train(config, tmp_path / 'x').history['curve']
  dataset = data.load('fake')
  labeled = labeled_of(config, dataset)
  program = compile_program(structure_of(config, dataset))
  on_device, numbers = arrays_of(dataset, labeled), numbers_of(config, len(labeled))
  draw = jax.jit(drawer(program.structure, make_mesh()))
  state, totals = program.init(np.uint32(config.seed), on_device, numbers)
  coverages = []
  for entry in curve:
    batch = draw(on_device, state.key, state.step, numbers['n_labels'])['unlabeled']
    assert set(batch) == {'image', 'index'}  # no label to leak
    weights = jax.tree.map(np.asarray, state.params)
    hidden, head = (next(iter(weights[k].values())) for k in ('encoder', 'head'))
    x = np.asarray(batch['image'], 'float64').reshape(16, -1) / 127.5 - 1
    logits = np.maximum(x @ hidden['kernel'] + hidden['bias'], 0) @ head['kernel'] + head['bias']
    belief = np.exp(logits - logits.max(1, keepdims=True))
    belief /= belief.sum(1, keepdims=True)
    kept, guess = belief.max(1) >= 0.2, belief.argmax(1)
    truth = dataset.train_labels[np.asarray(batch['index'])]
    right = (guess == truth)[kept]
    assert entry['pseudo/coverage'] == pytest.approx(kept.mean())
    assert entry['pseudo/precision'] == (pytest.approx(right.mean()) if kept.any() else None)
    for c in range(10):
      mine, claimed = truth == c, kept & (guess == c)
      by_class = (
        kept[mine].mean() if mine.any() else None,
        (truth[claimed] == c).mean() if claimed.any() else None,
      )
      told = entry['pseudo/coverage_by_class'][c], entry['pseudo/precision_by_class'][c]
      for a, b in zip(told, by_class):
        assert a == (None if b is None else pytest.approx(b))
    coverages.append(kept.mean())
    state, totals = program.advance(state, totals, on_device, numbers)
  assert 0 < np.mean(coverages) < 1  # else nothing was tested


def test_hidden_labels_reach_the_log_and_nothing_else(folder, tmp_path, whole):
  dataset, config = data.load('fake'), config_of(folder)
  labeled = labeled_of(config, dataset)
  hidden = (dataset.train_labels + 3) % 10
  hidden[labeled] = dataset.train_labels[labeled]
  other = dataset._replace(train_labels=hidden, test_labels=(dataset.test_labels + 1) % 10)
  moved = fit(make_plan(config, dataset)._replace(dataset=other), tmp_path / 'moved', watch=look)
  for a, b in zip(arrays(moved.state), arrays(whole.state), strict=True):
    np.testing.assert_array_equal(a, b)
  for new, old in zip(moved.history['curve'], whole.history['curve'], strict=True):
    changed = {name for name in old if new[name] != old[name]}
    assert changed and all(name.startswith('pseudo/') for name in changed)


def test_a_gradient_is_clipped_by_its_global_norm_and_logged_before(folder, tmp_path):
  free = train(config_of(folder, 'log_every=1'), tmp_path / 'free').history['curve']
  words = ('log_every=1', 'optimizer.weight_decay=0')
  clipped = train(config_of(folder, *words, 'optimizer.clip=1e-6'), tmp_path / 'clip')
  still = train(config_of(folder, 'log_every=1', 'optimizer.lr=0'), tmp_path / 'still')
  assert clipped.history['curve'][0]['grad_norm'] == free[0]['grad_norm'] > 1e-3
  for a, b in zip(arrays(clipped.state.params), arrays(still.state.params)):
    np.testing.assert_allclose(a, b, rtol=0, atol=5e-6)  # 12 steps of 0.03 · 1e-6 / (1 - 0.9) at most


@pytest.mark.parametrize('every', [1, 4])
def test_a_loss_that_is_not_finite_stops_with_its_step_and_keeps_what_was_good(folder, tmp_path, every):
  config = config_of(folder, 'optimizer.lr=1e30', f'checkpoint.every={every}')
  with pytest.raises(Diverged) as stopped:
    train(config, tmp_path / 'x', watch=look)
  step, saved = stopped.value.step, stopped.value.saved
  assert 0 < step < 3  # the first log, of step 3, finds it
  names = {p.name for p in (tmp_path / 'x').iterdir()} if saved else set()
  if every == 1:
    assert saved == step and names == {str(step)}  # the state that made the bad loss, saved before it
    with pytest.raises(Interrupted):
      train(config, tmp_path / 'x', should_stop=stop_after(1))  # it can be restored
  else:
    assert saved is None and 'no checkpoint came before it' in str(stopped.value)


def test_a_later_divergence_keeps_the_curve_and_the_checkpoint(folder, tmp_path):
  """A rate that grows: the good steps stay in the record, and no number in it is not finite."""
  config = config_of(folder, 'optimizer.lr=1e4', 'steps=60', 'log_every=1', 'checkpoint.every=1')
  run_folder = RunFolder(tmp_path / 'runs')
  found = run_trial(config, run_folder)
  assert found['status'] == 'diverged' and 'was not finite at step' in found['error']
  assert found['metrics'] == {} and found['cost'] == {}
  (record,) = records(run_folder.records).values()  # which refuses NaN and Infinity in the file
  assert read_curves(run_folder.record_of(record['id']))['curve'] == found['curve']
  step = int(found['error'].split('at step ')[1].split(';')[0])
  assert [entry['step'] for entry in found['curve']] == list(range(1, step + 1))
  (checkpoints,) = run_folder.checkpoints.iterdir()
  assert {p.name for p in checkpoints.iterdir()} == {str(step - 1), str(step)}
  assert run_trial(config, run_folder) == found  # an end like any other: it is not run again


BIG = """
net: {name: convnet, width: 4}
steps: 200
checkpoint: {every: 5}
evaluate: {every: 50}
"""
WORDS = ('seed=3', 'optimizer.lr=0.1')


def newest(run_folder: Path) -> int:
  """The step of the newest whole checkpoint in a run folder."""
  names = [p.name for p in run_folder.glob('checkpoints/*/*')]
  return max([int(name) for name in names if name.isdigit()], default=0)


def wait_for(condition, process, seconds=120):
  end = time.monotonic() + seconds
  while not condition():
    assert process.poll() is None, f'it ended before: {process.communicate()}'
    assert time.monotonic() < end, 'it took too long'
    time.sleep(0.002)


def last_state(run_folder: Path) -> list[np.ndarray]:
  import orbax.checkpoint as ocp

  (folder,) = run_folder.glob('checkpoints/*/200')
  restored = ocp.StandardCheckpointer().restore(folder / 'carry')
  return arrays(restored)


@pytest.mark.slow
def test_a_killed_and_a_stopped_command_end_as_an_uninterrupted_one(tmp_path):
  """`ssl-bench train` on a ConvNet with BatchNorm: alone; killed -9 on its way; stopped by SIGTERM."""
  config = write_configs(tmp_path / 'configs', BIG) / 'fixmatch.yaml'

  def begin(name):
    return start('train', config, *WORDS, '--runs', tmp_path / name)

  def finish(name):
    out = command('train', config, *WORDS, '--runs', tmp_path / name)
    run_folder = tmp_path / name / 'train'
    (record,) = records(run_folder / 'records').values()
    return out, record, last_state(run_folder)

  out, record, state = finish('whole')
  assert 'threshold: 0.3' in out and 'weight_decay: 0.0005' in out  # the resolved config is printed
  curves = read_curves(tmp_path / 'whole/train/records' / f'{record["id"]}.json')
  assert record['status'] == 'done' and [e['step'] for e in curves['evaluations']] == [50, 100, 150, 200]

  killed = begin('killed')
  wait_for(lambda: newest(tmp_path / 'killed/train') >= 40, killed)
  os.killpg(killed.pid, signal.SIGKILL)
  assert killed.wait() == -signal.SIGKILL and not records(tmp_path / 'killed/train/records')
  assert 40 <= newest(tmp_path / 'killed/train') < 200

  stopped = begin('stopped')
  wait_for(lambda: newest(tmp_path / 'stopped/train') >= 40, stopped)
  stopped.send_signal(signal.SIGTERM)
  told, _ = stopped.communicate(timeout=60)
  assert stopped.returncode == 128 + signal.SIGTERM
  step = newest(tmp_path / 'stopped/train')
  assert f'Stopped at step {step}, which is saved' in told and 40 <= step < 200

  for name in ('killed', 'stopped'):
    _, again, ended = finish(name)
    assert again == record
    for a, b in zip(ended, state, strict=True):
      np.testing.assert_array_equal(a, b)

  before = time.monotonic()
  assert 'Already recorded' in command('train', config, *WORDS, '--runs', tmp_path / 'whole')
  assert time.monotonic() - before < 30
