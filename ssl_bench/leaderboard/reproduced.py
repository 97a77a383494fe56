"""A published table beside what was measured here: its form on disk, and what may be said of each cell."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssl_bench.evaluation.intervals import Interval, mean_interval
from ssl_bench.leaderboard.published import Published
from ssl_bench.records.disk import write_whole
from ssl_bench.settings.signature import BadSetting

Verdict = Literal['within', 'explained', 'not reproduced', 'not run', 'nothing published', 'published only']


class _Form(BaseModel):
  model_config = ConfigDict(extra='forbid', frozen=True, strict=True)


class Value(_Form):
  """A published value in percent, its standard deviation, how many runs it is a mean of, and its source."""

  value: float
  std: float | None
  runs: int | None
  note: str
  source: str
  where: str

  @classmethod
  def of(cls, row: Published) -> 'Value':
    """The value of a published row, as an accuracy."""
    return cls(
      value=100 * row.accuracy,
      std=row.std,
      runs=row.runs,
      note=row.protocol_note,
      source=row.source,
      where=row.url_or_citation,
    )


class Run(_Form):
  """One trial: the published measure, the protocol's own accuracy, its record and its seconds of training."""

  record: str
  value: float = Field(ge=0, le=1)
  accuracy: float = Field(ge=0, le=1)
  seconds: float = Field(ge=0)


class ReproducedCell(_Form):
  """One row in one column; `runs` by 'split_seed/seed', `identity` of the trials but for their seeds."""

  column: str
  identity: str
  published: Value | None
  explained: str | None
  wanted: int
  device: str
  runs: dict[str, Run]

  @property
  def interval(self) -> Interval | None:
    """Mean and half width of its 95 % Student-t interval over runs, in percent."""
    return mean_interval([100 * run.value for run in self.runs.values()]) if self.runs else None

  @property
  def own(self) -> Interval | None:
    """The same of the accuracy of this project's protocol, which is that of the last step."""
    return mean_interval([100 * run.accuracy for run in self.runs.values()]) if self.runs else None

  @property
  def difference(self) -> float | None:
    """Measured minus published, in points."""
    if self.published is None or self.interval is None:
      return None
    return self.interval.mean - self.published.value

  @property
  def hours(self) -> float:
    return sum(run.seconds for run in self.runs.values()) / 3600

  def verdict(self, tolerance: float) -> Verdict:
    """Whether it was reproduced: within `tolerance` points or one published standard deviation."""
    if not self.wanted:
      return 'published only'
    if self.interval is None:
      return 'not run'
    if self.published is None or self.difference is None:
      return 'nothing published'
    allowed = max(tolerance, self.published.std or 0.0)
    if round(abs(self.difference), 6) <= allowed:
      return 'within'
    return 'explained' if self.explained else 'not reproduced'


class ReproducedRow(_Form):
  """One row of a table: its name, its config and the measure that the paper reports."""

  name: str
  config: str
  measure: str
  cells: tuple[ReproducedCell, ...]


class Reproduced(_Form):
  """A published table with what was measured; `made` says with which commit and jax, and when."""

  form: Literal[1] = 1
  name: str
  title: str
  about: str
  tolerance: float
  made: dict[str, str]
  rows: tuple[ReproducedRow, ...]


class Line(NamedTuple):
  """One cell as a line of text, for the terminal and the board."""

  row: str
  column: str
  published: str
  measured: str
  own: str
  difference: str
  verdict: str
  runs: str
  hours: str
  device: str
  explained: str


def lines(table: Reproduced, *, timing: bool = True) -> list[Line]:
  """The cells of a table, row by row; `timing=False` leaves out what a clock wrote."""
  return [_line(row, cell, table.tolerance, timing) for row in table.rows for cell in row.cells]


def _line(row: ReproducedRow, cell: ReproducedCell, tolerance: float, timing: bool) -> Line:
  found, verdict = cell.published, cell.verdict(tolerance)
  return Line(
    row=row.name,
    column=cell.column,
    published='–' if found is None else _say(found.value, found.std),
    measured='–' if cell.interval is None else _say(*cell.interval),
    own='–' if cell.own is None else _say(*cell.own),
    difference='–' if cell.difference is None else f'{cell.difference:+.1f}'.replace('-', '−'),
    verdict=verdict,
    runs=str(len(cell.runs)) if len(cell.runs) >= cell.wanted else f'{len(cell.runs)} of {cell.wanted}',
    hours=f'{cell.hours:.2f}' if timing and cell.runs else '–',
    device=cell.device if timing and cell.runs else '–',
    explained=(cell.explained or '') if verdict == 'explained' else '',
  )


def _say(mean: float, spread: float | None) -> str:
  return f'{mean:.1f}' if spread is None else f'{mean:.1f} ± {spread:.1f}'


def counts(table: Reproduced) -> Mapping[str, int]:
  """Verdict -> cells."""
  found = [cell.verdict(table.tolerance) for row in table.rows for cell in row.cells]
  return {verdict: found.count(verdict) for verdict in dict.fromkeys(found)}


def write(table: Reproduced, path: Path) -> None:
  """Writes a table, whole or not at all."""
  path.parent.mkdir(parents=True, exist_ok=True)
  write_whole(path, table.model_dump_json(indent=1) + '\n')


def read(path: Path) -> Reproduced:
  """A table that `write` wrote; raises `BadSetting` for another file."""
  try:
    return Reproduced.model_validate_json(path.read_bytes())
  except (OSError, ValidationError) as error:
    why = error.strerror if isinstance(error, OSError) else _first(error)
    raise BadSetting(f'{path} is no reproduced table: {why}; move it away and reproduce it again.') from None


def read_tables(folder: Path) -> tuple[Reproduced, ...]:
  """The tables of a folder, by their names."""
  return tuple(map(read, sorted(folder.glob('*.json'))))


def _first(error: ValidationError) -> str:
  found = error.errors()[0]
  return f'{".".join(map(str, found["loc"]))}: {found["msg"]}' if found['loc'] else found['msg']
