"""What signs are worth, as tables of cells and in one paragraph."""

from collections.abc import Sequence

from ssl_bench import measures
from ssl_bench.leaderboard.rank_correlation import Correlation
from ssl_bench.leaderboard.render.cells import DASH, MINUS, NOTHING, Cell, rounded, whole, words
from ssl_bench.leaderboard.render.tables import Head, Table
from ssl_bench.leaderboard.rows import Section
from ssl_bench.leaderboard.signs import LEAST, LEAST_OF_METHOD, SIGNS, Judged, Signs, Worth

TITLE, VERDICTS = 'What signs are worth', 'Loss and probe'
HEADS = (
  Head('probe', 'the linear probe whose accuracy it is: with all labels of the training part, or so many'),
  Head('sign', 'a measure that needs no probe; kNN on validation needs labels of the training part'),
  Head('said to be better', 'what its authors say'),
  Head('trainings', f'at least {LEAST}; trials with equal numbers are one', numeric=True),
  Head('methods', numeric=True),
  Head('Spearman ρ', 'over all trainings; none of losses, which differ between methods', numeric=True),
  Head('95 % interval', '1,000 bootstrap resamples of trainings within each method'),
  Head('ρ within methods', f'mean over methods of {LEAST_OF_METHOD} trainings or more', numeric=True),
  Head('its 95 % interval', 'from the same resamples'),
)  # fmt: skip
OF_TRIALS = (
  Head('record'),
  Head('method'),
  Head('labels', numeric=True),
  Head('split_seed', numeric=True),
  Head('seed', numeric=True),
  Head('verdict', 'from the look of the best kNN accuracy on validation images to the last one'),
  Head('looks', 'the two looks that are compared', prose=True),
)


def of_section(section: Section, signs: Signs) -> tuple[Table, ...]:
  """The tables of one dataset and protocol, those that have a row; trials whose loss and probe fall first."""
  is_here = lambda one: (one.dataset, one.protocol) == (section.dataset, section.protocol)
  judged = sorted(filter(is_here, signs.judged), key=lambda one: (not one.falls, one.method, one.record))
  tables = (
    Table(TITLE, HEADS, tuple(_worth(one) for one in signs.worth if is_here(one))),
    Table(VERDICTS, OF_TRIALS, tuple(map(_judged, judged))),
  )
  return tuple(table for table in tables if table.rows)


def _worth(one: Worth) -> tuple[Cell, ...]:
  return (
    words('all labels') if one.labels is None else words(f'{one.labels:,} labels'),
    words(measures.get(one.sign).title),
    words(one.better),
    whole(one.trainings),
    whole(one.methods),
    *_cells(one.correlation),
    *_cells(one.within),
  )


def _cells(found: Correlation | None) -> tuple[Cell, Cell]:
  if found is None:
    return NOTHING, NOTHING
  return Cell(_number(found.value), found.value), words(_interval(found))


def _interval(found: Correlation) -> str:
  if found.low is None or found.high is None:
    return DASH
  return f'{_number(found.low)} to {_number(found.high)}'


def _number(value: float) -> str:
  """`'0.53'`, `'−0.04'`."""
  return f'{rounded(value, 2)}'.replace('-', MINUS)


def _judged(one: Judged) -> tuple[Cell, ...]:
  counts = map(whole, (one.labels, one.split_seed, one.seed))
  verdict, _, looks = one.said.partition(': ')
  return (words(one.record), words(one.method), *counts, words(verdict), words(looks))


def short(signs: Signs) -> str:
  """All correlations with the probe of all labels, in one paragraph; '' where there are none."""
  kept = [one for one in signs.worth if one.labels is None]
  if not kept:
    return ''
  sizes = {(one.dataset, one.protocol): max(w.trainings for w in kept if w[:2] == one[:2]) for one in kept}
  named = _names(list(sizes))
  there = ', '.join(f'{named[key]} {count}' for key, count in sizes.items())
  lines = []
  for sign in SIGNS:
    own = [one for one in kept if one.sign == sign.measure]
    if own:
      said = ', '.join(f'{named[one[:2]]} {_told(one.correlation or one.within)}' for one in own)
      where = '' if sign.comparable else ', within methods'
      title = measures.get(sign.measure).title
      lines.append(f'{title} ({sign.better} is said to be better{where}): {said}')
  falls = sum(one.falls for one in signs.judged)
  verdict = f' Held-out loss falls while kNN falls in {falls:,} of {len(signs.judged):,} trials with both.'
  return (
    'Spearman correlation with the accuracy of the linear probe with all labels, over trainings of '
    f'self-supervised methods ({there}); in brackets where the 95 % interval holds 0. By sign, '
    f'{"; ".join(lines)}.{verdict if signs.judged else ""}'
  )


def _names(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
  """Datasets by name, with the protocol where one has several."""
  datasets = [dataset for dataset, _ in keys]
  return {key: key[0] if datasets.count(key[0]) == 1 else f'{key[0]} ({key[1]})' for key in keys}


def _told(found: Correlation | None) -> str:
  if found is None:
    return DASH
  is_apart = found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)
  return _number(found.value) if is_apart else f'({_number(found.value)})'
