"""The README is true: its method runs as it stands, its commands do what it says, its files exist."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import numpy as np
import pytest
import typer.main
from support.cli import command, records

from ssl_bench import cli, data, methods
from ssl_bench import config as configs
from ssl_bench.grid.expand import expand
from ssl_bench.plan import identity
from ssl_bench.plan.arrays import arrays_of
from ssl_bench.plan.build import streams_seen
from ssl_bench.plan.numbers import numbers_of
from ssl_bench.plan.structure import structure_of
from ssl_bench.train.program import compile_program

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()


def indented(after: str) -> str:
  """The first indented block after some words."""
  text = README[README.index(after) :]
  lines = text.splitlines()
  first = next(i for i, line in enumerate(lines) if line.startswith('    '))
  block = []
  for line in lines[first:]:
    if line and not line.startswith('    '):
      break
    block.append(line[4:])
  return '\n'.join(block).strip() + '\n'


@pytest.fixture
def agreement(tmp_path, monkeypatch):
  """The README's own method, among the methods."""
  source = indented('## A method in 40 lines')
  (tmp_path / 'agreement.py').write_text(source)
  monkeypatch.setattr(methods, '__path__', [*methods.__path__, str(tmp_path)])
  return source


def test_the_readmes_method_has_forty_lines(agreement):
  assert len([line for line in agreement.splitlines() if line.strip()]) <= 40


@pytest.mark.slow
def test_the_readmes_method_trains(agreement):
  assert 'agreement' in methods.names()
  config = configs.load(
    ROOT / 'configs/digits/supervised.yaml',
    ['method=agreement', 'labels=20', 'net={name: mlp, widths: [32]}', 'augment.strong=none', 'steps=150'],
  )
  dataset = data.load('digits')
  program = compile_program(structure_of(config, dataset))
  labeled = data.labeled_indices(dataset.train_labels, 20, split_seed=0, classes=10)
  arrays, numbers = jax.device_put((arrays_of(dataset, labeled), numbers_of(config, 20)))
  state, totals = program.init(np.uint32(0), arrays, numbers)
  for _ in range(150):
    state, totals = program.advance(state, totals, arrays, numbers)
  logits = program.observe(state, numbers, dataset.test_images)['logits']
  assert (np.asarray(logits).argmax(-1) == dataset.test_labels).mean() > 0.5


@pytest.fixture
def copy(tmp_path):
  """The project with the README's method in it, as a reader has it after writing the file."""
  for name in ('ssl_bench', 'tests', 'configs'):
    shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns('__pycache__'))
  shutil.copy(ROOT / 'pyproject.toml', tmp_path)
  (tmp_path / 'ssl_bench/methods/agreement.py').write_text(indented('## A method in 40 lines'))
  return tmp_path


def follow(copy, line, *more):
  """Runs a line of the README in a copy of the project: its exit code, and what it said."""
  first, *words = shlex.split(line)
  start = {'ssl-bench': ['-m', 'ssl_bench.cli'], '.venv/bin/python': []}[first]
  env = {**os.environ, 'PYTHONPATH': str(copy), 'JAX_PLATFORMS': 'cpu'}
  process = subprocess.run(
    [sys.executable, *start, *words, *more], cwd=copy, env=env, capture_output=True, text=True, timeout=600
  )
  return process.returncode, process.stdout + process.stderr


@pytest.mark.slow
def test_the_readmes_method_passes_what_the_readme_says_and_trains(copy):
  train, suite = indented('Then train it, and let the suite try it.').splitlines()
  code, said = follow(copy, suite, '-rs')
  assert code == 0, said
  passed, skipped = (int(re.search(rf'(\d+) {word}', said)[1]) for word in ('passed', 'skipped'))
  assert (passed, skipped) == (14, 1) and 'tests/golden/agreement.py' in said, said
  short = ('steps=4', 'labels=20', 'batch.labeled=4', 'net={name: mlp, widths: [8]}', 'evaluate.probes=[]')
  code, said = follow(copy, train, *short, '--wandb', 'disabled')
  assert code == 0 and 'Recorded: runs/train/records/' in said, said


@pytest.mark.slow
@pytest.mark.parametrize(('right', 'wrong', 'told'), [
  ('weight * soft', 'soft', 'weight changes nothing'),
  ("'loss/agreement': agreed", "'loss/agreement': 2 * agreed", 'test_loss_is_finite_and_the_sum'),
])  # fmt: skip
def test_the_suite_finds_what_is_wrong_without_a_golden_file(right, wrong, told, copy):
  path = copy / 'ssl_bench/methods/agreement.py'
  assert path.read_text().count(right) == 1
  path.write_text(path.read_text().replace(right, wrong))
  suite = indented('Then train it, and let the suite try it.').splitlines()[1]
  code, said = follow(copy, suite.replace('agreement', "'agreement and (number or sum)'"))
  assert code == 1 and told in said and '1 failed, 1 passed' in said, said


def test_the_readmes_sweep_expands(tmp_path):
  (tmp_path / 'mine.yaml').write_text(indented('augmentations is replacing a string.'))
  grid = expand(tmp_path / 'mine.yaml')
  assert grid.name == 'mine' and len(grid.configs) == 27 + 9


def commands(first):
  """The README's command lines that begin with a word, as lists of words."""
  lines = (line[4:] for line in README.splitlines() if line.startswith(f'    {first} '))
  return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture
def as_a_reader(tmp_path, monkeypatch, agreement):
  """The project's folder as one finds it, with the README's own grid and method."""
  shutil.copytree(ROOT / 'experiments', tmp_path / 'experiments')
  (tmp_path / 'configs').symlink_to(ROOT / 'configs')
  (tmp_path / 'experiments/mine.yaml').write_text(indented('augmentations is replacing a string.'))
  monkeypatch.chdir(tmp_path)
  yield
  sys.modules.pop('ssl_bench.methods.agreement', None)


def parsed(words):
  """The name of a command and its parameters, parsed by the command line itself."""
  group = typer.main.get_command(cli.app)
  name, *rest = words[1:]
  while hasattr(group.commands[name], 'commands'):
    group, (name, *rest) = group.commands[name], rest
  return name, group.commands[name].make_context(name, list(rest)).params


def test_every_command_in_the_readme_parses_and_its_config_resolves(as_a_reader):
  seen = set()
  for words in commands('ssl-bench'):
    name, params = parsed(words)
    seen.add(name)
    if 'config' in params:
      configs.load(params['config'], params['overrides'] or ())
    elif 'file' in params:
      assert expand(params['file'], params['overrides'] or ()).configs
    elif 'name' in params:
      data.check_name(params['name'])
  assert seen >= {'train', 'evaluate', 'speed', 'grid', 'submit', 'leaderboard', 'list', 'prepare'}
  targets = re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE)
  made = [word for words in commands('make') for word in words[1:]]
  assert made and set(made) <= set(targets)
  extras = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['optional-dependencies']
  asked = re.findall(r"'\.\[(\w+)\]'", README)
  assert asked and set(asked) <= extras.keys()


def test_what_the_readme_evaluates_it_has_trained_before(as_a_reader):
  """The commands in order: each `evaluate` is of a training that a `train` above has done."""
  trained = set()
  for words in commands('ssl-bench'):
    name, params = parsed(words)
    if name not in ('train', 'evaluate'):
      continue
    config = configs.load(params['config'], params['overrides'] or ())
    dataset = data.load(config.dataset)
    training = identity.identify_training(
      config, dataset.fingerprint, streams_seen(structure_of(config, dataset))
    )
    assert name == 'train' or training in trained, words
    trained.add(training)
  assert [words[1] for words in commands('ssl-bench')].count('evaluate')


@pytest.mark.slow
def test_the_readmes_evaluation_follows_its_training(tmp_path, monkeypatch):
  """As printed, but for fewer steps of a smaller net."""
  monkeypatch.chdir(ROOT)
  short = ('steps=6', 'net={name: mlp, widths: [16]}', 'checkpoint.every=6', 'evaluate.bootstrap=100')
  both = [words[1:] for words in commands('ssl-bench') if 'configs/digits/simclr.yaml' in words]
  assert [words[0] for words in both] == ['train', 'evaluate']
  for words in both:
    command(*words, *short, '--runs', tmp_path, '--wandb', 'disabled')
  made = records(tmp_path / 'train/records').values()
  assert sorted(one['labels'] for one in made) == [20, 100]
  assert len(list((tmp_path / 'train/checkpoints').iterdir())) == 1


def test_the_readme_names_what_there_is():
  for name in methods.names():
    assert f'| `{name}` |' in README
  for path in re.findall(r'`((?:configs|experiments|notebooks|tests)/[\w./]+\.\w+)`', README):
    assert (ROOT / path).exists() or 'agreement' in path, path
  for path in re.findall(r'\]\(([\w./]+)\)', README):
    assert (ROOT / path).exists(), path
