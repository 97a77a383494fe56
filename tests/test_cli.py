"""The command line: help at once, lists from signatures, and what a user gets wrong is one sentence."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.cli import ROOT, run, start, write_configs

import ssl_bench
from ssl_bench import methods, nets
from ssl_bench.records.curves import path_of


@pytest.fixture
def here(tmp_path, monkeypatch):
  write_configs(tmp_path / 'c')
  monkeypatch.chdir(tmp_path)
  for name in ('JAX_COMPILATION_CACHE_DIR', 'SSL_BENCH_DATA'):
    monkeypatch.setenv(name, os.environ.get(name, str(tmp_path.parent / 'nowhere')))
  return tmp_path


def test_help_comes_within_a_second_and_without_jax():
  code = (
    'import sys; sys.argv = ["ssl-bench", "--help"]\n'
    'from ssl_bench.cli import main\n'
    'try: main()\n'
    'except SystemExit as end: assert not end.code\n'
    'print([name for name in ("jax", "numpy", "pydantic", "flax", "wandb") if name in sys.modules])'
  )
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  used = lambda: sum(os.times()[2:4])  # seconds of the processor that children took, whatever else runs
  before = used()
  done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True)
  assert used() - before < 1
  assert done.stdout.splitlines()[-1] == '[]', done.stdout + done.stderr
  for name in ('train', 'evaluate', 'grid', 'leaderboard', 'submit', 'data', 'list', 'speed', 'init'):
    assert f' {name} ' in done.stdout


def test_a_training_does_not_import_what_takes_long_and_few_need():
  code = (
    'import sys; sys.argv = ["ssl-bench", "train", "digits/fixmatch", "steps=x"]\n'
    'from ssl_bench.cli import main\n'
    'try: main()\n'
    'except SystemExit as end: assert end.code == 2\n'
    'import ssl_bench.trial.command\n'
    'from ssl_bench import measures; measures.all_measures()\n'
    'named = ("scipy.stats", "sklearn", "matplotlib", "pandas", "wandb")\n'
    'print([name for name in named if name in sys.modules])'
  )
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True)
  assert done.stdout == '[]\n', done.stdout + done.stderr


@pytest.mark.parametrize('words', [(), ('data',), ('train', '--help'), ('data', 'prepare', '--help')])
def test_every_command_has_help(monkeypatch, capsys, words):
  code, out, errors = run(monkeypatch, capsys, *words)
  assert code == 0 and 'Usage:' in out and not errors


def test_the_version_is_that_of_the_package(monkeypatch, capsys):
  assert run(monkeypatch, capsys, '--version') == (0, f'ssl-bench {ssl_bench.__version__}\n', '')


def test_init_copies_what_is_shipped_byte_for_byte_and_says_what_to_do_next(monkeypatch, capsys, here):
  code, out, _ = run(monkeypatch, capsys, 'init', 'my bench')
  assert code == 0 and out.splitlines()[-1].endswith(": cd 'my bench' && ssl-bench train digits/fixmatch")
  for name in ('configs', 'experiments', 'tables'):
    files = sorted(path.relative_to(ROOT) for path in (ROOT / name).rglob('*.yaml'))
    assert sorted(path.relative_to('my bench') for path in Path('my bench', name).rglob('*.yaml')) == files
    assert all(Path('my bench', file).read_bytes() == (ROOT / file).read_bytes() for file in files)
    count = len([file for file in files if file.name[0] != '_'])
    assert f'my bench/{name}: {count} ' in out


def test_a_board_is_told_where_records_are(monkeypatch, capsys, here):
  (here / 'runs/mine/records').mkdir(parents=True)
  code, _, errors = run(monkeypatch, capsys, 'leaderboard')
  assert code == 2 and errors.endswith('name one with --records, such as runs/mine/records.\n')


def test_list_shows_every_setting_with_default_and_range(monkeypatch, capsys):
  code, out, _ = run(monkeypatch, capsys, 'list')
  assert code == 0
  for name in (*methods.names(), *nets.names(), 'randaugment', 'cutout', 'sgd', 'lars', 'digits', 'stl10'):
    assert re.search(rf'^{name}\b', out, re.MULTILINE), name
  assert re.search(r'threshold +0\.95 +a number in \[0, 1\]', out)
  assert re.search(r'widths +\(256, 256\) +a list of a whole number in \[1, 65536\], compiled', out)
  assert re.search(r'norm +batch +one of batch, group, layer, none, compiled', out)


def test_list_of_one_kind(monkeypatch, capsys):
  _, out, _ = run(monkeypatch, capsys, 'list', 'optimizers')
  assert 'sgd' in out and 'fixmatch' not in out


def test_data_list_says_what_is_there_and_how_to_get_the_rest(monkeypatch, capsys, tmp_path):
  monkeypatch.setenv('SSL_BENCH_DATA', str(tmp_path))
  code, out, _ = run(monkeypatch, capsys, 'data', 'list')
  assert code == 0
  assert re.search(r'digits/1\.0\.0 +1,197 \+ 200 \+ 400 +8×8×1 +10 +0\.0 MB, [0-9a-f]{8}', out)
  assert re.search(r'cifar10/3\.0\.2 +45,000 \+ 5,000 \+ 10,000 +32×32×3 +10 +no', out)
  assert 'ssl-bench data prepare cifar10 --from FOLDER' in out


# What only the data or the trace tells wrong; `test_config.py` has what the config tells.
WRONG_TRIALS = {
  'labels=5': 'labels=5 gives 5 labels for 10 classes; give each at least one.',
  'labels=0.001': 'labels=0.001 gives 0 labels for 10 classes',
  'labels=99999': 'labels=99999 is more than the training part has; use at most 240.',
  'fold=0': 'has 0 folds; leave fold=0 out.',
  'batch.labeled=1000': 'A step would see 2000 of 240 unlabeled images; make batch.labeled or',
  'batch.unlabeled_ratio=100': 'A step would see 800 of 240 unlabeled images',
  'net={name: vit, patch: 3}': 'vit: patch 3 must divide the image size 8x8; choose another patch.',
  'net={name: vit, dim: 10}': 'vit: dim 10 must be a multiple of heads',
  'optimizer.groups={hed: {lr: 1}}': "there are no parameters 'hed'; did you mean 'head'?",
  'dataset=cifar10': 'get it with: ssl-bench data prepare cifar10',
  'dataset=fake_100000x100000x3': 'an image would have 30,000,000,000 values; at most 150,528 are made.',
  'net={name: convnet, width: 99999999999}': 'net convnet: width must be in [1, 65536], not 99999999999.',
  'net={name: convnet, width: 65536}': 'The networks have 386,5',
  'evaluate.bootstrap=99999999999': 'evaluate.bootstrap must be less than or equal to 100000',
  'dataset=fake_8x8x2': 'images must have 1 or 3 channels, not 2.',
}
WRONG_WORDS = {
  ('train',): "Missing argument 'config'.",
  ('trian', 'c/fixmatch.yaml'): "No such command 'trian'. Did you mean 'train'?",
  ('train', 'c/fixmatch.yaml', '--rnus', 'x'): 'No such option: --rnus',
  ('train', 'c/fixmach.yaml'): "There is no config 'c/fixmach.yaml'; did you mean 'c/fixmatch.yaml'?",
  ('train', 'c'): "'c' is a folder, not a config; choose from c/fixmatch.yaml",
  ('train', 'c/fixmatch.yaml', 'lr=-1'): "There is no setting 'lr'; did you mean 'optimizer.lr'?",
  ('train', 'c/fixmatch.yaml', '--runs', 'afile'): 'Nothing can be written to afile; name another folder',
  ('train', 'c/fixmatch.yaml', '--runs', 'afile/x'): 'Nothing can be written to afile/x; name another folder',
  ('grid', 'c/grid.yaml', '--runs', 'afile'): 'Nothing can be written to afile; name another folder',
  (
    'evaluate',
    'c/fixmatch.yaml',
  ): 'fixmatch is not trained yet with these settings; run ssl-bench train with',
  ('evaluate', 'c/fixmatch.yaml', 'seed=-1'): 'seed must be greater than or equal to 0, not -1.',
  ('speed', 'c/fixmatch.yaml', '--steps', '3'): "Invalid value for '--steps'",
  ('speed', 'c/fixmatch.yaml', '--seeds', '1'): "Invalid value for '--seeds'",
  ('grid', 'c/gird.yaml'): "There is no grid 'c/gird.yaml'; did you mean 'c/grid.yaml'?",
  ('grid', 'c/fixmatch.yaml'): "c/fixmatch.yaml: there is no 'method' in a grid",
  ('grid', 'c/grid.yaml', 'labels=5'): 'labels=5 gives 5 labels for 10 classes',
  ('grid', 'c/grid.yaml', 'fold=1'): 'has 0 folds; leave fold=1 out.',
  ('grid', 'c/grid.yaml', 'dataset=cifar10'): 'get it with: ssl-bench data prepare cifar10',
  ('grid', 'c/grid.yaml', 'evaluate.probes=[knn]'): 'simclr has no classifier of its own; add linear to',
  (
    'grid',
    'c/grid.yaml',
    'method=simclr',
  ): "c/grid.yaml: 'method=simclr' would change method, which varies over",
  ('grid', 'c/grid.yaml', '--select', 'seed=3'): '--select: seed is 0 here, never 3.',
  ('grid', 'c/grid.yaml', '--select', 'method=simclr,labels=7'): 'labels is 20 here, never 7.',
  ('grid', 'c/grid.yaml', '--workers', '99999999'): "Invalid value for '--workers'",
  ('grid', 'w/train.yaml'): "w/train.yaml: 'train' is taken for something else beside grids",
  (
    'grid',
    'w/twice.yaml',
  ): "w/twice.yaml line 3 cannot be read: 'blocks' stands twice; leave one of them out.",
  ('speed', 'c/fixmatch.yaml', '--steps', '99999999999'): "Invalid value for '--steps'",
  ('train', 'fixmatch'): "There is no config 'fixmatch'; did you mean 'digits/fixmatch'?",
  ('grid', 'qickstart'): "There is no grid 'qickstart'; did you mean 'quickstart'?",
  ('leaderboard',): 'such as runs/quickstart/records, which `ssl-bench grid quickstart` makes.',
  ('init', 'c'): 'c/experiments is there and stays as it is; name another folder.',
  ('init', 'afile'): 'afile is a file; name a folder, which is made where it is not there.',
  ('train', 'c/fixmatch'): "There is no config 'c/fixmatch'; did you mean 'c/fixmatch.yaml'?",
  ('train', f'c/{"x" * 300}.yaml'): 'its name is too long.',
  ('train', 'w/circle.yaml'): 'stands on this file itself',
  ('train', 'c/fixmatch.yaml', '--runs', 'x' * 300): 'File name too long.',
  ('grid', 'c/grid.yaml', '--workers', '-1'): "Invalid value for '--workers'",
  ('grid', 'c/grid.yaml', '--wandb', 'offlin'): "Invalid value for '--wandb': 'offlin' is not one of",
  ('list', 'metods'): "There is no list of 'metods'; did you mean 'methods'?",
  ('data', 'lst'): "No such command 'lst'. Did you mean 'list'?",
  ('data', 'prepare', 'minst'): "There is no dataset 'minst'; did you mean 'mnist'?",
  ('data', 'prepare', 'mnist', '--from', 'nowhere'): 'there is no folder nowhere',
  ('submit', 'nowhere'): "There is no 'nowhere'; name a record or a folder such as runs/quickstart.",
  ('submit', 'c'): "There is no record under 'c'.",
  ('leaderboard', '--records', 'nowhere'): "There is no folder 'nowhere'; name one with --records",
}


@pytest.mark.parametrize(
  ('words', 'sentence'),
  [(('train', 'c/fixmatch.yaml', words), sentence) for words, sentence in WRONG_TRIALS.items()]
  + list(WRONG_WORDS.items()),
  ids=lambda x: ' '.join(x) if isinstance(x, tuple) else '',
)
def test_a_users_mistake_is_one_sentence_exit_code_2_and_nothing_written(
  monkeypatch, capsys, here, words, sentence
):
  (here / 'afile').write_text('')
  (here / 'c/grid.yaml').write_text('base: .\nblocks: [{method: [supervised, simclr]}]')
  (here / 'c/experiments').mkdir()
  (here / 'w').mkdir()
  (here / 'w/train.yaml').write_text('base: c\nblocks: [{method: supervised}]')
  (here / 'w/twice.yaml').write_text('base: c\nblocks: [{method: supervised}]\nblocks: [{method: simclr}]')
  (here / 'w/circle.yaml').write_text('base: elcric.yaml\nmethod: supervised')
  (here / 'w/elcric.yaml').write_text('base: circle.yaml')
  monkeypatch.setenv('SSL_BENCH_DATA', str(here / 'data'))
  before = sorted(here.rglob('*'))
  code, _, errors = run(monkeypatch, capsys, *words)
  assert code == 2
  *progress, told = errors.splitlines()
  assert told.startswith('ssl-bench: ') and sentence in told
  assert not progress or progress == ['checking the files in nowhere']
  assert sorted(here.rglob('*')) == before


def test_a_folder_that_takes_nothing_is_named(monkeypatch, capsys, here):
  (here / 'records').mkdir()
  (here / 'board').write_text('')
  code, _, errors = run(monkeypatch, capsys, 'leaderboard', '--records', 'records', '--out', 'board')
  assert code == 2 and 'board: File exists.' in errors and errors.count('\n') == 1


@pytest.mark.skipif(not os.path.exists('/proc/self'), reason='needs a file system that refuses folders')
def test_a_file_system_that_refuses_is_one_sentence(monkeypatch, capsys, here):
  (here / 'c/grid.yaml').write_text('base: .\nblocks: [{method: supervised}]')
  code, _, errors = run(monkeypatch, capsys, 'grid', 'c/grid.yaml', '--runs', '/proc/self/nowhere')
  assert code == 2 and errors.startswith('ssl-bench: ') and errors.count('\n') == 1, errors


def test_a_broken_record_in_the_way_is_named(monkeypatch, capsys, here):
  (here / 'runs/grid/records').mkdir(parents=True)
  (here / 'runs/grid/records/x.json').write_text('{"half')
  code, _, errors = run(monkeypatch, capsys, 'leaderboard', '--records', 'runs/grid/records')
  assert code == 1 and 'Left out: runs/grid/records/x.json is not a readable record' in errors


def test_a_board_of_some_records_goes_to_a_folder_of_its_own(monkeypatch, capsys, here):
  for method in ('supervised', 'fixmatch'):
    path = next((ROOT / f'leaderboard/records/digits/{method}').glob('*.json'))
    (here / 'given/records').mkdir(parents=True, exist_ok=True)
    shutil.copy(path, here / 'given/records')
  words = ('leaderboard', '--records', 'given/records', '--select', 'method=fixmatch')
  code, _, errors = run(monkeypatch, capsys, *words, '--out', 'part')
  assert (code, errors) == (0, '')
  page = (here / 'part/index.html').read_text()
  assert '1 trials' in (here / 'part/README.md').read_text() and 'fixmatch' in page
  code, _, errors = run(monkeypatch, capsys, *words, '--out', 'given')
  assert code == 2 and 'would take the place of the board; name another folder with --out.' in errors
  code, _, errors = run(monkeypatch, capsys, *words[:3], '--select', 'method=byol', '--out', 'part')
  assert code == 2 and "method is fixmatch or supervised here, never 'byol'" in errors


def test_a_bad_record_is_named_the_good_ones_are_shown_and_submit_takes_neither(monkeypatch, capsys, here):
  path = next((ROOT / 'leaderboard/records/digits/supervised').glob('*.json'))
  good = json.loads(path.read_text())
  (here / 'given').mkdir()
  (here / 'given/good.json').write_text(json.dumps(good))
  shutil.copy(path_of(path), path_of(here / 'given/good.json'))
  code, _, errors = run(monkeypatch, capsys, 'leaderboard', '--records', 'given', '--out', 'board')
  assert (code, errors) == (0, '') and '1 trials' in (here / 'board/README.md').read_text()

  (here / 'given/bad.json').write_text(json.dumps(good | {'metrics': {**good['metrics'], 'accuracy': 2.0}}))
  code, out, errors = run(monkeypatch, capsys, 'leaderboard', '--records', 'given', '--out', 'board')
  assert code == 1 and out == 'board/README.md\nboard/index.html\n'
  said = (
    'given/bad.json is not a record of schema 2: metrics.accuracy must be less than or equal to 1, not 2.0.'
  )
  assert errors == f'Left out: {said}\n'
  assert '1 trials' in (here / 'board/README.md').read_text()

  code, _, errors = run(monkeypatch, capsys, 'submit', 'given', '--to', 'a folder')
  assert (code, errors) == (2, f'ssl-bench: {said}\n') and not (here / 'a folder').exists()
  (here / 'given/bad.json').unlink()
  code, out, _ = run(monkeypatch, capsys, 'submit', 'given', '--to', 'a folder')
  assert code == 0 and out.endswith("Now run: ssl-bench leaderboard --records 'a folder'\n")
  code, out, _ = run(monkeypatch, capsys, 'leaderboard', '--records', 'a folder', '--out', 'board')
  assert code == 0 and 'submitted' in (here / 'board/README.md').read_text()
  code, out, _ = run(monkeypatch, capsys, 'submit', 'given', '--ours')
  assert code == 0 and out.endswith('Now run: ssl-bench leaderboard\n')


def test_a_refused_grid_compiles_nothing_into_its_folder(here):
  """In a process of its own: where programs are kept is set once."""
  (here / 'c/grid.yaml').write_text(
    'base: .\nblocks: [{method: simclr, augment.strong: jitter, labels: [20, -1]}]'
  )
  code = (
    'import sys; from ssl_bench.cli import main; sys.argv = sys.argv[:1] + ["grid", "c/grid.yaml"]; main()'
  )
  environment = {k: v for k, v in os.environ.items() if not k.startswith('JAX_')} | {'PYTHONPATH': str(ROOT)}
  done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True)
  assert done.returncode == 2 and 'labels must be greater than 0, not -1' in done.stderr
  assert not (here / 'runs').exists()


def test_a_selection_is_what_a_grid_runs(monkeypatch, capsys, here):
  from ssl_bench.grid import command as whole

  (here / 'c/grid.yaml').write_text(
    'base: .\nblocks: [{method: [simclr, supervised], labels: [20, 40], seed: [0, 1]}]'
  )
  seen = []
  monkeypatch.setattr(whole, 'run_whole', lambda grid, *rest, **named: seen.extend(grid.configs) or 0)
  words = ('c/grid.yaml', 'steps=24', '--select', 'method=simclr, labels=40', '--select', 'seed=1')
  code, _, _ = run(monkeypatch, capsys, 'grid', *words)
  assert code == 0
  assert [(c.method['name'], c.labels, c.seed, c.steps) for c in seen] == [('simclr', 40, 1, 24)]


@pytest.mark.parametrize('where', ['load', 'print'])
def test_a_key_that_interrupts_is_exit_code_130(monkeypatch, capsys, here, where):
  def interrupt(*words, **named):
    raise KeyboardInterrupt

  monkeypatch.setattr(
    *{'load': ('ssl_bench.config.load',), 'print': ('ssl_bench.cli.listing.show',)}[where], interrupt
  )
  code, _, errors = run(
    monkeypatch, capsys, *{'load': ('train', 'c/fixmatch.yaml'), 'print': ('list',)}[where]
  )
  assert code == 130 and 'Traceback' not in errors
  monkeypatch.setattr('ssl_bench.cli.app', interrupt)  # outside of any command
  assert run(monkeypatch, capsys, 'list')[0] == 130


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs a file that takes nothing')
def test_a_standard_output_that_takes_nothing_is_one_sentence():
  for words in (('list', 'optimizers'), ('--help',)):
    with open('/dev/full', 'w') as full:
      command = [sys.executable, '-m', 'ssl_bench.cli', *words]
      environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
      done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True)
    told = 'ssl-bench: Nothing can be written to standard output: No space left on device.\n'
    assert (done.returncode, done.stderr) == (2, told)


def test_a_full_disk_is_one_sentence_and_another_error_of_the_system_is_not_hidden(monkeypatch, capsys):
  def fail(number):
    def show(*words):
      raise OSError(number, os.strerror(number))

    return show

  monkeypatch.setattr('ssl_bench.cli.listing.show', fail(errno.ENOSPC))
  assert run(monkeypatch, capsys, 'list')[::2] == (2, 'ssl-bench: No space left on device.\n')
  monkeypatch.setattr('ssl_bench.cli.listing.show', fail(errno.ENOEXEC))
  code, _, errors = run(monkeypatch, capsys, 'list')
  *trace, last = errors.splitlines()
  assert code == 70 and trace[0].startswith('Traceback') and 'in show' in errors
  assert last == f'ssl-bench: Crashed: OSError: [Errno {errno.ENOEXEC}] Exec format error.'


def test_a_terminal_without_a_sign_shows_another():
  process = start('list', 'settings', LC_ALL='C', PYTHONUTF8='0')
  told, errors = process.communicate(timeout=60)
  assert process.returncode == 0 and 'a number ? 0, ? 1' in told and 'Traceback' not in errors


def test_a_pipe_that_closes_early_is_no_error():
  process = start('list')
  process.stdout.close()
  errors = process.stderr.read()
  process.wait(timeout=60)
  assert 'Traceback' not in errors


@pytest.mark.slow
def test_train_then_evaluate_then_a_board(monkeypatch, capsys, here):
  """One pretraining; another label budget and other probes are looked at, and nothing is trained again."""

  def trial(*words):
    before = set(here.glob('runs/train/records/*.json'))
    code, out, _ = run(monkeypatch, capsys, *words)
    (path,) = set(here.glob('runs/train/records/*.json')) - before
    assert code == 0 and f'Recorded: {path.relative_to(here)}' in out
    return json.loads(path.read_text()), out

  first, out = trial('train', 'c/simclr.yaml')
  assert (
    yaml.safe_load(out[: out.index('Recorded')]) == first['config']
  )  # what is printed is what is recorded
  assert f'accuracy, %  {100 * first["metrics"]["accuracy"]:.2f} (probe with the same labels)' in out
  (checkpoint,) = here.glob('runs/train/checkpoints/*/12')
  trained = checkpoint.stat().st_mtime_ns

  second, _ = trial('evaluate', 'c/simclr.yaml', 'labels=40', 'evaluate.probes=[linear]')
  assert second['labels'] == 40 and second['metrics']['linear'] == first['metrics']['linear']
  assert 'knn' in first['metrics'] and 'knn' not in second['metrics']
  assert checkpoint.stat().st_mtime_ns == trained and len(list(here.glob('runs/train/checkpoints/*'))) == 1

  code, out, _ = run(monkeypatch, capsys, 'train', 'c/simclr.yaml')
  assert code == 0 and f'Already recorded: runs/train/records/{first["id"]}.json' in out

  code, out, _ = run(monkeypatch, capsys, 'leaderboard', '--records', 'runs/train/records', '--out', 'board')
  assert code == 0 and (here / 'board/README.md').is_file() and (here / 'board/index.html').is_file()

  code, _, errors = run(monkeypatch, capsys, 'submit', 'runs/train', '--to', 'given')
  assert code == 2 and 'is of a synthetic set, which is for tests only.' in errors
  assert not (here / 'given').exists()


@pytest.mark.slow
def test_a_trial_that_diverges_says_so_with_exit_code_1(monkeypatch, capsys, here):
  code, out, _ = run(monkeypatch, capsys, 'train', 'c/simclr.yaml', 'optimizer.lr=1e30')
  assert code == 1 and re.search(r'diverged: The loss or its gradient was not finite at step \d+;', out)
  code, out, _ = run(monkeypatch, capsys, 'train', 'c/simclr.yaml', 'optimizer.lr=1e30')
  assert code == 1 and 'Already recorded' in out and 'diverged' in out
