"""Published tables beside what was measured here, as tables of the board."""

from ssl_bench.leaderboard.render.cells import words
from ssl_bench.leaderboard.render.tables import Head, Table
from ssl_bench.leaderboard.reproduced import Line, Reproduced, counts, lines

HEADS = (
  Head('row'),
  Head('column'),
  Head('published', 'percent, with the standard deviation that the source gives', numeric=True),
  Head('measured', 'as the paper measures it, with the 95 % interval over runs', numeric=True),
  Head('last step', "this project's protocol: accuracy after the last step", numeric=True),
  Head('difference', 'measured minus published, in points', numeric=True),
  Head('verdict', prose=True),
  Head('runs', numeric=True),
)
CLOCK = (Head('hours', 'of training, all runs', numeric=True), Head('device'))
UNMEASURED = ('not run', 'published only')


def reproduced(table: Reproduced, timing: bool) -> Table:
  """One line for each cell."""
  heads = (*HEADS, *(CLOCK if timing else ()))
  rows = tuple(tuple(map(words, _cells(line)[: len(heads)])) for line in lines(table, timing=timing))
  return Table(table.title, heads, rows)


def short(table: Reproduced) -> Table:
  """One line for each cell that was measured: where it stands, both values, their difference, the verdict."""
  kept = [i for i, head in enumerate(HEADS) if head.title != 'last step']
  found = [line for line in lines(table, timing=False) if line.verdict not in UNMEASURED]
  return Table(
    table.title, tuple(HEADS[i] for i in kept), tuple(tuple(words(line[i]) for i in kept) for line in found)
  )


def _cells(line: Line) -> Line:
  """The line, its reason behind its verdict."""
  return line._replace(verdict=f'{line.verdict}: {line.explained}') if line.explained else line


def told(table: Reproduced) -> str:
  """How many cells have which verdict, and what within means."""
  found = ', '.join(f'{count} {verdict}' for verdict, count in counts(table).items())
  return (
    f'{found}. Within: {table.tolerance:g} points or one published standard deviation. '
    f'`ssl-bench reproduce {table.name}` runs it.'
  )
