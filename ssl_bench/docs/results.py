"""Measured numbers for the documentation, from the committed records, and the published ones beside them."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from ssl_bench.docs import ROOT
from ssl_bench.docs.markdown import cell, table
from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.published import Published, read_published
from ssl_bench.leaderboard.render import cells
from ssl_bench.leaderboard.rows import Board, Row
from ssl_bench.leaderboard.variants import say_variant

NAMES = {
  'accuracy': 'accuracy',
  'linear': 'linear probe',
  'knn200': 'kNN (k = 200)',
}  # measures of published rows
RECORDS, PUBLISHED = ROOT / 'leaderboard' / 'records', ROOT / 'leaderboard' / 'published.csv'
MINE = ('dataset', 'protocol', 'labels', 'variant', 'splits', 'accuracy, %', 'to supervised, points')
FURTHER = ('linear, all labels, %', 'kNN, %', 'NLL', 'ECE')


class Measured(NamedTuple):
  """A row of the board and where it stands."""

  dataset: str
  protocol: str
  labels: int
  row: Row


@cache
def board() -> Board:
  """The board of the committed records, without what a clock wrote.

  Versions of methods count; data sets that have to be prepared do not, since not every machine has them.
  """
  from ssl_bench import methods
  from ssl_bench.config import PROTOCOL_VERSION
  from ssl_bench.records.record import gather

  records, bad = gather([RECORDS])
  if bad:
    raise ValueError(' '.join(bad))
  versions = {name: methods.version(name) for name in methods.names()}
  today = {'protocol': PROTOCOL_VERSION, 'methods': versions}
  return aggregate(records, _published(), timing=False, today=today)


def rows(method: str) -> Iterator[Measured]:
  """All rows of a method: its usual settings first, then variants, then stress."""
  found = [
    Measured(section.dataset, section.protocol, budget.labels, row)
    for section in board().sections
    for budget in section.budgets
    for row in (*budget.rows, *budget.sweep, *(row for rows in budget.stressed for row in rows))
    if row.method == method
  ]
  seen = set()
  for one in sorted(found, key=lambda m: bool(m.row.stress) + bool(m.row.variant)):
    if (key := (one.dataset, one.protocol, one.labels, _said(one.row))) not in seen:
      seen.add(key)
      yield one


@cache
def _published() -> tuple[Published, ...]:
  return read_published(PUBLISHED)


def _said(row: Row) -> str:
  return say_variant({**row.stress, **row.variant})


def measured_table(method: str) -> str:
  """The measured rows of a method, or a sentence where there are none."""
  lines = []
  for dataset, protocol, labels, row in rows(method):
    digits, measures = cells.digits_of(row), row.measures
    over = cells.repeats(row.accuracy) if row.accuracy else cells.DASH
    lines.append([
      f'`{dataset}`',
      protocol,
      f'{labels:,}',
      cell(_said(row) or 'usual'),
      over.removesuffix(' splits').removesuffix(' split'),
      _together(cells.percent(row.accuracy, digits, interval=True).text),
      _together(cells.signed(row.difference, digits).text),
      cells.percent(measures.get('linear'), digits).text,
      cells.percent(measures.get('knn20'), digits).text,
      _together(cells.arrow(measures.get('nll'), measures.get('nll_scaled')).text),
      _together(cells.arrow(measures.get('ece'), measures.get('ece_scaled')).text),
    ])  # fmt: skip
  if not lines:
    return 'No record of it is committed: nobody has run it for the board yet.\n'
  return table(MINE + FURTHER, lines)


def _together(number: str) -> str:
  """A number and its interval, or two numbers, that no line break parts."""
  return re.sub(' ([±→]) ', '\u00a0\\1\u00a0', number)


def published_table(method: str) -> str:
  """What others published of a method, and the measured number beside it, or a sentence."""
  found = [row for row in _published() if row.method == method]
  if not found:
    return 'No published number of it is listed in `leaderboard/published.csv`.\n'
  lines = []
  for one in found:
    here, difference = _beside(one)
    spread = f'\u00a0±\u00a0{one.std:g}' if one.std is not None else ''
    lines.append([
      f'`{one.dataset}`',
      one.labels,
      NAMES[one.measure],
      f'{100 * one.accuracy:.2f}{spread}',
      here,
      difference,
      '' if one.runs is None else str(one.runs),
      cell('; '.join(filter(None, (one.source, one.protocol_note)))),
      cell(one.url_or_citation),
    ])  # fmt: skip
  head = (
    'dataset',
    'labels',
    'measure',
    'published, %',
    'here, %',
    'difference',
    'runs',
    'protocol',
    'source',
  )
  return table(head, lines)


def _beside(one: Published) -> tuple[str, str]:
  """The same measure in this project's records, and its difference to a published number."""
  for measured in rows(one.method):
    if one in measured.row.published and (mean := measured.row.measures.get(one.measure)):
      digits = cells.digits_of(measured.row)
      return cells.percent(mean, digits, interval=True).text, cells.points(mean.value - one.accuracy, digits)
  return cells.DASH, cells.DASH


def compare(methods: Sequence[str], dataset: str, labels: Sequence[int]) -> list[list[Measured | None]]:
  """For each method its usual row at each number of labels, or None."""
  usual = (m for name in methods for m in rows(name) if not m.row.variant and not m.row.stress)
  at = {(m.row.method, m.labels): m for m in usual if m.dataset == dataset}
  return [[at.get((name, count)) for count in labels] for name in methods]
