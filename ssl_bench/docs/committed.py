"""The generated parts that are committed, so that they can be read without building the site."""

import re

from ssl_bench.docs import ROOT, imports
from ssl_bench.docs.markdown import cell, table
from ssl_bench.docs.overview import picture, result_table

PACKAGE = ROOT / 'ssl_bench'


def generate() -> dict[str, str]:
  """Path -> the whole text of each committed file with a generated part, as it should be."""
  return {
    'README.md': _between('README.md', 'results', result_table()),
    'docs/architecture.md': _between('docs/architecture.md', 'rooms', rooms_table()),
    'docs/images/imports.svg': imports.draw(imports.imports_of(PACKAGE)),
    'docs/images/accuracy.svg': picture(),
  }


def rooms_table() -> str:
  """The rooms from the ground up, each with the first line of its docstring."""
  said = imports.first_lines(PACKAGE)
  order = [room for layer in imports.layers_of(imports.imports_of(PACKAGE)) for room in layer]
  rows = [[f'`{room}{"/" if (PACKAGE / room).is_dir() else ".py"}`', cell(said[room])] for room in order]
  return table(['room', 'what it holds'], rows)


def _between(name: str, mark: str, text: str) -> str:
  """A file whose part between `<!-- mark: … -->` and `<!-- end -->` is replaced."""
  whole = (ROOT / name).read_text(encoding='utf-8')
  pattern = rf'(<!-- {mark}: [^\n]*-->\n).*?(<!-- end -->)'
  new, count = re.subn(pattern, lambda match: f'{match[1]}\n{text}\n{match[2]}', whole, flags=re.DOTALL)
  if count != 1:
    raise ValueError(
      f'{name} must have one part that begins with <!-- {mark}: … --> and ends with <!-- end -->.'
    )
  return new
