"""What holds for the whole tree: one direction of imports, one seam to Flax, no machine's paths."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / 'ssl_bench').rglob('*.py'))

# The way of the data.  A room imports from those before it and from itself, never from those after it.
ROOMS = (
  'yaml12',
  'signature',
  'data',
  'augment',
  'losses',
  'nets',
  'net',
  'graph',
  'method',
  'methods',
  'combine',
  'tree',
  'complaint',
  'schema',
  'resolve',
  'config',
  'train',
  'evaluate',
  'records',
  'leaderboard',
  'grid',
  'inventory',
  'cli',
)
FOR_METHODS = {'net', 'losses', 'graph', 'method', 'signature'}


def room_of(module: str) -> str:
  """'ssl_bench.train.fit' -> 'train'; '' for the package itself."""
  return [*module.split('.'), ''][1]


def imports_of(path: Path, *, top: bool) -> set[str]:
  """Full names of what a module imports: at its top, or anywhere."""
  tree = ast.parse(path.read_text())
  package = ('.'.join(path.relative_to(ROOT).with_suffix('').parts)).split('.')[:-1]
  found = set()
  for node in tree.body if top else ast.walk(tree):
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      base = package[: len(package) - node.level + 1] if node.level else []
      module = '.'.join([*base, *([node.module] if node.module else [])])
      found |= {f'{module}.{alias.name}' for alias in node.names}
  return found


def own(names: set[str]) -> set[str]:
  return {room_of(name) for name in names if name.split('.')[0] == 'ssl_bench'}


def name_of(path: Path) -> str:
  return str(path.relative_to(ROOT))


def test_every_room_is_in_the_order():
  rooms = {room_of('.'.join(path.relative_to(ROOT).with_suffix('').parts)) for path in MODULES}
  assert rooms == {*ROOMS, '__init__'}


@pytest.mark.parametrize('path', MODULES, ids=name_of)
def test_nothing_downstream_is_imported_upstream(path):
  room = room_of('.'.join(path.relative_to(ROOT).with_suffix('').parts))
  if room == '__init__':
    return
  allowed = set(ROOMS[: ROOMS.index(room) + 1])
  if room == 'nets':
    allowed |= {'net'}  # the seam and what is behind it know each other
  assert own(imports_of(path, top=True)) <= allowed


@pytest.mark.parametrize('room', ['train', 'evaluate', 'methods', 'augment', 'data'])
def test_no_lazy_import_leads_back(room):
  later = set(ROOMS[ROOMS.index(room) + 1 :])
  for path in (ROOT / 'ssl_bench' / room).rglob('*.py'):
    assert not own(imports_of(path, top=False)) & later, name_of(path)


def test_methods_know_only_the_contract():
  """And what several of them share, a module whose name begins with `_`."""
  for path in (ROOT / 'ssl_bench/methods').glob('*.py'):
    known = {name for name in imports_of(path, top=False) if not name.startswith('ssl_bench.methods._')}
    if path.name != '__init__.py':
      assert own(known) <= FOR_METHODS, name_of(path)


def test_flax_stays_behind_its_seam():
  for path in MODULES:
    if path.parent.name != 'nets' and path != ROOT / 'ssl_bench/net.py':
      assert not [name for name in imports_of(path, top=False) if name.split('.')[0] == 'flax'], name_of(path)


@pytest.mark.parametrize('heavy', ['tensorflow_datasets', 'wandb', 'matplotlib', 'sklearn', 'tensorflow'])
def test_what_is_heavy_is_imported_where_it_is_used(heavy):
  for path in MODULES:
    assert not [n for n in imports_of(path, top=True) if n.split('.')[0] == heavy], name_of(path)


@pytest.mark.parametrize('path', MODULES, ids=name_of)
def test_a_module_says_its_idea_and_stays_small(path):
  idea = (ast.get_docstring(ast.parse(path.read_text())) or '').splitlines()
  assert idea and idea[0].strip(), 'no docstring'
  assert idea[0].endswith(('.', ':')) or idea[1:2] not in ([], ['']), idea[0]
  assert len(path.read_text().splitlines()) <= 300


def tracked() -> list[Path]:
  names = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True)
  if names.returncode:
    pytest.skip('not a git checkout')
  return [ROOT / name for name in names.stdout.split('\0') if name and (ROOT / name).is_file()]


LOOKERS = ('test_project.py', 'test_notebooks.py')  # they look for such places, so they name some
MACHINE = re.compile(
  r'(?<![\w.:/<])/(?:home|root|Users|tmp|work|mnt|workspace|scratch)/[\w.-]+|file:///\w|[A-Z]:\\\\Users'
)


def test_no_tracked_file_names_a_place_on_a_machine():
  for path in tracked():
    if path.name in LOOKERS:
      continue
    try:
      text = path.read_text()
    except UnicodeDecodeError:
      continue
    found = MACHINE.search(text)
    assert not found, f'{name_of(path)}: {found[0]}'


def test_the_lock_file_holds_names_and_versions_only():
  lines = (ROOT / 'constraints.txt').read_text().splitlines()
  pins = [line for line in lines if line and not line.startswith('#')]
  assert pins
  for line in lines:
    assert '/' not in line and '--' not in line, line
  for pin in pins:
    assert re.fullmatch(r'[\w.-]+==[\w.+!]+( ; .+)?', pin), pin


def test_nothing_that_a_run_writes_is_tracked():
  names = [name_of(path) for path in tracked()]
  assert not [n for n in names if n.startswith(('runs/', 'wandb/')) or '__pycache__' in n]
