"""The notebook runs from top to bottom, in this interpreter, and shows what it promises."""

import ast
import base64
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / 'notebooks' / 'quickstart.ipynb'
ABSOLUTE = re.compile(r"""(?:^|[\s'"(=])(?:/(?!/)[\w.~-]+/|~/|[A-Za-z]:\\|file://)""", re.MULTILINE)
TELL = """
import json
from ssl_bench.records.record import read_all
print(json.dumps([{k: r[k] for k in ('config', 'status', 'error')} for r in read_all([room.records])]))
"""


def cells(kind: str) -> list[dict]:
  """The cells of one kind, read as plain JSON."""
  return [cell for cell in json.loads(NOTEBOOK.read_text())['cells'] if cell['cell_type'] == kind]


def source(cell: dict) -> str:
  return ''.join(cell['source'])


def test_it_is_a_valid_notebook():
  nbformat = pytest.importorskip('nbformat', reason='validating notebooks needs nbformat (extra dev)')
  nbformat.validate(nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT))


def test_it_is_stored_clean():
  for cell in cells('code'):
    assert cell['outputs'] == [] and cell['execution_count'] is None, cell['id']
  text = '\n'.join(map(source, cells('code') + cells('markdown')))
  assert not ABSOLUTE.findall(text)
  assert str(ROOT) not in NOTEBOOK.read_text()


def test_absolute_paths_would_be_seen():
  for bad in ("Path('/home/me/x')", 'see ~/runs', r'"C:\data"', 'file:///x', '/usr/bin'):
    assert ABSOLUTE.search(bad), bad
  for good in ("'configs' / 'digits'", 'a / b', 'runs/quickstart/x', 'https://x.org/y', 'steps/s'):
    assert not ABSOLUTE.search(good), good


def test_its_code_parses():
  code = cells('code')
  assert 8 <= len(code) <= 14
  for cell in code:
    ast.parse(source(cell), cell['id'])


@pytest.mark.parametrize('folder', ['.', 'notebooks'])
def test_it_finds_the_repository(folder, monkeypatch):
  """From the root as from the notebook's own folder."""
  monkeypatch.chdir(ROOT / folder)
  line = next(line for line in source(cells('code')[0]).splitlines() if line.startswith('root = '))
  names: dict = {'Path': Path}
  exec(line, names)
  assert names['root'] == ROOT


def install_kernel(folder: Path) -> None:
  """A kernel of this very interpreter, named `this`, whatever kernels are installed elsewhere."""
  path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
  spec = {
    'argv': [sys.executable, '-m', 'ipykernel_launcher', '-f', '{connection_file}'],
    'display_name': 'this interpreter',
    'language': 'python',
    'env': {
      'PYTHONPATH': path,
      'IPYTHONDIR': str(folder / 'ipython'),
      'MPLBACKEND': 'module://matplotlib_inline.backend_inline',
      'TMPDIR': str(folder / 'temporary'),
    },
  }
  (folder / 'temporary').mkdir()
  home = folder / 'kernels' / 'this'
  home.mkdir(parents=True)
  (home / 'kernel.json').write_text(json.dumps(spec))


def execute(cwd: Path) -> list:
  """The code cells after a run, and two more: which interpreter it was, and what is recorded on disk."""
  import nbformat
  from nbclient import NotebookClient

  book = nbformat.read(NOTEBOOK, as_version=4)
  book.cells += map(nbformat.v4.new_code_cell, ('import sys\nprint(sys.executable)', TELL))
  NotebookClient(book, timeout=300, kernel_name='this', resources={'metadata': {'path': str(cwd)}}).execute()
  return [cell for cell in book.cells if cell.cell_type == 'code']


def printed(cell) -> str:
  return ''.join(o.text for o in cell.outputs if o.output_type == 'stream' and o.name == 'stdout')


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
  """A cell that raises would raise here (CellExecutionError)."""
  for module in ('nbformat', 'nbclient', 'ipykernel'):
    pytest.importorskip(module, reason=f'running the notebook needs {module} (extra dev)')
  monkeypatch.setenv('JUPYTER_RUNTIME_DIR', str(tmp_path / 'runtime'))
  monkeypatch.setenv('JUPYTER_PATH', str(tmp_path))
  install_kernel(tmp_path)
  *code, interpreter, recorded = execute(NOTEBOOK.parent)

  assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
  assert not [o for cell in code for o in cell.outputs if o.output_type == 'error']
  assert printed(interpreter).strip() == sys.executable

  shown = {cell.id: [o.data for o in cell.outputs if 'data' in o] for cell in code}
  pictured = {name for name, parts in shown.items() if any('image/png' in part for part in parts)}
  assert pictured == {'digits', 'policies', 'curves', 'reliability'}
  for name in pictured:
    assert levels(next(part['image/png'] for part in shown[name] if 'image/png' in part)) > 10, name

  trials = {r['config']['method']['name']: (r['status'], r['error']) for r in json.loads(printed(recorded))}
  assert trials == {'supervised': ('done', None), 'fixmatch': ('done', None)}
  board = ' '.join(part['text/plain'] for part in shown['board']) + printed(code[-1])
  assert all(said in board for said in (' supervised ', ' fixmatch ', '40 labels', 'index.html'))
  assert 'def loss(state, views, key)' in printed(next(cell for cell in code if cell.id == 'method'))


def levels(png: str) -> int:
  """How many gray levels a picture (base64) has: an empty one has few."""
  from PIL import Image

  with Image.open(io.BytesIO(base64.b64decode(png))) as image:
    return sum(count > 0 for count in image.convert('L').histogram())
