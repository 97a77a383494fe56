"""The board as one Markdown file that GitHub shows."""

from ssl_bench.leaderboard import facts, tables
from ssl_bench.leaderboard.escape import code, escape
from ssl_bench.leaderboard.rows import Board, Section
from ssl_bench.leaderboard.tables import Table, markdown

EMPTY = """There is no record yet. Run `make quickstart` (a few minutes on a laptop), or one trial with
`ssl-bench train configs/digits/fixmatch.yaml`, and build the board again with `ssl-bench leaderboard`."""


def readme(board: Board) -> str:
  """The board's tables, section by section."""
  parts = ['# Leaderboard', 'Built from records by `ssl-bench leaderboard`; not edited by hand.']
  parts.append(facts.counts(board) if board.sections else EMPTY)
  if board.sections:
    parts.append('\n'.join(f'* {line}' for line in facts.READING))
    said = '\n'.join(f'* **{title}**: {hint}' for title, hint in facts.columns())
    parts.append(f'<details><summary>What the columns say</summary>\n\n{said}\n\n</details>')
  for section in board.sections:
    parts += _section(section, board.timing)
  if board.elsewhere:
    table = tables.elsewhere(board.elsewhere)
    parts += ['## Published, not run here', 'Never ranked.', _folded(f'{len(table.rows)} values', table)]
  return '\n\n'.join(part.strip('\n') for part in parts) + '\n'


def _section(section: Section, timing: bool) -> list[str]:
  parts = [f'## {escape(facts.title(section))}', *map(escape, facts.reading(section, timing))]
  for budget in section.budgets:
    if budget.rows:
      table = tables.ranking(budget)
      parts += [_heading(table), markdown(table)]
      further = tables.further(budget)
      parts.append(_folded(f'What else was measured, {further.title}', further))
    if (swept := tables.sweep(budget)) is not None:
      parts += [_heading(swept), markdown(swept)]
    for table in (*tables.stressed(budget), *filter(None, [tables.private(budget)])):
      parts += [_heading(table), markdown(table)]
  if (beside := tables.beside(section)) is not None:
    parts += [_heading(beside), markdown(beside)]
  for table in (tables.failures(section), tables.stale(section)):
    if table.rows:
      parts += [_heading(table), markdown(table)]
  lines = '\n'.join(f'* **{escape(name)}**: {code(value)}' for name, value in facts.settings(section))
  return [*parts, f'<details><summary>Settings</summary>\n\n{lines}\n\n</details>'] if lines else parts


def _heading(table: Table) -> str:
  return f'### {escape(table.title)}'


def _folded(summary: str, table: Table) -> str:
  return f'<details><summary>{escape(summary)}</summary>\n\n{markdown(table)}\n</details>'
