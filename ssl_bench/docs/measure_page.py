"""The page of measures: what a record holds, and how the board writes it."""

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

from ssl_bench.docs.markdown import cell, table

HEAD = ('measure', 'in the record', 'column', 'better', 'meaning')


def page() -> str:
  """The page, read from the rows of measures; each group has the title of its tables."""
  parts = [
    '# Measures\n',
    'Every number of the board is read from a record. This is where each one stands in the record, and what'
    ' it means. Numbers with the unit % are shares in [0, 1] in the record. Your own:'
    ' [a measure](../your-own/measure.md).\n',
  ]
  for title, rows in _groups().items():
    parts += [f'## {title}\n', table(HEAD, rows)] if title else [table(HEAD, rows)]
  return '\n'.join(parts)


def _groups() -> dict[str, list[list[str]]]:
  """Title of a group -> the lines of its table."""
  if not importlib.util.find_spec('ssl_bench.measures'):
    return {'': list(_from_columns())}
  found: dict[str, list[list[str]]] = {}
  for row in importlib.import_module('ssl_bench.measures').all_measures():
    title = row.table.replace('_', ' ').capitalize() or 'Recorded, not on the board'
    found.setdefault(title, []).append(_line(row))
  return dict(sorted(found.items(), key=lambda item: item[0].startswith('Recorded')))


def _line(row: Any) -> list[str]:
  """The line of a `Measure`."""
  place = '.'.join(row.path) + (' (of the list)' if row.reduce else '')
  meaning = ' '.join(filter(None, (row.hint, f'Source: {row.source}.' if row.source else '')))
  return [f'`{row.name}`', f'`{place}`', cell(row.heading), row.better or '', cell(meaning)]


def _from_columns() -> Iterator[list[str]]:
  """The lines where measures have no rows yet, from the board's own list and its columns."""
  from ssl_bench.leaderboard.columns import RANKING
  from ssl_bench.leaderboard.further import FURTHER
  from ssl_bench.leaderboard.measures import PATHS

  columns = {column.title: column for column in (*RANKING, *FURTHER)}
  for name, path in PATHS.items():
    place = '.'.join(part for part in path if isinstance(part, str))
    place += '' if all(isinstance(part, str) for part in path) else ' (of the list)'
    shown = next((c for c in columns.values() if _reads(c, name)), None)
    better = 'lower' if shown and shown.lowest == name else ''
    title, hint = (shown.title, shown.hint) if shown else ('', '')
    yield [f'`{name}`', f'`{place}`', cell(title), better, cell(hint)]


def _reads(column: Any, name: str) -> bool:
  """Whether a column's function names the measure."""
  closure = [part.cell_contents for part in column.cell.__closure__ or ()]
  return name in column.cell.__code__.co_consts or name in closure
