"""Tables of cells: the ranking and what stands beside it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ssl_bench import measures, pattern
from ssl_bench.leaderboard import success
from ssl_bench.leaderboard.columns import Column, efficiency
from ssl_bench.leaderboard.columns import patterns as of_pattern
from ssl_bench.leaderboard.columns import ranking as main
from ssl_bench.leaderboard.columns.details import details
from ssl_bench.leaderboard.columns.ranking import METHOD, RANK, STRESS, TO_USUAL, VARIANT, lowest, swept
from ssl_bench.leaderboard.published import Published
from ssl_bench.leaderboard.read import Trial
from ssl_bench.leaderboard.render.cells import DASH, Cell, digits_of, percent, points, rounded, whole, words
from ssl_bench.leaderboard.rows import Budget, Row, Section


class Head(NamedTuple):
  """A column's title, its explanation, and whether it holds numbers or prose that may break into lines."""

  title: str
  hint: str = ''
  numeric: bool = False
  prose: bool = False


class Table(NamedTuple):
  """A heading, the columns' heads, and as many cells in every row."""

  title: str
  heads: tuple[Head, ...]
  rows: tuple[tuple[Cell, ...], ...]


def ranking(budget: Budget) -> Table:
  """The ranking at one label budget."""
  return of_rows(f'{budget.labels:,} labels', main.ranking(), budget.rows)


def sweep(budget: Budget) -> Table | None:
  """The augmentations swept at one label budget, the usual ones with them; None where none were."""
  if not budget.sweep:
    return None
  names = sorted({name for row in budget.sweep for name in row.variant})
  seeds, accuracy, *others = main.numbers()
  columns = (METHOD, swept(names), seeds, accuracy, TO_USUAL, *others)
  return of_rows(f'Augmentation sweep, {budget.labels:,} labels', columns, budget.sweep)


def stressed(budget: Budget) -> tuple[Table, ...]:
  """One table for each kind of stress at one label budget."""
  columns = (STRESS, RANK, METHOD, VARIANT, *main.numbers())

  def name(rows: Sequence[Row]) -> str:
    kinds = dict.fromkeys(k.partition('.')[0] for row in rows for k in row.stress)
    return f'Stress ({", ".join(kinds)}), {budget.labels:,} labels'

  return tuple(of_rows(name(rows), columns, rows) for rows in budget.stressed)


def patterns(budget: Budget) -> tuple[Table, ...]:
  """One table for each pattern that has one, at one label budget: its rows beside the same without it."""
  found = []
  for one in map(pattern.get, pattern.names()):
    if one.table and (rows := of_pattern.beside_without(one, budget.rows)):
      title = f'{one.table.title}, {budget.labels:,} labels'
      found.append(of_rows(title, of_pattern.columns(one), rows))
  return tuple(found)


def further(budget: Budget) -> Table:
  """What else was measured at one label budget."""
  return of_rows(f'{budget.labels:,} labels', details(), budget.rows)


def of_rows(title: str, columns: Sequence[Column], rows: Sequence[Row]) -> Table:
  """A table of these columns; optional ones without a value are left out."""
  marks = {c.title: lowest(c, rows) for c in columns if c.lowest}
  cells = [[_marked(c, row, marks.get(c.title)) for c in columns] for row in rows]
  kept = [i for i, c in enumerate(columns) if not c.optional or any(line[i].text != DASH for line in cells)]
  heads = tuple(Head(columns[i].title, columns[i].hint, columns[i].numeric, columns[i].prose) for i in kept)
  return Table(title, heads, tuple(tuple(line[i] for i in kept) for line in cells))


def _marked(column: Column, row: Row, mark: float | None) -> Cell:
  cell = column.cell(row)
  mine = row.measures.get(column.lowest)
  best = mark is not None and mine is not None and mine.value == mark and row.rank is not None
  return cell._replace(strong=True) if best else cell


def beside(section: Section) -> Table | None:
  """Published values beside those measured here; one with all labels stands at the largest budget only."""
  lines, seen = [], set()
  for budget in reversed(section.budgets):
    for row in budget.rows:
      for p in row.published:
        if p not in seen and p.measure in row.measures:
          seen.add(p)
          lines.append((row, p))
  lines.sort(key=lambda line: (line[0].labels, line[0].method, line[1].measure, line[1].source, line[1]))
  return _table('Beside published values', _BESIDE, [_beside(row, p) for row, p in lines]) if lines else None


_BESIDE = (
  Head('method'),
  Head('labels', '', True),
  Head('measure'),
  Head('here, %', '', True),
  Head('published, %', 'mean ± std over runs', True),
  Head('difference, points', 'here minus published', True),
  Head('runs', '', True),
  Head('protocol of the published value', prose=True),
  Head('source'),
  Head('citation', prose=True),
)


def _beside(row: Row, p: Published) -> tuple[Cell, ...]:
  here = row.measures[p.measure]
  difference = Cell(points(here.value - p.accuracy, digits_of(row)), here.value - p.accuracy)
  name = words(measures.get(p.measure).title)
  return (
    words(p.method),
    Cell('all', 1e9) if p.labels == 'all' else whole(row.labels),
    name,
    percent(here, digits_of(row), interval=True),
    _published(p),
    difference,
    *_origin(p),
  )


def _published(p: Published) -> Cell:
  spread = '' if p.std is None else f' ± {p.std:.2f}'
  return Cell(f'{100 * p.accuracy:.2f}{spread}', p.accuracy)


def _origin(p: Published) -> tuple[Cell, ...]:
  return whole(p.runs), words(p.protocol_note), words(p.source), words(p.url_or_citation)


def elsewhere(published: Sequence[Published]) -> Table:
  """Published values without a run here; never ranked."""
  heads = (Head('dataset'), _BESIDE[1], *_BESIDE[:1], Head('measure'), _BESIDE[4], *_BESIDE[6:])
  lines = [
    (
      words(p.dataset),
      Cell('all', 1e9) if p.labels == 'all' else whole(int(p.labels)),
      words(p.method),
      words(measures.get(p.measure).title),
      _published(p),
      *_origin(p),
    )
    for p in published
  ]
  return _table('Published, not run here', heads, lines)


def by_method(section: Section) -> Table:
  """Labels to the section's target, and how trials ended, of each method with its usual settings."""
  found = success.by_method(section)
  rows = {row.method: row for budget in section.budgets for row in budget.rows if not row.variant}
  reached = [efficiency.bounded(rows[one.method].to_target if one.method in rows else None) for one in found]
  factors = [efficiency.bounded(rows[one.method].saved if one.method in rows else None) for one in found]
  lines = [
    (
      *(words(one.method), labels, factor, whole(one.started), whole(one.done)),
      *(whole(one.failed), whole(one.diverged), _share(one)),
    )
    for one, labels, factor in zip(found, reached, factors)
  ]
  titles = [efficiency.TITLES['to_target'], efficiency.TITLES['saved']]
  heads = (
    Head('method'),
    Head(titles[0], f'at which the mean accuracy reaches {efficiency.said_target(section)}', True),
    Head(titles[1], 'how many times as many labels supervised needs for the same target', True),
    Head('trials started', 'that left a record, with sweeps and stress', True),
    Head('done', '', True),
    Head('failed', 'ended with an error', True),
    Head('diverged', 'a loss or its gradient was not finite', True),
    Head('done, %', "share of those started, with Wilson's 95 % interval", True),
  )
  return _table('Efficiency by method', heads, lines)


def _share(found: success.Success) -> Cell:
  ends = [rounded(100 * end, 1) for end in (found.share, found.low, found.high)]
  return Cell(f'{ends[0]} ({ends[1]} to {ends[2]})', found.share)


def failures(section: Section) -> Table:
  """Trials that ended without a result, each with its sentence."""
  heads = (*_WHICH, Head('status'), Head('what happened', prose=True))
  lines = [(*_which(t), words(t.status), words(t.error or 'no reason recorded')) for t in section.failed]
  return _table('Failed or diverged', heads, lines)


def stale(section: Section) -> Table:
  """Trials of versions that are not today's."""
  return _table(
    'Stale', (*_WHICH, Head('why', prose=True)), [(*_which(t), words(t.stale or '')) for t in section.stale]
  )


def trials(section: Section) -> Table:
  """Every record behind the section's rows."""
  heads = (
    *_WHICH,
    Head('accuracy, %', '', True),
    Head('commit'),
    Head('jax'),
    Head('device'),
    Head('finished'),
  )
  lines = [(*_which(t), *_trial(t)) for row in unique(section.rows) for t in row.trials]
  table = _table('Trials', heads, lines)
  if any(line[-1].text != DASH for line in lines):
    return table
  return Table(table.title, table.heads[:-1], tuple(line[:-1] for line in table.rows))


_WHICH = (
  Head('record'),
  Head('method'),
  Head('labels', '', True),
  Head('split_seed', '', True),
  Head('seed', '', True),
)


def _which(t: Trial) -> tuple[Cell, ...]:
  labels = whole(t.labels) if t.labels else words(t.labels_asked)
  return words(t.id), words(t.method), labels, whole(t.pair.split_seed), whole(t.pair.seed)


def _trial(t: Trial) -> tuple[Cell, ...]:
  accuracy = t.measured.get('accuracy')
  return (
    Cell(DASH) if accuracy is None else Cell(f'{100 * accuracy:.2f}', accuracy),
    words(t.commit),
    words(t.jax),
    words(t.device),
    words(t.finished),
  )


def unique(rows: Iterable[Row]) -> list[Row]:
  """Rows without the repetition of usual ones in a sweep or under a stress."""
  name = lambda row: (row.labels, row.method, tuple(row.variant.items()), tuple(row.stress.items()))
  return list({name(row): row for row in rows}.values())


def _table(title: str, heads: Sequence[Head], lines: Iterable[tuple[Cell, ...]]) -> Table:
  return Table(title, tuple(heads), tuple(lines))
