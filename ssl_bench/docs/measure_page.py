"""The page of measures: what a record holds, and how the board writes it."""

from ssl_bench.docs.markdown import cell, table
from ssl_bench.measures import Measure, all_measures

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
  found: dict[str, list[list[str]]] = {}
  for row in all_measures():
    title = row.table.replace('_', ' ').capitalize() or 'Recorded, not on the board'
    found.setdefault(title, []).append(_line(row))
  return dict(sorted(found.items(), key=lambda item: item[0].startswith('Recorded')))


def _line(row: Measure) -> list[str]:
  """The line of a `Measure`."""
  place = '.'.join(row.path) + (' (of the list)' if row.reduce else '')
  meaning = ' '.join(filter(None, (row.hint, f'Source: {row.source}.' if row.source else '')))
  return [f'`{row.name}`', f'`{place}`', cell(row.heading), row.better or '', cell(meaning)]
