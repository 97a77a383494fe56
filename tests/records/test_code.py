"""A record names the code that computed it; other code is told, and never answers with the old number."""

import json
import re
import shutil

import pytest
from support.cli import ROOT, command, write_configs

from ssl_bench import methods
from ssl_bench.config import validate
from ssl_bench.records import code
from ssl_bench.records.code import code_of, digest_of


@pytest.fixture
def package(tmp_path, monkeypatch):
  """A copy of the package, whose code is what digests are made of."""
  copy = tmp_path / 'copy' / 'ssl_bench'
  shutil.copytree(ROOT / 'ssl_bench', copy, ignore=shutil.ignore_patterns('__pycache__'))
  monkeypatch.setattr(code, 'PACKAGE', copy)
  return copy


def change(path, old, new):
  text = path.read_text()
  assert text.count(old) == 1, f'{old!r} stands {text.count(old)} times in {path.name}'
  path.write_text(text.replace(old, new))


FIXMATCH = 'ssl_bench.methods.pseudo_labels.fixmatch'
CHANGES = {
  'a docstring': ('methods/pseudo_labels/fixmatch.py', '"""FixMatch', '"""The method FixMatch', False),
  'a comment': (
    'methods/pseudo_labels/fixmatch.py',
    '\nVERSION = 1\n',
    '\n# A comment.\nVERSION = 1\n',
    False,
  ),
  'its module': ('methods/pseudo_labels/fixmatch.py', '\nVERSION = 1\n', '\nVERSION = 2\n', True),
  'a loss that it uses': ('losses.py', 'def cross_entropy(', 'def cross_entropy(unused=None, *, ', True),
  'a loss that it does not use': ('losses.py', 'def sinkhorn(', 'def sinkhorn(unused=None, *, ', False),
  'another method': ('methods/contrastive/simclr.py', '\nVERSION = 1\n', '\nVERSION = 2\n', False),
}


@pytest.mark.parametrize('what', CHANGES)
def test_a_digest_changes_with_the_code_and_with_nothing_else(package, what):
  file, old, new, changes = CHANGES[what]
  before = digest_of(FIXMATCH)
  change(package / file, old, new)
  assert (digest_of(FIXMATCH) != before) == changes


def test_what_is_used_is_followed_through_what_is_used(package):
  """`nt_xent` uses `cross_entropy`; a graph's method uses `_transduction`, which uses `graph`."""
  before = [digest_of(methods.module_of(name)) for name in ('simclr', 'label_spreading')]
  change(package / 'losses.py', 'def cross_entropy(', 'def cross_entropy(unused=None, *, ')
  change(package / 'graph' / 'solvers.py', 'def diffuse(', '@staticmethod\ndef diffuse(')
  after = [digest_of(methods.module_of(name)) for name in ('simclr', 'label_spreading')]
  assert before[0] != after[0] and before[1] != after[1]


def test_all_methods_have_digests_of_their_own():
  found = {name: digest_of(methods.module_of(name)) for name in methods.names()}
  assert all(re.fullmatch('[0-9a-f]{64}', digest) for digest in found.values())
  assert len(set(found.values())) == len(found)


def test_combinators_and_teachers_count():
  tree = {
    'dataset': 'fake',
    'labels': 20,
    'net': 'mlp',
    'steps': 10,
    'optimizer': 'sgd',
    'augment': {'weak': 'none', 'strong': 'none'},
  }
  plain = validate({**tree, 'method': 'fixmatch'})
  combined = validate({**tree, 'method': 'fixmatch', 'combine': 'curriculum(5)'})
  student = validate({**tree, 'method': 'distill', 'teacher': {'method': 'fixmatch'}})
  other = validate({**tree, 'method': 'distill', 'teacher': {'method': 'pseudo_label'}})
  assert len({code_of(config) for config in (plain, combined, student, other)}) == 4


@pytest.mark.slow
def test_an_edited_method_is_told_and_run_again_where_that_is_asked_for(tmp_path, package, monkeypatch):
  """The command itself, from the copied package, before and after its FixMatch is edited."""
  configs, runs = write_configs(tmp_path / 'configs'), tmp_path / 'runs'
  monkeypatch.chdir(tmp_path)  # a process finds the package of its working folder first
  (tmp_path / 'small.yaml').write_text('base: configs\nblocks: [{method: [supervised, fixmatch]}]')
  few = ('--runs', runs, '--wandb=disabled')
  train = ('train', configs / 'fixmatch.yaml', *few)
  grid = ('grid', tmp_path / 'small.yaml', *few)

  def run(*words, code=0):
    return command(*words, code=code, PYTHONPATH=str(package.parent))

  def record(name, kind='records'):
    (path,) = (p for p in runs.glob(f'{name}/{kind}/*.json') if '"name": "fixmatch"' in p.read_text())
    return path, json.loads(path.read_text())

  run(*train)
  run(*grid)
  path, first = record('train')
  change(
    package / 'methods/pseudo_labels/fixmatch.py',
    'return value, Aux',
    'return 1.001 * value, Aux',
  )
  for words in (train, ('evaluate', *train[1:]), grid):
    out = run(*words, code=2)
    assert 'with other code' in out and '--again' in out and 'new VERSION' in out
  assert json.loads(path.read_text()) == first

  run(*train, '--again')
  path, second = record('train')
  assert second['id'] == first['id'] and second['versions']['code'] != first['versions']['code']
  assert second['curves'] != first['curves']
  assert record('train', 'replaced/records')[1] == first
  assert 'Already recorded' in run(*train)

  out = run(*grid, '--again')
  assert '2 trials: 1 recorded before, 1 done now.' in out  # `supervised` is as it was
  assert record('small')[1]['curves'] == second['curves']
  assert '2 trials: 2 recorded before, none now.' in run(*grid)
