"""One number as a reader sees it: its text, the value it sorts by, and a note to hover over."""

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


def percent(mean: Mean | None, digits: int = 1, interval: bool = False) -> Cell:
  """A mean in [0, 1] as percent, with its interval if asked."""
  if mean is None:
    return NOTHING
  text = f'{100 * mean.value:.{digits}f}'
  if interval and mean.half is not None:
    text += f' ± {100 * mean.half:.{digits}f}'
  return Cell(text, mean.value, note=_spread(mean, 100, digits))


def plain(mean: Mean | None, digits: int = 3, scale: float = 1) -> Cell:
  """A mean as it is, times `scale`."""
  if mean is None:
    return NOTHING
  return Cell(f'{mean.value * scale:,.{digits}f}', mean.value, note=_spread(mean, scale, digits))


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
    text += f' ± {100 * mean.half:.{digits}f}'
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
  """A difference of fractions in percentage points, with its sign."""
  return f'{100 * value:+.{digits}f}'.replace('-', MINUS)


def _spread(mean: Mean, scale: float, digits: int) -> str:
  over = f'over {repeats(mean)}'
  return over if mean.half is None else f'± {mean.half * scale:,.{digits}f} {over}'
