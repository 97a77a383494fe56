"""One number as a reader sees it: its text, the value it sorts by, and a note to hover over."""

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from ssl_bench.leaderboard.rows import Difference, Mean, Row

DASH = '–'
MINUS = '−'


class Cell(NamedTuple):
  """`value` is what a table sorts by (None last); `strong` marks the best of a column."""

  text: str
  value: float | str | None = None
  strong: bool = False
  note: str = ''


NOTHING = Cell(DASH)


def words(text: str, note: str = '') -> Cell:
  return Cell(text, text, note=note) if text else NOTHING


def whole(number: int | None) -> Cell:
  return NOTHING if number is None else Cell(f'{number:,}', number)


def digits_of(row: Row) -> int:
  """Decimals of a percentage that the size of the test set can carry."""
  return 2 if (row.sizes[2] or 0) >= 5000 else 1


def rounded(value: float, digits: int) -> Decimal:
  """A number to `digits` decimals, halves away from zero as on the page: `rounded(94.75, 1)` is 94.8.

  Nine decimals are looked at: 100 * 0.9475 is a little below 94.75 and means 94.75.  There is no -0 where
  the number is 0.
  """
  exact = Decimal(repr(round(value, 9) or 0.0))
  return exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def percent(mean: Mean | None, digits: int = 1, interval: bool = False) -> Cell:
  """A mean in [0, 1] as percent, with its interval if asked."""
  if mean is None:
    return NOTHING
  text = f'{rounded(100 * mean.value, digits)}'
  if interval and mean.half is not None:
    text += f' ± {rounded(100 * mean.half, digits)}'
  return Cell(text, mean.value, note=_spread(mean, 100, digits))


def plain(mean: Mean | None, digits: int = 3, scale: float = 1) -> Cell:
  """A mean as it is, times `scale`."""
  if mean is None:
    return NOTHING
  return Cell(f'{rounded(mean.value * scale, digits):,}', mean.value, note=_spread(mean, scale, digits))


def percent_of(part: int, whole: int) -> Cell:
  """A share of a count in percent, with the counts as its note."""
  return Cell(f'{rounded(100 * part / whole, 1)}', part / whole, note=f'{part:,} of {whole:,}')


def significant(value: float) -> str:
  """A number with three significant digits, whole from 100 on: `'0.0635'`, `'28.0'`, `'1,240'`."""
  if value >= 99.95:
    return f'{rounded(value, 0):,}'
  return f'{value:#.3g}' if value >= 1e-4 or not value else f'{value:.2e}'


def arrow(before: Mean | None, after: Mean | None, digits: int = 3) -> Cell:
  """A measure before → after; it sorts by the value before."""
  if before is None and after is None:
    return NOTHING
  left, right = plain(before, digits), plain(after, digits)
  return Cell(f'{left.text} → {right.text}', left.value)


def signed(difference: Difference | None, digits: int = 1) -> Cell:
  """A paired difference in percentage points, its interval, and the verdict in words."""
  if difference is None:
    return NOTHING
  mean, verdict = difference.mean, difference.verdict
  text = f'{points(mean.value, digits)}'
  if mean.half is not None:
    text += f' ± {rounded(100 * mean.half, digits)}'
  return Cell(f'{text} {verdict}', mean.value, note=_tested(difference))


def _tested(difference: Difference) -> str:
  """Over what a difference was tested; its p-values where there are some."""
  said = f'over {repeats(difference.mean)}'
  if difference.p is None:
    return said
  if difference.holm is None:
    return f'{said}, p {p_value(difference.p)}'
  return f'{said}, p {p_value(difference.p)}, after Holm {p_value(difference.holm)}: {difference.corrected}'


def p_value(p: float) -> str:
  """`'0.013'`, `'< 0.001'`."""
  return '< 0.001' if p < 0.001 else f'{p:.3f}'


def repeats(mean: Mean) -> str:
  """`'3 splits'`, or where there are several seeds on a split `'3 splits of 2 seeds'`."""
  splits = f'{mean.n} {"split" if mean.n == 1 else "splits"}'
  if mean.seeds.total == mean.n:
    return splits
  return f'{splits} of {each_split(mean)} seeds'


def each_split(mean: Mean) -> str:
  """How many seeds a split has: `'2'`, or `'1 to 3'`."""
  _, fewest, most = mean.seeds
  return str(most) if fewest == most else f'{fewest} to {most}'


def points(value: float, digits: int = 1) -> str:
  """A difference of fractions in percentage points, with its sign, which 0 has not."""
  number = rounded(100 * value, digits)
  return (f'{number:+}' if round(100 * value, 9) else f'{number}').replace('-', MINUS)


def _spread(mean: Mean, scale: float, digits: int) -> str:
  over = f'over {repeats(mean)}'
  return over if mean.half is None else f'± {rounded(mean.half * scale, digits):,} {over}'
