"""What signs are worth, as tables of cells and in one paragraph."""

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
  """How many datasets each sign goes with the probe of all labels on, in one paragraph; '' without any."""
  kept = [one for one in signs.worth if one.labels is None]
  if not kept:
    return ''
  lines = []
  for sign in SIGNS:
    if own := [
      found for one in kept if one.sign == sign.measure and (found := one.correlation or one.within)
    ]:
      better = -1 if sign.better == 'lower' else 1
      ends = [(better * found.value, _is_apart(found)) for found in own]
      agrees, contradicts = (sum(apart and side * rho > 0 for rho, apart in ends) for side in (1, -1))
      rest = len(own) - agrees - contradicts
      lines.append(f'{measures.get(sign.measure).title} {agrees} / {contradicts} / {rest}')
  falls = sum(one.falls for one in signs.judged)
  verdict = f' Held-out loss falls while kNN falls in {falls:,} of {len(signs.judged):,} trials with both.'
  return (
    'On how many datasets a sign that is better goes with a linear probe that is better / that is worse / '
    f"with neither (the 95 % interval of Spearman's ρ over trainings holds 0): {'; '.join(lines)}."
    f'{verdict if signs.judged else ""} The page has ρ, intervals and labels.'
  )


def _is_apart(found: Correlation) -> bool:
  """Whether the interval leaves 0 out."""
  return found.low is not None and found.high is not None and (found.low > 0 or found.high < 0)
