"""The README is true: its commands do what it says, its files exist, and it is short."""

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
import typer.main
from support.cli import command, records

from ssl_bench import cli, data
from ssl_bench import config as configs
from ssl_bench.grid.expand import expand
from ssl_bench.planning import identity
from ssl_bench.planning.build import streams_seen
from ssl_bench.planning.structure import structure_of
from ssl_bench.tune.file import read as read_tuning

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')
PAGES = sorted((ROOT / 'docs').glob('*.md'))


def indented(after: str) -> str:
  """The first indented block of the README after some words."""
  lines = README[README.index(after) :].splitlines()
  first = next(i for i, line in enumerate(lines) if line.startswith('    '))
  block = []
  for line in lines[first:]:
    if line and not line.startswith('    '):
      break
    block.append(line[4:])
  return '\n'.join(block).strip() + '\n'


def grid_of_the_page() -> str:
  """The grid of docs/sweeps.md."""
  text = (ROOT / 'docs/sweeps.md').read_text(encoding='utf-8')
  return re.search(r'```yaml title="experiments/mine.yaml"\n(.*?)```', text, re.DOTALL)[1]


def tuning_of_the_page() -> str:
  """The tuning of docs/tuning.md."""
  text = (ROOT / 'docs/tuning.md').read_text(encoding='utf-8')
  return re.search(r'```yaml title="experiments/tuning.yaml"\n(.*?)```', text, re.DOTALL)[1]


def commands(first: str) -> list[list[str]]:
  """The command lines of the README and of the pages that begin with a word, as lists of words."""
  texts = [README, *(page.read_text(encoding='utf-8') for page in PAGES)]
  lines = [line for text in texts for line in text.splitlines() if re.match(rf'(?:    |){first} ', line)]
  return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture
def as_a_reader(tmp_path, monkeypatch):
  """The project's folder as one finds it, with the README's own grid."""
  shutil.copytree(ROOT / 'experiments', tmp_path / 'experiments')
  (tmp_path / 'configs').symlink_to(ROOT / 'configs')
  (tmp_path / 'experiments/mine.yaml').write_text(indented('replaces a string.'))
  (tmp_path / 'experiments/tuning.yaml').write_text(tuning_of_the_page())
  monkeypatch.chdir(tmp_path)


def parsed(words):
  """The name of a command and its parameters, parsed by the command line itself."""
  group = typer.main.get_command(cli.app)
  name, *rest = words[1:]
  while hasattr(group.commands[name], 'commands'):
    group, (name, *rest) = group.commands[name], rest
  return name, group.commands[name].make_context(name, list(rest)).params


def test_it_is_short_and_shows_a_picture_and_results():
  assert len(README.encode()) <= 9_000
  assert '](docs/images/accuracy.svg)' in README and '| `fixmatch` |' in README


def test_its_sweep_and_that_of_the_page_expand(tmp_path):
  (tmp_path / 'mine.yaml').write_text(indented('replaces a string.'))
  grid = expand(tmp_path / 'mine.yaml')
  assert grid.name == 'mine' and len(grid.configs) == 27 + 6
  (tmp_path / 'page.yaml').write_text(grid_of_the_page())
  assert len(expand(tmp_path / 'page.yaml').configs) == 36
  assert 'This grid has 36 trials' in (ROOT / 'docs/sweeps.md').read_text(encoding='utf-8')


def test_every_command_parses_and_its_config_resolves(as_a_reader):
  seen = set()
  for words in commands('ssl-bench'):
    name, params = parsed(words)
    seen.add(name)
    if 'config' in params and params['config'].suffix != '.json':  # but a record's file
      configs.load(params['config'], params['overrides'] or ())
    elif name == 'tune':
      assert read_tuning(params['file'], params['overrides'] or (), methods=params['method'] or ()).methods
    elif 'file' in params:
      assert expand(params['file'], params['overrides'] or (), select=params['select'] or ()).configs
    elif 'name' in params:
      data.check_name(params['name'])
  assert seen >= {'train', 'evaluate', 'speed', 'grid', 'submit', 'leaderboard', 'list', 'prepare', 'check'}
  assert 'tune' in seen
  targets = re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE)
  made = [words[1] for words in commands('make')] + re.findall(r'`make ([\w-]+)', README)
  assert {'quickstart', 'docs'} <= set(made) <= set(targets)
  extras = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['optional-dependencies']
  asked = re.findall(r"'\.\[(\w+)\]'", README)
  assert asked and set(asked) <= extras.keys()


def test_what_it_evaluates_it_has_trained_before(as_a_reader):
  """The commands in order: each `evaluate` is of a training that a `train` above has done."""
  trained = set()
  for words in commands('ssl-bench'):
    name, params = parsed(words)
    if name not in ('train', 'evaluate') or params['config'].suffix == '.json':
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
def test_its_evaluation_follows_its_training(tmp_path, monkeypatch):
  """As printed, but for fewer steps of a smaller net."""
  monkeypatch.chdir(ROOT)
  short = ('steps=6', 'net={name: mlp, widths: [16]}', 'checkpoint.every=6', 'evaluate.bootstrap=100')
  both = [words[1:] for words in commands('ssl-bench') if 'configs/digits/simclr.yaml' in words][:2]
  assert [words[0] for words in both] == ['train', 'evaluate']
  for words in both:
    command(*words, *short, '--runs', tmp_path, '--wandb', 'disabled')
  made = records(tmp_path / 'train/records').values()
  assert sorted(one['labels'] for one in made) == [20, 100]
  assert len(list((tmp_path / 'train/checkpoints').iterdir())) == 1


@pytest.mark.parametrize(
  'path',
  [ROOT / 'README.md', *PAGES, *sorted((ROOT / 'docs/your-own').glob('*.md'))],
  ids=lambda path: path.stem,
)
def test_what_it_names_is_there(path):
  text = path.read_text(encoding='utf-8')
  for name in re.findall(r'`((?:configs|experiments|notebooks|tests|ssl_bench)/[\w./*]+)`', text):
    mine = 'agreement' in name or 'flowers' in name or name == 'experiments/mine.yaml'
    assert mine or list(ROOT.glob(name)), name
  if path.name == 'README.md':
    targets = re.findall(r'\]\((?!https?:)([^)#]+)', text)
    assert len(targets) > 10
    for target in targets:
      assert (ROOT / target).exists(), target
