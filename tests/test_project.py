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
  'settings',
  'plugins',
  'numerics',
  'stop',
  'dependence',
  'gang',
  'parallel',
  'kinds',
  'data',
  'augment',
  'losses',
  'nets',
  'optim',
  'graph',
  'pattern',
  'contract',
  'methods',
  'combine',
  'resolve',
  'config',
  'planning',
  'training',
  'evaluation',
  'measures',
  'patterns',
  'records',
  'leaderboard',
  'trial',
  'speed',
  'grid',
  'tune',
  'reproduce',
  'api',
  'report',
  'cli',
  'docs',
)
FOR_METHODS = {'nets', 'losses', 'graph', 'contract', 'kinds', 'settings'}


def room_of(module: str) -> str:
  """'ssl_bench.training.loop' -> 'training'; '' for the package itself."""
  return [*module.split('.'), ''][1]


def imports_of(path: Path, *, top: bool) -> set[str]:
  """Full names of what a module imports: at its top, or anywhere."""
  tree = ast.parse(path.read_text())
  package = ('.'.join(path.relative_to(ROOT).with_suffix('').parts)).split('.')[:-1]
  found = set()
  blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
  types = [node for node in blocks if getattr(node.test, 'id', '') == 'TYPE_CHECKING']  # never run
  skipped = {inner for node in types for inner in ast.walk(node)}
  for node in tree.body if top else ast.walk(tree):
    if node in skipped:
      continue
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
  assert own(imports_of(path, top=True)) <= allowed


@pytest.mark.parametrize(
  'room', ['resolve', 'config', 'planning', 'training', 'evaluation', 'methods', 'augment', 'data']
)
def test_no_lazy_import_leads_back(room):
  later = set(ROOMS[ROOMS.index(room) + 1 :])
  for path in (ROOT / 'ssl_bench' / room).rglob('*.py'):
    assert not own(imports_of(path, top=False)) & later, name_of(path)


def test_methods_know_only_the_contract():
  """And what several of them share: a module beside them, or above their folder, that begins with `_`."""
  for path in (ROOT / 'ssl_bench/methods').rglob('*.py'):
    beside = '.'.join(path.relative_to(ROOT).parent.parts)
    shared = (f'{beside}._', 'ssl_bench.methods._')
    known = {name for name in imports_of(path, top=False) if not name.startswith(shared)}
    if path.name != '__init__.py':
      assert own(known) <= FOR_METHODS, name_of(path)


def test_flax_stays_behind_its_seam():
  for path in MODULES:
    if path.parent.name != 'nets':
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


READERS = {'read_text', 'write_text', 'open', 'fdopen'}
ELSEWHERE = {'os', 'tarfile', 'zipped', 'Image', 'webbrowser'}  # whose `open` opens no text


def opens_by_locale(path: Path) -> list[int]:
  """Lines of a module that open a text in the encoding of whoever runs it."""
  found = []
  for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
    if not isinstance(node, ast.Call):
      continue
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, 'id', '')
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    given = {word.arg: getattr(word.value, 'value', None) for word in node.keywords}
    modes = [getattr(one, 'value', None) for one in node.args] + [given.get('mode')]
    binary = any(isinstance(mode, str) and re.fullmatch(r'[rwxa]?b[+]?|[rwxa][+]?b', mode) for mode in modes)
    other = name == 'open' and isinstance(owner, ast.Name) and owner.id in ELSEWHERE
    if name in READERS and not binary and not other and 'encoding' not in given:
      found.append(node.lineno)
    if given.get('text') is True or given.get('universal_newlines') is True:
      found.append(node.lineno)
  return found


@pytest.mark.parametrize('path', MODULES, ids=name_of)
def test_text_is_read_and_written_as_utf_8_whatever_the_locale(path):
  assert not opens_by_locale(path)


def test_what_opens_by_locale_is_seen(tmp_path):
  lines = ['p.read_text()', 'open(p)', 'p.open("w")', 'os.fdopen(1, "w")', 'run(x, text=True)']
  (tmp_path / 'wrong.py').write_text('\n'.join(lines))
  assert opens_by_locale(tmp_path / 'wrong.py') == [1, 2, 3, 4, 5]
  lines = ['open(p, "rb")', 'p.open("wb")', 'os.open(p, 0)', 'p.open(encoding="utf-8")', 'p.read_bytes()']
  (tmp_path / 'right.py').write_text('\n'.join(lines))
  assert opens_by_locale(tmp_path / 'right.py') == []


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
