"""`data add` and what follows on the command line: configs to begin with, a trial, a board, the removal."""

import json
import shutil

import numpy as np
import pytest
from support import own_images as own
from support.cli import command

from ssl_bench import config as configs
from ssl_bench.cli.starters import write_starters
from ssl_bench.data import load
from ssl_bench.data.adding.add import add
from ssl_bench.grid.expand import expand
from ssl_bench.planning import make_plan
from ssl_bench.settings.signature import BadSetting

SHORT = ('steps=4', 'batch.labeled=4', 'batch.unlabeled_ratio=2', 'labels=4', 'log_every=2')
LOOK = ('evaluate.every=4', 'evaluate.last=1', 'evaluate.bootstrap=100', 'checkpoint.every=4')


@pytest.fixture
def here(tmp_path, monkeypatch):
  """A working folder of its own, with its own data folder."""
  monkeypatch.setenv('SSL_BENCH_DATA', str(tmp_path / 'data'))
  monkeypatch.chdir(tmp_path)
  return tmp_path


def test_the_starters_resolve_for_every_kind_of_set(here):
  """Of gray and color, small and large, few and many images, and without labels: each config is valid."""
  rng = np.random.default_rng(0)
  shapes = {'tiny': (2, 2, 1), 'gray': (28, 28, 1), 'color': (32, 48, 3), 'large': (96, 96, 3)}
  for name, shape in shapes.items():
    number = 8 if name == 'tiny' else 60
    images = rng.integers(0, 256, (number, *shape), np.uint8)
    np.savez(here / f'{name}.npz', images=images, labels=np.arange(number) % 2)
    done = add(name, images=here / f'{name}.npz')
    written, kept = write_starters(name, done.meta, here)
    assert len(written) == 5 and not kept
    for path in (here / 'configs' / name).glob('[!_]*.yaml'):
      config = configs.load(path, need_data=True)
      assert config.dataset == name and config.labels <= done.meta.sizes.train
    grid = expand(here / 'experiments' / f'{name}.yaml', need_data=True)
    assert {config.method['name'] for config in grid.configs} == {'supervised', 'fixmatch', 'simclr'}
    assert configs.load(f'{name}/mean_teacher').method['name'] == 'mean_teacher'  # has no file of its own


@pytest.mark.slow
def test_the_starters_fit_their_data(here):
  """A plan checks batches, crops and nets against the images."""
  for name, shape in (('gray', (10, 14, 1)), ('large', (72, 72, 3))):
    images = np.random.default_rng(0).integers(0, 256, (40, *shape), np.uint8)
    np.savez(here / f'{name}.npz', images=images, labels=np.arange(40) % 2)
    write_starters(name, add(name, images=here / f'{name}.npz').meta, here)
    for method in ('supervised', 'fixmatch', 'simclr'):
      assert make_plan(configs.load(f'{name}/{method}')).dataset.name == name


def test_starters_overwrite_nothing(here):
  done = add('mine', images=own.write_classes(here / 'photos'))
  (here / 'configs/mine').mkdir(parents=True)
  (here / 'configs/mine/_protocol.yaml').write_text('mine: to keep')
  written, kept = write_starters('mine', done.meta, here)
  assert [path.name for path in kept] == ['_protocol.yaml'] and len(written) == 4
  assert (here / 'configs/mine/_protocol.yaml').read_text() == 'mine: to keep'


def test_a_set_without_labels_says_what_it_is_for(here):
  for i, image in enumerate(own.pictures(40)):
    own.write(here / 'photos' / f'{i}.png', own.encoded(image))
  done = add('blind', unlabeled=here / 'photos')
  write_starters('blind', done.meta, here)
  plan = make_plan(configs.load('blind/simclr', need_data=True))
  assert not plan.uses_labels and plan.config.evaluate.probes == ()
  with pytest.raises(
    BadSetting, match=r'blind has no labels for linear; write evaluate.probes=\[\] to pretrain'
  ):
    make_plan(configs.load('blind/simclr', ['evaluate.probes=[linear]']))
  with pytest.raises(
    BadSetting, match='blind has no labels, and fixmatch learns from labels; use a method that'
  ):
    make_plan(configs.load('blind/fixmatch'))


@pytest.mark.slow
def test_a_folder_becomes_a_set_a_trial_and_a_board(here):
  own.write_classes(here / 'photos', each=12)
  said = command('data', 'add', 'mine', '--images', 'photos', '--license', 'CC0')
  assert 'mine/' in said and '12×12×3, 18 to train, 2 to validate, 4 to test' in said and 'cat, dog' in said
  assert 'wrote configs/mine/_protocol.yaml' in said and 'Now: ssl-bench grid mine' in said
  assert said.index('Now: ') < said.index('Look at it first: ssl-bench data check mine\n')
  again = command('data', 'add', 'mine', '--images', 'photos')
  assert 'nothing was changed' in again and 'left configs/mine/_protocol.yaml as it is' in again
  trained = command('train', 'mine/supervised', *SHORT, *LOOK, '--wandb', 'disabled')
  assert 'Recorded: runs/train/records/' in trained
  [path] = [p for p in (here / 'runs/train/records').glob('*.json') if not p.name.endswith('.gz')]
  record = json.loads(path.read_text())
  fingerprint = load('mine').fingerprint
  assert record['status'] == 'done' and record['versions']['dataset'] == f'mine/{fingerprint[:8]}'
  assert 'mine/' in command('data', 'list') and 'mine is right' in command('data', 'check', 'mine')
  own.write_classes(here / 'photos', ['owl'], first=70)
  refused = command('data', 'add', 'mine', '--images', 'photos', code=2)
  assert refused.count('\n') < 8 and 'ssl-bench: there is a set' in refused and 'Traceback' not in refused
  replaced = command('data', 'add', 'mine', '--images', 'photos', '--replace', '--no-configs')
  assert f'the set with the fingerprint {fingerprint[:8]}' in replaced and 'wrote' not in replaced
  removed = command('data', 'remove', 'mine')
  assert 'records on mine stay, and so do configs/mine and experiments/mine.yaml' in removed
  board = command('leaderboard', '--records', 'runs/train/records', '--out', 'board')
  assert 'Left out' not in board and '## mine, budget protocol' in (here / 'board/README.md').read_text()
  gone = command('train', 'mine/supervised', code=2)
  assert "There is no dataset 'mine'" in gone


def test_another_folder_is_told_where_the_configs_of_an_added_set_are(here, monkeypatch):
  done = add('nf', images=own.write_classes(here / 'photos'))
  write_starters('nf', done.meta, here)
  assert configs.load('nf/simclr').dataset == 'nf'
  (here / 'elsewhere').mkdir()
  monkeypatch.chdir(here / 'elsewhere')
  says = (
    r"There is no {} '{}' in this folder, but the data set 'nf' is there; run this in the folder where "
    r'`ssl-bench data add nf` was run, run that command again here, or copy configs/nf and '
    r'experiments/nf.yaml to here'
  )
  for name in ('nf/simclr', 'configs/nf/simclr.yaml'):
    with pytest.raises(BadSetting, match=says.format('config', name)):
      configs.load(name)
  for name in ('nf', 'experiments/nf.yaml'):
    with pytest.raises(BadSetting, match=says.format('grid', name)):
      expand(name)
  with pytest.raises(BadSetting, match="There is no config 'np/simclr'; did you mean"):
    configs.load('np/simclr')
  shutil.copytree(here / 'configs', 'configs')
  with pytest.raises(BadSetting, match=r"There is no config 'nf/simclrr'; did you mean '.*nf/simclr"):
    configs.load('nf/simclrr')


def test_a_set_without_shipped_configs_is_named(here):
  with pytest.raises(
    BadSetting,
    match=r"no config 'kmnist/fixmatch' .* none is shipped .*'kmnist'; write configs/kmnist/_proto",
  ):
    configs.load('kmnist/fixmatch')


def test_another_machine_is_told_how_a_set_comes_there(here, monkeypatch):
  write_starters('nf', add('nf', images=own.write_classes(here / 'photos')).meta, here)
  monkeypatch.setenv('SSL_BENCH_DATA', str(here / 'another'))
  says = r"no dataset 'nf'; .* added by `ssl-bench data add` on each machine, or shared by SSL_BENCH_DATA"
  for look in (lambda: configs.load('nf/simclr', need_data=True), lambda: expand('nf', need_data=True)):
    with pytest.raises(BadSetting, match=says):
      look()
