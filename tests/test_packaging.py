"""What is distributed: the wheel, the sdist, and the files that say what they are."""

import csv
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from support.cli import ROOT

import ssl_bench
from ssl_bench import combine, methods
from ssl_bench.config import PROTOCOL_VERSION
from ssl_bench.settings.yaml12 import parse_yaml

PYPROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text('utf-8'))
CHANGELOG = (ROOT / 'CHANGELOG.md').read_text('utf-8')
PYTHONS = re.findall(r'Python :: (3\.\d+)', ' '.join(PYPROJECT['project']['classifiers']))


def tracked() -> set[str]:
  """The repository's files, those that are about to be added too."""
  words = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
  done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
  if done.returncode:
    pytest.skip('not a git checkout')
  return {name for name in done.stdout.split('\0') if name and (ROOT / name).is_file()}


def setuptools_builds() -> bool:
  """Asked without importing it, which replaces `distutils` in a process that may have imported it."""
  try:
    return int(version('setuptools').partition('.')[0]) >= 77
  except PackageNotFoundError:
    return False


@pytest.fixture(scope='module')
def built(tmp_path_factory):
  """(the files of the wheel, those of the sdist): name -> content."""
  if not setuptools_builds():
    pytest.skip('building needs setuptools 77 or newer (extra dev)')
  folder = tmp_path_factory.mktemp('built')
  source = folder / 'source'
  for name in tracked():
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_bytes((ROOT / name).read_bytes())

  def build(kind: str, source: Path) -> Path:
    code = f'from setuptools.build_meta import build_{kind} as b; import sys; b(sys.argv[1])'
    done = subprocess.run([sys.executable, '-c', code, folder], cwd=source, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return next(folder.glob({'wheel': '*.whl', 'sdist': '*.tar.gz'}[kind]))

  with tarfile.open(build('sdist', source)) as archive:
    archive.extractall(folder / 'unpacked', filter='data')
  (unpacked,) = (folder / 'unpacked').iterdir()
  files = [path for path in unpacked.rglob('*') if path.is_file()]
  sdist = {path.relative_to(unpacked).as_posix(): path.read_bytes() for path in files}
  with zipfile.ZipFile(build('wheel', unpacked)) as archive:
    return {name: archive.read(name) for name in archive.namelist()}, sdist


@pytest.mark.slow
def test_the_sdist_is_the_whole_repository(built):
  """And what setuptools adds; the wheel of the tests is made from it."""
  _, sdist = built
  there = tracked()
  assert there <= sdist.keys()
  assert all(sdist[name] == (ROOT / name).read_bytes() for name in there)
  added = {name for name in sdist.keys() - there if not name.startswith('ssl_bench.egg-info/')}
  assert added == {'PKG-INFO', 'setup.cfg'}


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_what_it_ships(built):
  wheel, _ = built
  inside = {name for name in tracked() if name.startswith('ssl_bench/')}
  folders = ('configs/', 'experiments/', 'tables/', 'leaderboard/reproduced/')
  shipped = {name for name in tracked() if name.startswith(folders)}
  shipped.add('leaderboard/published.csv')
  places = {name: name for name in inside} | {f'ssl_bench/shipped/{name}': name for name in shipped}
  metadata = {name for name in wheel if '.dist-info/' in name}
  assert wheel.keys() - metadata == places.keys()
  assert all(wheel[place] == (ROOT / name).read_bytes() for place, name in places.items())
  assert 'ssl_bench/py.typed' in wheel and any(name.endswith('/licenses/LICENSE') for name in metadata)
  (text,) = (wheel[name].decode() for name in metadata if name.endswith('/METADATA'))
  assert f'\nVersion: {ssl_bench.__version__}\n' in text


def test_the_version_is_written_once_more_for_who_cites():
  citation = parse_yaml((ROOT / 'CITATION.cff').read_text('utf-8'))
  assert citation['version'] == ssl_bench.__version__
  assert citation['license'] == PYPROJECT['project']['license']
  assert {'cff-version', 'message', 'title', 'authors'} <= citation.keys()
  assert 'version' in PYPROJECT['project']['dynamic']


def test_the_same_pythons_are_named_everywhere():
  assert PYTHONS[0] == PYPROJECT['project']['requires-python'].removeprefix('>=')
  assert [f'3.{minor}' for minor in range(11, 11 + len(PYTHONS))] == PYTHONS
  workflow = parse_yaml((ROOT / '.github/workflows/tests.yml').read_text('utf-8'))
  assert workflow['jobs']['tests']['strategy']['matrix']['python'] == PYTHONS


def untold(versions: dict[str, int], changelog: str) -> list[str]:
  """The names whose version was raised without a line such as "* `byol` VERSION 2: …" for each step."""
  raised = [(name, step) for name, last in versions.items() for step in range(2, last + 1)]
  told = set(re.findall(r'^\* `(\w+)` VERSION (\d+): ', changelog, re.MULTILINE))
  return [f'{name} {step}' for name, step in raised if (name, str(step)) not in told]


def test_the_changelog_says_what_each_version_changed():
  versions = {name: methods.version(name) for name in methods.names()}
  versions |= {name: combine.version(name) for name in combine.names()}
  assert untold({**versions, 'protocol': PROTOCOL_VERSION}, CHANGELOG) == []
  text = '* `byol` VERSION 2: the schedule ends at 1.\n* `byol` VERSION 3: and starts at 0.\n'
  assert untold({'byol': 4, 'vat': 1, 'simclr': 2}, text) == ['byol 4', 'simclr 2']


def test_an_issue_on_a_published_number_asks_for_the_columns_of_the_file():
  form = parse_yaml((ROOT / '.github/ISSUE_TEMPLATE/published_number.yml').read_text('utf-8'))
  fields = {field['id']: field['attributes'] for field in form['body'] if 'id' in field}
  with (ROOT / 'leaderboard/published.csv').open(encoding='utf-8') as file:
    rows = list(csv.DictReader(file))
  assert [name for name in fields if name != 'change'] == list(rows[0])
  assert set(fields['metric']['options']) == {row['metric'] for row in rows}


def test_what_contributing_names_is_there():
  text = (ROOT / 'CONTRIBUTING.md').read_text('utf-8')
  paths = re.findall(r'[`\s]((?:tests|ssl_bench|leaderboard|\.github|\.ci)/[\w./]+)', text)
  assert len(paths) > 10
  for path in paths:
    assert (ROOT / re.sub(r'(MECHANISM/)?NAME.*', '', path.rstrip('.'))).exists(), path
  for target in re.findall(r'make ([\w-]+)  ', text):
    assert f'\n{target}:' in (ROOT / 'Makefile').read_text('utf-8')
