"""The W&B mirror, read back with W&B's own reader, and what happens where W&B cannot."""

import copy
import json
import math
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import matplotlib
import pytest
from PIL import Image
from support.cli import write_configs
from support.wandb_server import Server

from ssl_bench import cli
from ssl_bench import config as configs
from ssl_bench.config import Config
from ssl_bench.planning import make_plan
from ssl_bench.records import curves, naming, trackers
from ssl_bench.records import record as records
from ssl_bench.records.trackers import _contents as told_of
from ssl_bench.records.trackers import wandb as track
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run import describe

ID = '0123456789abcdef'
CLASSES, BINS = 10, 15


def a_record(**changes):
  """A trial as the bench writes it."""
  by_class = [0.5 + 0.05 * c for c in range(CLASSES)]
  bins = {
    'count': [0] * 5 + [10] * 10,
    'confidence': [0.0] * 5 + [(b + 0.5) / BINS for b in range(5, BINS)],
    'accuracy': [0.0] * 5 + [b / BINS for b in range(5, BINS)],
  }
  scaled = {**bins, 'count': [0] * 4 + [10] * 11}
  calibrated = {'nll': 0.8, 'brier': 0.3, 'ece': 0.06, 'ece_interval': [0.04, 0.09]}
  pseudo = {'precision': 0.9, 'coverage': 0.5, 'precision_by_class': [None, *by_class[1:]]}
  made = {
    'schema': 2,
    'id': ID,
    'grid': 'quickstart',
    'protocol': 'smoke',
    'status': 'done',
    'error': None,
    'config': {
      'dataset': 'digits',
      'labels': 40,
      'split_seed': 1,
      'seed': 2,
      'protocol': 'smoke',
      'method': {'name': 'fixmatch', 'threshold': 0.95, 'weight': 1.0},
      'net': {'name': 'mlp', 'widths': [256, 256]},
      'optimizer': {'name': 'sgd', 'lr': 0.03},
      'augment': {'weak': 'crop(1)', 'strong': 'crop(1) | cutout(3)'},
      'fold': None,
    },
    'augment_resolved': {'weak': 'crop(padding=1)', 'strong': 'crop(padding=1) | cutout(size=3)'},
    'family': 'semi-supervised',
    'versions': {'protocol': 1, 'method': 1, 'fingerprint': 'beef', 'dataset': 'digits/1.0.0'},
    'labels': 40,
    'labels_seen': 'trial',
    'split': {'hash': 'cafe' * 16, 'labeled': 40, 'train': 1197, 'validation': 200, 'test': 400},
    'metrics': {
      'accuracy': 0.725,
      'accuracy_by_class': by_class,
      **calibrated,
      'scaled': calibrated,
      'reliability': bins,
      'reliability_scaled': scaled,
      'knn': {'20': 0.9},
      'collapsed': False,
      'classifier': 'own',
      'pseudo_labels': pseudo,
    },
    'curve': [
      {
        'step': s,
        'loss': 2 / s,
        'loss/supervised': 1 / s,
        'pseudo/precision': None,
        'pseudo/by_class': by_class,
      }
      for s in (50, 100, 150)
    ],
    'evaluations': [{'step': s, 'test_accuracy': s / 200, 'validation_accuracy': 0.6} for s in (100, 150)],
    'cost': {'seconds_per_epoch': 0.5, 'gflops_per_epoch': 0.3, 'peak_memory_bytes': None, 'shared': False},
    'environment': {'python': '3.11.7', 'packages': {'jax': '0.10.2'}},
    'time': {'started': '2026-01-01T00:00:00+00:00', 'finished': '2026-01-01T00:01:00+00:00'},
  }
  made = copy.deepcopy(made) | changes
  rows = {name: made[name] for name in curves.NAMES}
  curves.Curves.model_validate(rows)
  records.Record.model_validate({k: v for k, v in made.items() if k not in rows} | {'curves': None})
  return made


def run_folders(folder, record_id='*'):
  return sorted((folder / 'wandb').glob(f'offline-run-*-{record_id}'))


@cache
def inspect(run_folder):
  """The transaction log of an offline run, kind -> entries, by `wandb leet inspect`."""
  command = [sys.executable, '-m', 'wandb', 'leet', 'inspect', '--json', str(run_folder)]
  out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
  found = {}
  for entry in map(json.loads, out.splitlines()):
    found.setdefault(entry['type'], []).append(entry.get(entry['type']))
  return found


@pytest.fixture(scope='module')
def mirrored(tmp_path_factory):
  """A good and a diverged trial, mirrored by one call: (folder, how many)."""
  folder = tmp_path_factory.mktemp('run_folder')
  error = 'The loss was not finite at step 120.'
  diverged = a_record(id='f' * 16, status='diverged', error=error, metrics={}, cost={})
  diverged |= {'curve': diverged['curve'][:2], 'evaluations': [], 'grid': None}
  before = dict(os.environ), 'wandb' in sys.modules
  count = track.mirror([a_record(), diverged], folder)
  assert (dict(os.environ), 'wandb' in sys.modules) == before
  return folder, count


@pytest.mark.slow
def test_a_run_says_all_of_a_record(mirrored):
  folder, count = mirrored
  assert count == 2
  (path,) = run_folders(folder, ID)
  seen, made = inspect(path), a_record()
  run = seen['run'][0]
  assert (run['run_id'], run['project'], run['run_group']) == (ID, 'ssl_bench', 'quickstart/fixmatch')
  assert run['display_name'] == 'fixmatch digits 40 labels, seed 1/2'
  assert set(run['tags']) == {'smoke', 'digits', 'fixmatch'}
  told = {k: v for k, v in run['config']['update'].items() if k != '_wandb'}
  assert told == made['config'] | {k: made[k] for k in told_of.FACTS}
  assert seen['exit'][-1].get('exit_code', 0) == 0

  summary = {k: v for part in seen['summary'] for k, v in part['update'].items()}
  expected = {
    'accuracy': 0.725,
    'scaled/nll': 0.8,
    'ece_interval/low': 0.04,
    'ece_interval/high': 0.09,
    'knn/20': 0.9,
    'pseudo_labels/coverage': 0.5,
    'collapsed': False,
    'classifier': 'own',
    'cost/seconds_per_epoch': 0.5,
    'status': 'done',
  }
  assert expected.items() <= summary.items()
  assert not {'cost/peak_memory_bytes', 'accuracy_by_class', 'error'} & summary.keys()

  rows = {entry['item']['_step']: entry['item'] for entry in seen['history']}
  assert {s: row['train/loss'] for s, row in rows.items()} == {50: 2 / 50, 100: 2 / 100, 150: 2 / 150}
  assert {s: row.get('evaluate/test_accuracy') for s, row in rows.items()} == {50: None, 100: 0.5, 150: 0.75}
  assert rows[50]['train/loss/supervised'] == 1 / 50 and 'train/pseudo/precision' not in rows[50]


def test_tables_and_picture_are_files_of_the_run(mirrored):
  (path,) = run_folders(mirrored[0], ID)
  (last,) = [e['item'] for e in inspect(path)['history'] if e['item']['_step'] == 150]
  read = lambda key: json.loads((path / 'files' / last[f'{key}.path']).read_text())
  table, made = read('tables/reliability'), a_record()['metrics']
  assert table['columns'] == ['measure', 'bin', 'count', 'confidence', 'accuracy']
  assert len(table['data']) == 2 * BINS
  assert [row[2] for row in table['data']] == made['reliability']['count'] + made['reliability_scaled'][
    'count'
  ]
  assert [row[4] for row in table['data'][:BINS]] == made['reliability']['accuracy']
  table = read('tables/classes')
  assert table['columns'] == ['class', 'accuracy_by_class', 'precision_by_class']
  assert table['data'][0] == [0, 0.5, None] and table['data'][9] == [9, 0.95, 0.95]
  with Image.open(path / 'files' / last['plots/reliability.path']) as picture:
    assert picture.format == 'PNG' and picture.size == (400, 400)
    assert len(picture.convert('RGB').getcolors(2**16)) > 10  # two curves, axes and text


def test_a_diverged_trial_is_a_failed_run_with_its_curve(mirrored):
  (path,) = run_folders(mirrored[0], 'f' * 16)
  seen = inspect(path)
  run = seen['run'][0]
  assert run['notes'] == 'diverged: The loss was not finite at step 120.'
  assert 'diverged' in run['tags'] and run['run_group'] == 'train/fixmatch'
  assert seen['exit'][-1]['exit_code'] == 1
  assert [entry['item']['_step'] for entry in seen['history']] == [50, 100]


def test_all_files_are_under_the_folder_and_nothing_temporary_stays(mirrored):
  folder, _ = mirrored
  assert [p.name for p in folder.iterdir()] == ['wandb']
  assert not [p for p in (folder / 'wandb').iterdir() if p.name.startswith('.tmp-')]


@pytest.fixture
def home(tmp_path, monkeypatch):
  """A home of its own, in which nothing may be when the test ends."""
  path = tmp_path / 'home'
  path.mkdir()
  monkeypatch.setenv('MPLCONFIGDIR', matplotlib.get_cachedir())  # matplotlib's own list of fonts
  monkeypatch.setenv('HOME', str(path))
  yield path
  assert list(path.iterdir()) == []


@pytest.mark.slow
def test_home_and_environment_are_left_alone(home, tmp_path, monkeypatch):
  for name, value in {'MODE': 'online', 'RUN_ID': 'other', 'DIR': str(home), 'DISABLED': 'true'}.items():
    monkeypatch.setenv(f'WANDB_{name}', value)
  before = dict(os.environ)
  assert track.mirror([a_record()], tmp_path / 'run_folder') == 1
  assert dict(os.environ) == before
  assert len(run_folders(tmp_path / 'run_folder', ID)) == 1


def with_settings(number, lr=0.03, **settings):
  """A trial of a sweep: its id, and what of its config is other than usual."""
  made = a_record(id=f'{number:016x}', metrics={}, curve=[], evaluations=[])
  made['config'] |= {'optimizer': {'name': 'sgd', 'lr': lr}, **settings}
  return made


def run_of(folder, record):
  """What W&B reads of a mirrored record."""
  (path,) = run_folders(folder, record['id'])
  return inspect(path)['run'][0]


def configs_of(sweep):
  return [record['config'] for record in sweep]


def test_names_and_groups_tell_what_the_sweep_varies():
  method = {'name': 'fixmatch', 'threshold': 0.9, 'weight': 1.0}
  sweep = [
    with_settings(0),
    with_settings(1, lr=0.1),
    with_settings(2, lr=0.1, seed=3),
    with_settings(3, lr=0.1, labels=20),
    with_settings(4, method=method, stress={'label_noise': 0.2}),
    with_settings(5, lr=0.5, method={'name': 'simclr', 'temperature': 0.5}),
  ]
  names = naming.varied(configs_of(sweep))
  told = [told_of.about(one, naming.variant(one['config'], names)) for one in sweep]
  assert len({run['name'] for run in told}) == 6
  usual = 'fixmatch digits 40 labels, seed 1/2, method.threshold=0.95, optimizer.lr'
  assert [run['name'] for run in told[:2]] == [f'{usual}=0.03', f'{usual}=0.1']
  noisy = 'method.threshold=0.9, optimizer.lr=0.03, stress.label_noise=0.2'
  assert told[4]['name'] == f'fixmatch digits 40 labels, seed 1/2, {noisy}'
  assert told[4]['group'] == f'quickstart/fixmatch, labels=40, {noisy}'
  assert told[5]['name'] == 'simclr digits 40 labels, seed 1/2'  # alone of its method
  assert told[5]['group'] == 'quickstart/simclr'
  groups = [run['group'] for run in told]
  assert groups[1] == groups[2] == 'quickstart/fixmatch, labels=40, method.threshold=0.95, optimizer.lr=0.1'
  assert len(set(groups)) == 5  # two seeds of one trial are one group


@pytest.mark.slow
def test_a_sweep_that_grows_by_an_axis_names_its_runs_anew(tmp_path):
  first, second = with_settings(0), with_settings(1, lr=0.1)
  assert track.mirror([first], tmp_path) == 1
  assert run_of(tmp_path, first)['display_name'] == 'fixmatch digits 40 labels, seed 1/2'
  assert track.mirror([first, second], tmp_path) == 2
  assert run_of(tmp_path, first)['display_name'] == 'fixmatch digits 40 labels, seed 1/2, optimizer.lr=0.03'
  assert track.mirror([second], tmp_path, among=[first, second]) == 0


def test_a_name_that_is_too_long_stays_one_of_its_own():
  policies = [
    f'crop(1) | {" | ".join(f"cutout({n})" for n in range(1, 12))} | cutout({last})' for last in (3, 4)
  ]
  sweep = [with_settings(i, augment={'strong': policy}) for i, policy in enumerate(policies)]
  names = naming.varied(configs_of(sweep))
  told = [told_of.about(one, naming.variant(one['config'], names)) for one in sweep]
  for key, limit in (('name', 128), ('group', 128)):
    assert len({one[key] for one in told}) == 2 and all(len(one[key]) <= limit for one in told)


def test_of_a_teacher_only_what_differs_from_its_student_is_told():
  teacher = lambda seed, lr: {
    'method': {'name': 'simclr'},
    'seed': seed,
    'optimizer': {'lr': lr},
    'labels': 40,
  }
  seeds = [with_settings(i, seed=i, teacher=teacher(i, 0.1)) for i in range(2)]
  assert naming.varied(configs_of(seeds)) == {'fixmatch': set()}
  rates = [with_settings(i, teacher=teacher(2, lr)) for i, lr in enumerate((0.1, 0.2))]
  assert naming.varied(configs_of(rates)) == {'fixmatch': {'teacher.optimizer.lr'}}


@pytest.mark.slow
def test_project_and_entity_are_those_of_the_environment(tmp_path, monkeypatch):
  monkeypatch.setenv('WANDB_PROJECT', 'mine')
  monkeypatch.setenv('WANDB_ENTITY', 'us')
  one = with_settings(0)
  assert track.mirror([one], tmp_path) == 1
  run = run_of(tmp_path, one)
  assert (run['project'], run['entity']) == ('mine', 'us')
  monkeypatch.setattr(track, '_mirror', lambda pending, *_: (len(pending), None))
  assert track.mirror([one], tmp_path) == 0
  assert track.mirror([one], tmp_path, project='told') == 1
  monkeypatch.setenv('WANDB_ENTITY', 'others')
  assert track.mirror([one], tmp_path) == 1


def ssl_bench(monkeypatch, capsys, *words):
  """(exit code, stdout, stderr) of a command in this process."""
  monkeypatch.setattr(sys, 'argv', ['ssl-bench', *map(str, words)])
  with pytest.raises(SystemExit) as end:
    cli.main()
  return end.value.code or 0, *capsys.readouterr()


def recorded(run_folder, path, *overrides, **changes):
  """A record of a config's trial, as training it would have left it in a run folder."""
  plan = make_plan(configs.load(path, overrides))
  measured = {'metrics': a_record()['metrics'], 'status': 'done'}
  time = {'started': '2026-01-01T00:00:00', 'finished': '2026-01-01T00:01:00'}
  made = {**describe(plan), **measured, 'time': time, 'grid': None, **changes}
  for drawn in ('reliability', 'reliability_scaled'):
    del made['metrics'][drawn]
  made['metrics'] |= {'nll': 0.8, 'scaled': {'nll': 0.7, 'ece': 0.1}, 'collapsed': False}
  records.write(made, run_folder / 'records')
  return made


def test_a_recorded_trial_that_lost_its_curves_is_shown_and_not_mirrored(tmp_path, monkeypatch, capsys):
  path = write_configs(tmp_path / 'c') / 'fixmatch.yaml'
  run_folder = tmp_path / 'runs/train'
  made = recorded(run_folder, path, curve=[{'step': 3, 'loss': 1.0}])
  curves.path_of(run_folder / f'records/{made["id"]}.json').unlink()
  code, out, errors = ssl_bench(monkeypatch, capsys, 'train', path, '--runs', tmp_path / 'runs')
  assert code == 0 and out.startswith('Already recorded:') and 'accuracy' in out
  assert errors.startswith('ssl-bench: not mirrored: ') and ' is missing; ' in errors
  assert errors.count('\n') == 1 and not (run_folder / 'wandb').exists()


@pytest.mark.slow
def test_a_trial_that_is_recorded_already_is_mirrored_if_it_was_not(tmp_path, monkeypatch, capsys):
  path = write_configs(tmp_path / 'c') / 'fixmatch.yaml'
  one = recorded(tmp_path / 'runs/train', path)
  other = recorded(tmp_path / 'runs/train', path, 'optimizer.lr=0.5')
  words = ('train', path, '--runs', tmp_path / 'runs')
  code, out, _ = ssl_bench(monkeypatch, capsys, *words, '--wandb', 'disabled')
  assert code == 0 and out.startswith('Already recorded:')
  run_folder = tmp_path / 'runs/train'
  assert not (run_folder / 'wandb').exists()
  code, out, errors = ssl_bench(monkeypatch, capsys, *words)
  assert (code, errors) == (0, '') and out.startswith('Already recorded:')
  assert run_of(run_folder, one)['display_name'].endswith('20 labels, seed 0/0, optimizer.lr=0.03')
  assert not run_folders(run_folder, other['id'])
  before = run_folders(run_folder)
  assert ssl_bench(monkeypatch, capsys, *words)[0] == 0 and run_folders(run_folder) == before


@pytest.mark.slow
def test_a_grid_that_is_recorded_already_is_mirrored_if_it_was_not(tmp_path, monkeypatch, capsys):
  path, run_folder = write_configs(tmp_path / 'c') / 'fixmatch.yaml', tmp_path / 'runs/mine'
  (tmp_path / 'mine.yaml').write_text('base: c\nblocks: [{method: fixmatch, optimizer.lr: [0.03, 0.5]}]')
  made = [recorded(run_folder, path, f'optimizer.lr={lr}') for lr in (0.03, 0.5)]
  words = ('grid', tmp_path / 'mine.yaml', '--runs', tmp_path / 'runs')
  assert ssl_bench(monkeypatch, capsys, *words, '--wandb', 'disabled')[0] == 0
  assert not (run_folder / 'wandb').exists()
  assert ssl_bench(monkeypatch, capsys, *words)[0] == 0
  assert [run_of(run_folder, one)['run_group'].rpartition(', ')[2] for one in made] == [
    'optimizer.lr=0.03', 'optimizer.lr=0.5'
  ]  # fmt: skip


@pytest.mark.parametrize(
  'command', ['train', *(pytest.param(c, marks=pytest.mark.slow) for c in ('grid', 'evaluate'))]
)
def test_online_without_a_key_is_refused_before_anything_runs(command, online, tmp_path, monkeypatch, capsys):
  path = write_configs(tmp_path / 'c') / 'fixmatch.yaml'
  (tmp_path / 'mine.yaml').write_text('base: c\nblocks: [{method: fixmatch}]')
  before = sorted(tmp_path.rglob('*'))
  file = tmp_path / 'mine.yaml' if command == 'grid' else path
  words = (command, file, '--runs', tmp_path / 'runs', '--wandb', 'online')
  code, _, errors = ssl_bench(monkeypatch, capsys, *words)
  assert code == 2 and errors.count('\n') == 1
  assert (
    f'--wandb online: there is no key for {online.address}; run `wandb login` or set WANDB_API_KEY' in errors
  )
  assert sorted(tmp_path.rglob('*')) == before


@pytest.mark.slow
def test_a_key_in_the_environment_or_in_netrc_is_found_and_a_wrong_one_told(online, tmp_path, monkeypatch):
  monkeypatch.setenv('WANDB_API_KEY', 'abc')
  with pytest.raises(BadSetting, match=r'--wandb online: .*40.* characters'):
    track.check_login('online')
  monkeypatch.setenv('WANDB_API_KEY', 'a' * 40)
  track.check_login('online')
  monkeypatch.delenv('WANDB_API_KEY')
  host = online.address.removeprefix('http://')
  (tmp_path / 'netrc').write_text(f'machine {host}\nlogin user\npassword {"a" * 40}\n')
  monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))
  track.check_login('online')


@pytest.mark.parametrize('mode', ['offline', 'disabled'])
def test_without_a_server_no_key_is_asked_for(mode, monkeypatch):
  monkeypatch.setattr(track, 'run_child', pytest.fail)
  track.check_login(mode)


def test_on_the_command_line_what_was_not_mirrored_is_one_plain_line(tmp_path, capsys):
  (tmp_path / 'file').write_text('')
  trackers.mirror_and_say([trackers.parse('wandb')], [a_record()], [a_record()], tmp_path / 'file')
  out, errors = capsys.readouterr()
  assert out == '' and errors.startswith('ssl-bench: W&B mirrored 0 of 0 new records (')
  assert errors.endswith('; the records themselves are safe.\n') and errors.count('\n') == 1


@pytest.mark.slow
def test_mirroring_again_writes_only_what_is_new(tmp_path, capfd):
  first, changed = a_record(metrics={}, status='failed', error='OSError: no space'), a_record(metrics={})
  assert track.mirror([first], tmp_path) == 1
  old = run_folders(tmp_path)
  assert track.mirror([first], tmp_path) == 0
  assert run_folders(tmp_path) == old and len(old) == 1
  # a failed trial was run again; another call was killed in the middle of the second record
  half = tmp_path / 'wandb' / f'offline-run-20260101_000000-{"a" * 16}'
  half.mkdir()
  assert track.mirror([changed, a_record(id='a' * 16, metrics={})], tmp_path) == 2
  assert len(run_folders(tmp_path)) == 2 and not half.exists()
  (path,) = run_folders(tmp_path, ID)
  assert inspect(path)['exit'][-1].get('exit_code', 0) == 0
  assert capfd.readouterr() == ('', '')


@pytest.mark.slow
def test_a_record_that_cannot_be_shown_does_not_stop_the_others(tmp_path):
  broken = a_record(id='b' * 16) | {'curve': 5}
  with pytest.warns(trackers.NotMirrored, match='mirrored 1 of 2 new records') as caught:
    assert track.mirror([broken, a_record(metrics={})], tmp_path) == 1
  assert len(caught) == 1
  assert len(run_folders(tmp_path)) == 1


def test_without_wandb_there_is_one_sentence(tmp_path, monkeypatch):
  (tmp_path / 'blocked').mkdir()
  (tmp_path / 'blocked' / 'wandb.py').write_text("raise ModuleNotFoundError('gone', name='wandb')")
  monkeypatch.syspath_prepend(str(tmp_path / 'blocked'))
  with pytest.warns(trackers.NotMirrored, match=r'0 of 1 new records \(the package wandb is not installed'):
    assert track.mirror([a_record()], tmp_path / 'run_folder') == 0


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.warns(trackers.NotMirrored, match='NotADirectoryError|FileExistsError'):
    assert track.mirror([a_record()], tmp_path / 'file') == 0


def test_a_child_that_hangs_is_ended(tmp_path, monkeypatch):
  (tmp_path / 'slow').mkdir()
  (tmp_path / 'slow' / 'wandb.py').write_text('import time\ntime.sleep(600)')
  monkeypatch.syspath_prepend(str(tmp_path / 'slow'))
  monkeypatch.setattr(track, 'limit', lambda count: 2)
  with pytest.warns(trackers.NotMirrored, match='no end after 2 s'):
    assert track.mirror([a_record()], tmp_path / 'run_folder') == 0


def test_disabled_and_unknown_modes(tmp_path):
  assert track.mirror([a_record()], tmp_path, mode='disabled') == 0
  assert list(tmp_path.iterdir()) == []
  with pytest.raises(BadSetting, match="did you mean 'offline'"):
    track.mirror([a_record()], tmp_path, mode='ofline')


def test_facts_of_a_record_do_not_hide_settings():
  assert not set(told_of.FACTS) & set(Config.model_fields)
  assert set(told_of.FACTS) <= set(records.Record.model_fields)


@pytest.fixture
def online(home, monkeypatch):
  """A server, and the environment of a user who is set up for it but for the key."""
  for name in ('WANDB_API_KEY', 'HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'):
    monkeypatch.delenv(name, raising=False)
  server = Server()
  monkeypatch.setenv('WANDB_BASE_URL', server.address)
  yield server
  server.stop()


@pytest.mark.slow
def test_online_the_server_gets_run_curve_tables_and_picture(online, tmp_path, monkeypatch):
  monkeypatch.setenv('WANDB_API_KEY', 'a' * 40)
  assert track.mirror([a_record()], tmp_path / 'run_folder', mode='online', project='digits') == 1
  (bucket, *_) = online.buckets
  assert (bucket['name'], bucket['project']) == (ID, 'digits')
  assert json.loads(bucket['config'])['method']['value']['threshold'] == 0.95
  lines = [
    json.loads(line)
    for stream in online.streams
    for line in stream.get('files', {}).get('wandb-history.jsonl', {}).get('content', [])
  ]
  assert [line['train/loss'] for line in lines] == [2 / 50, 2 / 100, 2 / 150]
  names = {Path(path).suffix for path in online.files}
  assert {'.png', '.json'} <= names
  assert track.mirror([a_record()], tmp_path / 'run_folder', mode='online', project='digits') == 0


@pytest.mark.slow
def test_online_without_a_key_or_a_server_is_one_sentence_and_soon(online, tmp_path, monkeypatch):
  with pytest.warns(trackers.NotMirrored, match='0 of 1 new records'):
    assert track.mirror([a_record()], tmp_path / 'run_folder', mode='online') == 0
  monkeypatch.setenv('WANDB_API_KEY', 'a' * 40)
  monkeypatch.setenv('WANDB_BASE_URL', 'http://127.0.0.1:9')
  with pytest.warns(trackers.NotMirrored, match='0 of 2 new records'):
    assert track.mirror([a_record(), a_record(id='c' * 16)], tmp_path / 'run_folder', mode='online') == 0


def test_words_for_numbers_that_are_not_finite_are_numbers_again():
  """A record says `NaN` as text; a chart of W&B's takes numbers."""
  made = a_record()
  made['metrics'] |= {'nll': 'NaN', 'privacy': {'epsilon': 'Infinity', 'stream': 'labeled'}}
  made['metrics']['accuracy_by_class'] = [0.5, 'NaN']
  made['curve'][1]['loss'] = '-Infinity'
  told = told_of.contents(made, {})
  assert math.isnan(told.summary['nll']) and told.summary['privacy/epsilon'] == math.inf
  assert told.summary['privacy/stream'] == 'labeled'
  assert dict(told.history)[100]['train/loss'] == -math.inf
  columns, rows = told.tables['tables/classes']
  assert math.isnan(rows[1][columns.index('accuracy_by_class')])


@pytest.mark.slow
def test_a_run_with_such_numbers_is_mirrored(tmp_path):
  made = a_record(metrics={**a_record()['metrics'], 'nll': 'NaN', 'mce': 'Infinity'})
  made['curve'][1]['loss'] = 'NaN'
  assert track.mirror([made], tmp_path) == 1
