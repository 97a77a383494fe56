"""Runs the notebook and keeps its outputs: `python -m ssl_bench.docs.notebook`."""

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ssl_bench.docs import ROOT

NOTEBOOK = ROOT / 'notebooks' / 'quickstart.ipynb'


def execute(path: Path, folder: Path, further: Sequence[str] = ()) -> Any:
  """The notebook after a run in this interpreter, with `further` code cells at its end.

  Everything that Jupyter writes goes to `folder`.  Raises `CellExecutionError` (nbclient) where a cell does.
  """
  import nbformat
  from nbclient import NotebookClient

  _install_kernel(folder)
  os.environ |= {'JUPYTER_PATH': str(folder), 'JUPYTER_RUNTIME_DIR': str(folder / 'runtime')}
  book = nbformat.read(path, as_version=4)
  book.cells += map(nbformat.v4.new_code_cell, further)
  where = {'metadata': {'path': str(path.parent)}}
  NotebookClient(book, timeout=600, kernel_name='this', resources=where).execute()
  return book


def _install_kernel(folder: Path) -> None:
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
  (home / 'kernel.json').write_text(json.dumps(spec), encoding='utf-8')


def with_outputs(stored: Mapping[str, Any], book: Any) -> str:
  """The stored notebook's text with the outputs of a run, and nothing else of it.

  Left out: times of execution, the kernel's name, and what was written to stderr.
  """
  whole = json.loads(json.dumps(stored))
  for cell, run in zip(whole['cells'], book.cells, strict=False):
    if cell['cell_type'] == 'code':
      kept = [dict(out) for out in run.outputs if out.get('name') != 'stderr']
      cell['outputs'], cell['execution_count'] = kept, run.execution_count
  return json.dumps(whole, indent=1, ensure_ascii=False) + '\n'


if __name__ == '__main__':
  with tempfile.TemporaryDirectory() as made:
    run = execute(NOTEBOOK, Path(made))
  text = with_outputs(json.loads(NOTEBOOK.read_text(encoding='utf-8')), run)
  NOTEBOOK.write_text(text, encoding='utf-8')
  print(NOTEBOOK.relative_to(ROOT))
