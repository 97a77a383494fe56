"""Tables in LaTeX, with the rules of booktabs."""

import re

from ssl_bench.leaderboard.render.cells import Cell
from ssl_bench.leaderboard.render.tables import Table
from ssl_bench.records.strict_json import printable

PREAMBLE = '% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}'
_SPECIAL = {
  '\\': r'\textbackslash{}', '{': r'\{', '}': r'\}', '&': r'\&', '%': r'\%', '$': r'\$', '#': r'\#',
  '_': r'\_', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}', '<': r'\textless{}',
  '>': r'\textgreater{}', '|': r'\textbar{}', '"': r'\textquotedbl{}', '[': '{[}', ']': '{]}', '*': '{*}',
  '±': r'$\pm$', '×': r'$\times$', '−': '$-$', '–': '--', '≈': r'$\approx$', '→': r'$\to$', '√': r'$\surd$',
  '≥': r'$\geq$', '≤': r'$\leq$', 'ε': r'$\varepsilon$', 'δ': r'$\delta$', 'α': r'$\alpha$',
}  # fmt: skip
_MARKS = re.compile('|'.join(map(re.escape, _SPECIAL)))


def escape(text: str) -> str:
  """Text that LaTeX sets as it is; characters outside of Latin-1 without a command become a question mark."""
  said = _MARKS.sub(lambda match: _SPECIAL[match[0]], printable(text))
  return ''.join(c if ord(c) < 256 else '?' for c in said)


def latex(table: Table) -> str:
  """The table as a float: caption, booktabs rules, numbers to the right; bold where the board is bold."""
  form = ''.join('r' if head.numeric else 'l' for head in table.heads)
  lines = [
    r'\begin{table}',
    r'  \centering',
    rf'  \caption{{{escape(table.title)}}}',
    rf'  \begin{{tabular}}{{{form}}}',
    r'    \toprule',
    f'    {" & ".join(escape(head.title) for head in table.heads)} \\\\',
    r'    \midrule',
    *(f'    {" & ".join(map(_say, row))} \\\\' for row in table.rows),
    r'    \bottomrule',
    r'  \end{tabular}',
    r'\end{table}',
  ]
  return '\n'.join(lines) + '\n'


def _say(cell: Cell) -> str:
  said = escape(cell.text)
  return rf'\textbf{{{said}}}' if cell.strong else said
