"""The pages about one's own method, net, …: their files are written as printed and their commands run."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import command

import ssl_bench
from ssl_bench.docs import ROOT

PAGES = ROOT / 'docs' / 'your-own'
SHORT = (
  *('steps=6', 'batch.labeled=4', 'batch.unlabeled_ratio=2', 'log_every=3', 'checkpoint.every=6'),
  *('evaluate.every=6', 'evaluate.last=1', 'evaluate.bootstrap=100', 'evaluate.probes=[]'),
)
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str, str]]:
  """(language, title or '', text) of each block of code of a page."""
  return BLOCK.findall((PAGES / f'{page}.md').read_text(encoding='utf-8'))


def commands(page: str) -> list[list[str]]:
  """The command lines of the blocks of commands without a title."""
  texts = [text for language, title, text in blocks(page) if language == 'bash' and not title]
  return [shlex.split(line) for text in texts for line in text.splitlines() if line]


def write_files(page: str, folder: Path) -> None:
  for language, title, text in blocks(page):
    if title and language in ('python', 'yaml'):
      path = folder / title
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(text, encoding='utf-8')


def run(words: list[str], folder: Path, short: tuple[str, ...] = SHORT) -> str:
  """Runs a line of a page in a folder, a training with fewer steps; what it said."""
  if words[0] == 'python':
    done = subprocess.run(
      [sys.executable, *words[1:]], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout
  assert words[0] == 'ssl-bench', words
  package = str(Path(ssl_bench.__file__).parents[1])
  more = () if words[1] == 'data' else (*short, '--wandb', 'disabled')
  return command(*words[1:], *more, PYTHONPATH=package)


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """A reader's folder: the project's configs for the digits, and nothing else."""
  shutil.copytree(ROOT / 'configs/digits', tmp_path / 'configs/digits')
  monkeypatch.chdir(tmp_path)
  return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize('page', ['method', 'net', 'augmentation', 'dataset', 'measure'])
def test_what_a_page_says_works_as_printed(page, folder):
  write_files(page, folder)
  for words in commands(page):
    said = run(words, folder)
    assert words[0] == 'python' or 'Recorded: runs/train/records/' in said, said
  trained = sum(words[0] == 'ssl-bench' for words in commands(page))
  made = [json.loads(path.read_text()) for path in (folder / 'runs/train/records').glob('*.json')]
  assert len(made) == trained and {record['status'] for record in made} == {'done'}
  if page == 'measure':
    assert -1 <= made[0]['metrics']['kappa'] <= 1


@pytest.mark.parametrize('page', ['method', 'net', 'augmentation', 'dataset', 'measure'])
def test_a_page_has_a_plugin_file_and_trains_with_it(page):
  listed = [text for _, title, text in blocks(page) if title.endswith('.py') and 'PLUGINS = {' in text]
  assert len(listed) == 1
  compile(listed[0], page, 'exec')
  assert any(words[:2] == ['ssl-bench', 'train'] for words in commands(page))
  used = ' '.join(word for words in commands(page) for word in words)
  protocols = ' '.join(text for language, _, text in blocks(page) if language == 'yaml')
  assert 'plugins' in used + protocols


@pytest.mark.slow
def test_the_page_of_your_data_ends_with_a_board(folder, monkeypatch):
  """The pictures are written first; then all commands run, with fewer steps and fewer trials of the grid."""
  monkeypatch.setenv('SSL_BENCH_DATA', str(folder / 'data'))
  write_files('data', folder)
  lines = commands('data')
  lines.sort(key=lambda words: words[0] != 'python')
  few = ('--select', 'split_seed=0, labels=40')
  said = {
    ' '.join(words): run([*words, *(few if 'grid' in words else ())], folder, SHORT[:-1])  # with probes
    for words in lines
  }
  board = said['ssl-bench grid flowers']
  assert all(name in board for name in ('supervised', 'fixmatch', 'simclr', '40 labels')), board
  for line in ('train mine/fixmatch', 'train mine/simclr'):
    assert 'Recorded: runs/train/records/' in said[f'ssl-bench {line} labels=40']
  assert '32×32×1, 1,298 to train, 140 to validate, 359 to test' in said[' '.join(lines[1])]
  assert 'mine is right' in said['ssl-bench data check mine']


def test_the_page_on_checks_says_what_the_command_says(folder):
  [words] = commands('check')
  package = str(Path(ssl_bench.__file__).parents[1])
  said = command(*words[1:], PYTHONPATH=package, SSL_BENCH_DATA=str(folder / 'data'))
  page = (PAGES / 'check.md').read_text(encoding='utf-8')
  shown = [line[4:] for line in page.splitlines() if line.startswith('    ')]
  assert len(shown) == 3 and all(line in said.splitlines() for line in shown), said
  assert (folder / 'suspects.html').read_text(encoding='utf-8').count('<figure>') >= 2


def load(page: str, folder: Path):
  """A page's plugin file as a module."""
  write_files(page, folder)
  [path] = [folder / title for _, title, text in blocks(page) if title and 'PLUGINS' in text]
  spec = importlib.util.spec_from_file_location(f'page_{page}', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_the_net_gives_features_of_images_of_any_size(tmp_path):
  import jax
  import numpy as np

  net = load('net', tmp_path).tiny(width=8)
  images = np.ones((3, 9, 7, 1), 'float32')
  params, stats = net.init(jax.random.key(0), images)
  features, _ = net.apply(params, stats, images, train=True)
  assert features.shape == (3, 24) and features.dtype == 'float32'


def test_the_operation_adds_noise_of_that_deviation(tmp_path):
  import jax
  import numpy as np

  grain = load('augmentation', tmp_path).grain
  image = np.full((64, 64, 1), 128, 'uint8')
  noisy = np.asarray(grain(deviation=10.0, probability=1.0)(jax.random.key(0), image))
  assert noisy.dtype == 'uint8' and abs(noisy.astype(float).std() - 10) < 1 and abs(noisy.mean() - 128) < 1
  assert (np.asarray(grain(probability=0.0)(jax.random.key(0), image)) == image).all()


def test_the_measure_is_scikit_learns(tmp_path):
  from types import SimpleNamespace

  import numpy as np
  from sklearn.metrics import cohen_kappa_score

  rng = np.random.default_rng(0)
  logits, labels = rng.normal(size=(60, 4)), rng.integers(0, 4, 60)
  dataset = SimpleNamespace(test_labels=labels, classes=4)
  trained = SimpleNamespace(logits=SimpleNamespace(test=logits), dataset=dataset)
  module = load('measure', tmp_path)
  assert module.kappa(trained) == pytest.approx(cohen_kappa_score(labels, logits.argmax(-1)))
  assert module.kappa(SimpleNamespace(logits=None)) is module.ABSENT


def test_the_pages_method_has_forty_lines():
  [text] = [text for _, title, text in blocks('method') if title == 'agreement.py']
  assert len([line for line in text.splitlines() if line.strip()]) <= 42


@pytest.fixture
def checkout(tmp_path):
  """The project with the page's method in it, as a reader has it after following "Contribute it"."""
  for name in ('ssl_bench', 'tests', 'configs'):
    shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('__pycache__'))
  shutil.copy(ROOT / 'pyproject.toml', tmp_path)
  [text] = [text for _, title, text in blocks('method') if title == 'agreement.py']
  path = tmp_path / 'ssl_bench/methods/consistency/agreement.py'
  assert path.relative_to(tmp_path).as_posix() in (PAGES / 'method.md').read_text(encoding='utf-8')
  path.write_text(text.split('\n\n\nPLUGINS')[0] + '\n')
  return tmp_path


def follow(checkout: Path, *words: str) -> tuple[int, str]:
  """Runs a line of "Contribute it": its exit code, and what it said."""
  start = {'ssl-bench': ['-m', 'ssl_bench.cli'], 'python': []}[words[0]]
  env = {**os.environ, 'PYTHONPATH': str(checkout), 'JAX_PLATFORMS': 'cpu'}
  process = subprocess.run(
    [sys.executable, *start, *words[1:]], cwd=checkout, env=env, capture_output=True, text=True, timeout=600
  )
  return process.returncode, process.stdout + process.stderr


def lines_of_a_checkout() -> list[list[str]]:
  [text] = [text for _, title, text in blocks('method') if title == 'in a checkout']
  return [shlex.split(line) for line in text.splitlines()]


@pytest.mark.slow
def test_a_contributed_method_passes_the_suite_and_trains(checkout):
  train, suite = lines_of_a_checkout()
  code, said = follow(checkout, *suite, '-rs', '-n', '0')
  assert code == 0, said
  passed, skipped = (int(re.search(rf'(\d+) {word}', said)[1]) for word in ('passed', 'skipped'))
  assert passed >= 14 and skipped == 1 and 'tests/golden/agreement.py' in said, said
  code, said = follow(checkout, *train, *SHORT, 'labels=20', '--wandb', 'disabled')
  assert code == 0 and 'Recorded: runs/train/records/' in said, said


@pytest.mark.slow
@pytest.mark.parametrize(('right', 'wrong', 'told'), [
  ('weight * soft', 'soft', 'weight changes nothing'),
  ("'loss/agreement': agreed", "'loss/agreement': 2 * agreed", 'test_loss_is_finite_and_the_sum'),
])  # fmt: skip
def test_the_suite_finds_what_is_wrong_without_a_golden_file(right, wrong, told, checkout):
  path = checkout / 'ssl_bench/methods/consistency/agreement.py'
  assert path.read_text().count(right) == 1
  path.write_text(path.read_text().replace(right, wrong))
  *suite, _ = lines_of_a_checkout()[1]
  code, said = follow(checkout, *suite, 'agreement and (number or sum)', '-n', '0')
  assert code == 1 and told in said and '1 failed, 1 passed' in said, said
