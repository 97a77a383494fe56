"""The board in short, as one Markdown file that GitHub shows: the main numbers of each ranking."""

from ssl_bench.leaderboard.columns import Column, of
from ssl_bench.leaderboard.columns.ranking import ACCURACY, RANK, REMARKS, added
from ssl_bench.leaderboard.render import notes
from ssl_bench.leaderboard.render.cells import words
from ssl_bench.leaderboard.render.escape import escape
from ssl_bench.leaderboard.render.markdown import markdown
from ssl_bench.leaderboard.render.reproduced import reproduced, told
from ssl_bench.leaderboard.render.tables import of_rows
from ssl_bench.leaderboard.rows import Board, Budget, Row, Section
from ssl_bench.leaderboard.variants import say_variant

EMPTY = """There is no record yet. Run `make quickstart` (a few minutes on a laptop), or one trial with
`ssl-bench train configs/digits/fixmatch.yaml`, and build the board again with `ssl-bench leaderboard`."""
PAGE = """The main numbers of each ranking, built from records by `ssl-bench leaderboard` and not edited by
hand. The same command writes the page, `index.html` beside this file, with every table, figure, setting and
trial, and each table as CSV in `tables/`; open the page in a browser. ± is the half width of the 95 %
Student-t interval over splits; ≈ marks rows that are not separable from the best."""


def readme(board: Board) -> str:
  """One small table for each dataset, protocol and number of labels."""
  parts = ['# Leaderboard', PAGE, notes.counts(board) if board.sections else EMPTY]
  for table in board.reproduced:
    parts += [f'## {escape(table.title)}', escape(table.about), told(table)]
    parts.append(markdown(reproduced(table, board.timing, measured=True)))
  for section in board.sections:
    parts += _section(section)
  return '\n\n'.join(part.strip('\n') for part in parts if part) + '\n'


def _section(section: Section) -> list[str]:
  parts = [f'## {escape(notes.title(section))}']
  for budget in section.budgets:
    if budget.rows:
      parts += [f'### {budget.labels:,} labels', _table(budget)]
  if section.failed:
    parts.append(f'{len(section.failed):,} trials failed or diverged.')
  return parts


def _table(budget: Budget) -> str:
  return markdown(of_rows(f'{budget.labels:,} labels', _columns(), budget.rows))


def _columns() -> tuple[Column, ...]:
  return (
    RANK,
    Column('method', '', lambda row: words(_name(row)), numeric=False, prose=True),
    ACCURACY,
    of('linear'),
    of('knn20'),
    of('ece'),
    of('gflops_per_epoch'),
    *added(),
    REMARKS,
  )


def _name(row: Row) -> str:
  differs = say_variant(row.variant)
  return f'{row.method} [{differs}]' if differs else row.method
