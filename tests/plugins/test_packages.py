"""Installed packages: a real one, which pip installs, and what is wrong with others."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from support.cli import ROOT, command, records, write_configs

from ssl_bench import combine, data, methods, plugins
from ssl_bench.config import load, to_dict, validate
from ssl_bench.leaderboard.build import today
from ssl_bench.plugins import packages
from ssl_bench.records.code import code_of, digest_of
from ssl_bench.settings.signature import BadSetting

SOURCE = ROOT / 'tests/support/tinypack'
PROTOCOL = """
dataset: stripes
labels: 16
net: {name: tiny, width: 12}
augment: {weak: crop(1) | darken(0.5), strong: darken(by=0.1)}
evaluate: {every: 6, last: 2, bootstrap: 100, probes: [linear, nearest_mean]}
"""
PLAIN = ['dataset=fake', 'net=mlp', 'augment={weak: none, strong: none}', 'evaluate.probes=[]']


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
  """The folder into which pip installed the package `tinypack`."""
  if find_spec('pip') is None:
    pytest.skip('there is no pip')
  place = tmp_path_factory.mktemp('packages')
  shutil.copytree(SOURCE, place / 'source', ignore=shutil.ignore_patterns('__pycache__'))
  flags = ('--no-deps', '--no-build-isolation', '--no-index', '--disable-pip-version-check', '--quiet')
  words = [sys.executable, '-m', 'pip', 'install', *flags, '--target', place / 'site', place / 'source']
  done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
  assert done.returncode == 0, done.stdout + done.stderr
  return place / 'site'


@pytest.fixture
def here(monkeypatch):
  """Puts a folder of packages on this process's path."""

  def put(folder):
    monkeypatch.syspath_prepend(folder)
    packages._points.cache_clear()
    return folder

  known = set(sys.modules)
  yield put
  for name in set(sys.modules) - known:
    if name.split('.')[0] in ('tinypack', 'other', 'third'):
      del sys.modules[name]
  monkeypatch.undo()
  packages._points.cache_clear()


def add(folder: Path, package: str, points: str, text: str = '') -> Path:
  """A package as an installer leaves it."""
  (folder / f'{package}-1.0.dist-info').mkdir(parents=True)
  told = f'Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n'
  (folder / f'{package}-1.0.dist-info/METADATA').write_text(told)
  (folder / f'{package}-1.0.dist-info/entry_points.txt').write_text(points)
  (folder / f'{package}.py').write_text(text)
  return folder


def test_what_a_package_registers_is_found(installed, here, tmp_path):
  assert 'agreement' not in methods.names()
  here(installed)
  assert 'agreement' in methods.names() and 'tinypack' not in sys.modules
  assert plugins.origin('methods', 'agreement') == 'package tinypack 0.3.0'
  assert methods.version('agreement') == 3 and methods.module_of('agreement') == 'tinypack.agreement'
  folder = write_configs(tmp_path / 'configs', PROTOCOL)
  config = load(folder / 'agreement.yaml')
  assert config.plugins == ('tinypack',) and validate(to_dict(config)) == config
  assert load(folder / 'fixmatch.yaml', ['dataset=fake', 'net=mlp', 'evaluate.probes=[]']).plugins == (
    'tinypack',
  )
  plain = ['augment.weak=none', 'augment.strong=none', 'dataset=fake', 'net=mlp', 'evaluate.probes=[]']
  assert load(folder / 'fixmatch.yaml', plain).plugins == ()
  assert data.load('stripes').classes == 4


def test_the_digest_of_the_code_follows_a_package(installed, here, tmp_path):
  copy = here(Path(shutil.copytree(installed, tmp_path / 'site')))
  before = digest_of('tinypack.agreement')
  for old, new, changes in (
    ('return None', 'return 1', False),  # what is not reached
    ('return weight * term', 'return weight * term * 1', True),
    ('What the method shares', 'What it shares', True),  # as compared with before the line above
  ):
    path = copy / 'tinypack/scale.py'
    path.write_text(path.read_text().replace(old, new))
    assert (digest_of('tinypack.agreement') != before) == changes
  folder = write_configs(tmp_path / 'configs', PROTOCOL)
  own = code_of(load(folder / 'agreement.yaml'))
  assert own != code_of(load(folder / 'agreement.yaml', PLAIN))  # its net, operation and probe count


def test_a_package_that_cannot_be_imported_harms_nobody_else(installed, here, tmp_path):
  here(installed)
  assert 'broken' in combine.names()
  told = "combinator 'broken' of package tinypack 0.3.0 cannot be imported: ModuleNotFoundError: No"
  with pytest.raises(BadSetting, match=re.escape(told)):
    combine.get('broken')
  config = load(write_configs(tmp_path / 'configs') / 'fixmatch.yaml', ['combine=curriculum'])
  assert config.combine and code_of(config)


POINTS = {
  'ssl_bench.methods:one = other:nothing': "'one' of package other 1.0 cannot be imported: AttributeError",
  'ssl_bench.methods:one = other': "method 'one' of package other 1.0: other holds no one.",
  'ssl_bench.methods:one = other:three': "'one' of package other 1.0: a method must be a function, not 3.",
  'ssl_bench.measures:one = other:three': 'a measure must be a row Measure(…), not 3.',
  'ssl_bench.measures:one = other:ROW': "its row has the name 'row'; make it that of the entry point.",
}


@pytest.mark.parametrize('point', POINTS)
def test_what_is_wrong_with_an_entry_point_is_one_sentence(point, here, tmp_path):
  group, line = point.split(':', 1)
  text = 'from typing import NamedTuple\nthree = 3\nclass Measure(NamedTuple):\n  name: str\n'
  text += 'ROW = Measure("row")\n'
  here(add(tmp_path / 'site', 'other', f'[{group}]\n{line}\n', text))
  kind = group.removeprefix('ssl_bench.')
  assert 'one' in plugins.names(kind) and 'one' not in dict(plugins.working(kind))
  with pytest.raises(BadSetting, match=re.escape(POINTS[point])):
    plugins.get(kind, 'one')


def test_two_packages_with_one_name_are_told_and_ours_stays_ours(here, tmp_path):
  for package in ('other', 'third'):
    points = f'[ssl_bench.nets]\nnew = {package}:new\nmlp = {package}:mlp\n'
    add(tmp_path / 'site', package, points, 'def new(): return 0\ndef mlp(): return 0\n')
  here(tmp_path / 'site')
  with pytest.raises(BadSetting, match="several nets 'new', of the packages other and third; uninstall"):
    plugins.get('nets', 'new')
  assert plugins.get('nets', 'mlp').__module__ == 'ssl_bench.nets.mlp'
  assert plugins.origin('nets', 'mlp') == plugins.OURS


def test_a_board_asks_no_package_that_is_broken(here, tmp_path):
  here(add(tmp_path / 'site', 'other', '[ssl_bench.methods]\none = other:one\n', 'import no_such_module'))
  records = [
    {'config': {'method': {'name': name}, 'dataset': 'fake'}} for name in ('one', 'fixmatch', 'gone')
  ]
  assert today(records)['methods'] == {'fixmatch': methods.version('fixmatch')}


@pytest.mark.slow
def test_a_package_trains_and_its_records_outlive_it(installed, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  write_configs(tmp_path / 'configs', PROTOCOL)
  path = os.pathsep.join([str(ROOT), str(installed)])
  train = ('train', 'configs/agreement.yaml', '--wandb=disabled')
  out = command(*train, PYTHONPATH=path)
  assert 'Recorded: runs/train/records/' in out
  (record,) = records(tmp_path / 'runs').values()
  assert record['config']['plugins'] == ['tinypack'] and record['versions']['method'] == 3
  assert record['versions']['dataset'] == 'stripes/1.0.0' and record['family'] == 'semi-supervised'
  assert record['augment_resolved']['weak'].endswith(' | darken(by=0.5)')
  assert record['metrics']['probes']['nearest_mean'] > 0.9 and record['status'] == 'done'
  bins = record['metrics']['reliability']  # the same mean, from the bins of the diagram
  mean = np.average([c or 0 for c in bins['confidence']], weights=bins['count'])
  assert record['metrics']['tinypack']['confidence'] == pytest.approx(mean, rel=1e-6)
  assert 'Already recorded' in command(*train, PYTHONPATH=path)
  listed = command('list', PYTHONPATH=path).splitlines()
  for name in ('agreement', 'tiny', 'darken', 'nearest_mean', 'confidence', 'broken'):
    assert [line for line in listed if line.startswith(f'{name}  (package tinypack 0.3.0)  ')], name
  assert [line for line in listed if line.startswith('stripes/1.0.0')]
  command('submit', 'runs/train', '--to', 'board/records', PYTHONPATH=path)

  # Without the package.
  told = command('train', 'configs/fixmatch.yaml', '--wandb=disabled', code=2)
  assert "There is no dataset 'stripes'" in told
  command('leaderboard', '--records', 'board/records', '--out', 'board')
  assert 'agreement' in (tmp_path / 'board/README.md').read_text()
  told = command('submit', 'runs/train', '--to', 'other/records', code=2)
  assert "The package 'tinypack', whose plugins the config uses, is not installed" in told
