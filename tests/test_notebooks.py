"""The notebook is stored with its outputs, runs from top to bottom, and shows what it promises."""

import ast
import base64
import io
import json
import re
import sys
from pathlib import Path

import pytest

from ssl_bench.docs.notebook import execute, with_outputs

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / 'notebooks' / 'quickstart.ipynb'
PICTURES = {'digits', 'policies', 'curves', 'reliability'}
ABSOLUTE = re.compile(r"""(?:^|[\s'"(=])(?:/(?!/)[\w.~-]+/|~/|[A-Za-z]:\\|file://)""", re.MULTILINE)
TELL = """
import json
from ssl_bench.records.record import read_all
print(json.dumps([{k: r[k] for k in ('config', 'status', 'error')} for r in read_all([run_folder.records])]))
"""


def cells(kind: str) -> list[dict]:
  """The cells of one kind, read as plain JSON."""
  return [cell for cell in json.loads(NOTEBOOK.read_text())['cells'] if cell['cell_type'] == kind]


def source(cell: dict) -> str:
  return ''.join(cell['source'])


def said(cell: dict) -> str:
  """What a cell printed or shows as text."""
  outputs = cell['outputs']
  texts = [out['text'] for out in outputs if out['output_type'] == 'stream']
  texts += [out['data'].get('text/plain', '') for out in outputs if 'data' in out]
  return ''.join(map(''.join, texts))


def test_it_is_a_valid_notebook():
  nbformat = pytest.importorskip('nbformat', reason='validating notebooks needs nbformat (extra dev)')
  nbformat.validate(nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT))


def test_it_names_no_place_on_a_machine():
  text = '\n'.join(map(source, cells('code') + cells('markdown')))
  assert not ABSOLUTE.findall(text + '\n'.join(map(said, cells('code'))))
  assert str(ROOT) not in NOTEBOOK.read_text()
  assert json.loads(NOTEBOOK.read_text())['metadata'].keys() == {'kernelspec', 'language_info'}


def test_absolute_paths_would_be_seen():
  for bad in ("Path('/home/me/x')", 'see ~/runs', r'"C:\data"', 'file:///x', '/usr/bin'):
    assert ABSOLUTE.search(bad), bad
  for good in ("'configs' / 'digits'", 'a / b', 'runs/quickstart/x', 'https://x.org/y', 'steps/s'):
    assert not ABSOLUTE.search(good), good


def test_it_is_stored_with_its_outputs():
  """Those of one run from top to bottom, without errors: run `python -m ssl_bench.docs.notebook`."""
  code = cells('code')
  assert [cell['execution_count'] for cell in code] == list(range(1, len(code) + 1))
  outputs = [out for cell in code for out in cell['outputs']]
  assert not [out for out in outputs if out['output_type'] == 'error' or out.get('name') == 'stderr']
  pictures = {
    cell['id'] for cell in code if any('image/png' in out.get('data', {}) for out in cell['outputs'])
  }
  assert pictures == PICTURES
  assert len(NOTEBOOK.read_bytes()) < 400_000


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


def printed(cell) -> str:
  return ''.join(o.text for o in cell.outputs if o.output_type == 'stream' and o.name == 'stdout')


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path, monkeypatch):
  """A cell that raises would raise here (CellExecutionError)."""
  for module in ('nbformat', 'nbclient', 'ipykernel'):
    pytest.importorskip(module, reason=f'running the notebook needs {module} (extra dev)')
  for name in ('JUPYTER_RUNTIME_DIR', 'JUPYTER_PATH'):
    monkeypatch.setenv(name, str(tmp_path))  # so that what `execute` sets is undone
  monkeypatch.setenv('XLA_FLAGS', '')  # it trains longer than it compiles, so optimized programs are faster
  book = execute(NOTEBOOK, tmp_path, ('import sys\nprint(sys.executable)', TELL))
  *code, interpreter, recorded = [cell for cell in book.cells if cell.cell_type == 'code']

  assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
  assert not [o for cell in code for o in cell.outputs if o.output_type == 'error']
  assert printed(interpreter).strip() == sys.executable

  shown = {cell.id: [o.data for o in cell.outputs if 'data' in o] for cell in code}
  pictured = {name for name, parts in shown.items() if any('image/png' in part for part in parts)}
  assert pictured == PICTURES
  for name in pictured:
    assert levels(next(part['image/png'] for part in shown[name] if 'image/png' in part)) > 10, name

  trials = {r['config']['method']['name']: (r['status'], r['error']) for r in json.loads(printed(recorded))}
  assert trials == {'supervised': ('done', None), 'fixmatch': ('done', None)}
  board = ' '.join(part['text/plain'] for part in shown['board']) + printed(code[-1])
  assert all(word in board for word in (' supervised ', ' fixmatch ', '40 labels', 'index.html'))
  assert 'def loss(state, views, key)' in printed(next(cell for cell in code if cell.id == 'method'))

  stored = json.loads(NOTEBOOK.read_text())
  again = json.loads(with_outputs(stored, book))
  for cell, new in zip(stored['cells'], again['cells'], strict=True):
    assert (new['id'], new['source'], new['metadata']) == (cell['id'], cell['source'], cell['metadata'])
    assert [o['output_type'] for o in new.get('outputs', [])] == [
      o['output_type'] for o in cell.get('outputs', [])
    ]


def levels(png: str) -> int:
  """How many gray levels a picture (base64) has: an empty one has few."""
  from PIL import Image

  with Image.open(io.BytesIO(base64.b64decode(png))) as image:
    return sum(count > 0 for count in image.convert('L').histogram())
