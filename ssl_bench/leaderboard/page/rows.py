"""The rows of the board as columns: what each is, how it was compared, and where its trials stand."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ssl_bench.leaderboard.columns.ranking import REMARKS
from ssl_bench.leaderboard.page.measured import Shown
from ssl_bench.leaderboard.page.words import Words, whole
from ssl_bench.leaderboard.render.cells import DASH
from ssl_bench.leaderboard.rows import Bins, Difference, Row, Section
from ssl_bench.leaderboard.variants import canonical, say_variant

RANKING, SWEEP, STRESS = range(3)  # the table that a row is of
BINS = 3  # decimals of a reliability diagram


def of_section(section: Section) -> list[tuple[Row, int]]:
  """Every row of a section once, and the table that it is of; a row of the ranking as it stands there."""
  ranked = {id(row) for budget in section.budgets for row in budget.rows}
  swept = {id(row) for budget in section.budgets for row in budget.sweep}
  found: dict[tuple[int, str, str], Row] = {}
  for row in section.rows:
    found.setdefault((row.labels, row.method, canonical(row.variant) + canonical(row.stress)), row)
  return [
    (row, RANKING if id(row) in ranked else SWEEP if id(row) in swept else STRESS) for row in found.values()
  ]


def columns(
  placed: Sequence[tuple[int, Row, int]], accuracy: Shown, usual: Mapping[tuple[int, str], int], words: Words
) -> dict[str, Any]:
  """The columns of (section, row, table); `usual` gives the place of a method's usual settings."""
  rows = [row for _, row, _ in placed]
  first = 0
  starts = []
  for row in rows:
    starts.append(first)
    first += len(row.trials)
  return {
    'section': [section for section, _, _ in placed],
    'table': [table for _, _, table in placed],
    'labels': [row.labels for row in rows],
    'method': words.each(row.method for row in rows),
    'key': words.each(map(key, rows)),
    'family': words.each(row.family for row in rows),
    'usual': [usual[section, row.method] for section, row, _ in placed],
    'variant': [_pairs(row.variant, words) for row in rows],
    'stress': [_pairs(row.stress, words) for row in rows],
    'said': words.each(say_variant(row.variant) for row in rows),
    'rank': [row.rank for row in rows],
    'tied': [int(row.tied) for row in rows],
    'few': [int(row.few) for row in rows],
    'difference': [_difference(row.difference, accuracy, words) for row in rows],
    'to_usual': [_difference(row.to_usual, accuracy, words) for row in rows],
    'to_random_weights': [_difference(row.to_floors.get('random_weights'), accuracy, words) for row in rows],
    'to_raw_pixels': [_difference(row.to_floors.get('raw_pixels'), accuracy, words) for row in rows],
    'splits': [row.accuracy.n if row.accuracy else 0 for row in rows],
    'seeds': [[*row.accuracy.seeds] if row.accuracy else [0, 0, 0] for row in rows],
    'failed': [row.failed for row in rows],
    'remarks': words.each('' if (cell := REMARKS.cell(row)).text == DASH else cell.text for row in rows),
    'submitted': [sum(t.submitted for t in row.trials) for row in rows],
    'devices': words.each(', '.join(row.devices) for row in rows),
    'shared': [int(row.shared) for row in rows],
    'gflops': [whole(row.training_gflops, 1) for row in rows],
    'train': [row.sizes[0] for row in rows],
    'validation': [row.sizes[1] for row in rows],
    'test': [row.sizes[2] for row in rows],
    'trials': starts,
    'count': [len(row.trials) for row in rows],
    'reliability': [_bins(row.reliability) for row in rows],
    'reliability_scaled': [_bins(row.reliability_scaled) for row in rows],
  }


def key(row: Row) -> str:
  """What names a row in an address, at every number of labels: its method, and a digest of what differs."""
  differs = [name for part in (row.variant, row.stress) for name in (canonical(part),) if part]
  if not differs:
    return row.method
  return f'{row.method}~{hashlib.sha256("|".join(differs).encode()).hexdigest()[:8]}'


def _pairs(settings: Mapping[str, str], words: Words) -> list[int]:
  """Settings as name, value, name, value."""
  return [number for pair in settings.items() for number in words.each(pair)]


def _difference(found: Difference | None, accuracy: Shown, words: Words) -> list[int | None] | int:
  """[mean, half width, verdict, splits, corrected verdict]; 0 where there is nothing to compare."""
  if found is None:
    return 0
  mean = found.mean
  verdicts = words.of(found.verdict), mean.n, words.of(found.corrected)
  return [accuracy.number(mean.value), accuracy.number(mean.half), *verdicts]


def _bins(bins: Bins | None) -> list[int] | int:
  """confidence, accuracy, share of images, … of the bins that hold any; 0 where there is no diagram."""
  if bins is None:
    return 0
  total = sum(bins.counts) or 1
  full = (
    (confidence, accuracy, count / total)
    for count, confidence, accuracy in zip(bins.counts, bins.confidence, bins.accuracy)
    if count
  )
  return [round(number * 10**BINS) for triple in full for number in triple]
