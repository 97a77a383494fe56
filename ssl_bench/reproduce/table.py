"""The file of a published table: its rows, columns, seeds and tolerance; and the trials of each cell."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ssl_bench import measures
from ssl_bench.config import Config, load
from ssl_bench.leaderboard.build import PUBLISHED
from ssl_bench.leaderboard.published import Published, read_published
from ssl_bench.settings.find import check_file, find, shipped
from ssl_bench.settings.signature import BadSetting, short, suggest
from ssl_bench.settings.yaml import read_yaml

SEEDS = {'seed': ('seed',), 'split': ('split_seed', 'seed')}  # what differs between the runs of a cell


class _Form(BaseModel):
  model_config = ConfigDict(extra='forbid', frozen=True)


class RowOfTable(_Form):
  """One row.

  config: a file of the column's folder of configs, without `.yaml`; None for a row that is only published.
  published: the method of `leaderboard/published.csv` whose values it has; None where nobody published any.
  source: text that the source or the note of these values holds, where there are several.
  measure: what of ours the paper reports.
  seeds: runs of each cell; the table's by default.
  columns: those that it has; all by default.
  settings: further settings as key=value.
  explained: column -> why its value differs, with the command of the experiment that shows it.
  """

  name: str
  config: str | None = None
  published: str | None = None
  source: str = ''
  measure: str = 'accuracy'
  seeds: int | None = Field(None, ge=1)
  columns: tuple[str, ...] | None = None
  settings: tuple[str, ...] = ()
  explained: dict[str, str] = {}


class TableFile(_Form):
  """A published table.

  columns: name -> the folder of configs, and settings as key=value.
  settings: further settings of every trial.
  seeds: runs of each cell; `vary` says whether they differ in the seed alone or in the split too.
  tolerance: points within which a value counts as reproduced.
  """

  title: str
  about: str = ''
  columns: dict[str, tuple[str, ...]]
  settings: tuple[str, ...] = ()
  rows: tuple[RowOfTable, ...]
  seeds: int = Field(ge=1)
  vary: Literal['seed', 'split'] = 'split'
  tolerance: float = Field(1.0, ge=0)


class Trials(NamedTuple):
  """The trials of one cell by 'split_seed/seed', how many the table asks for, and what is published of it."""

  row: RowOfTable
  column: str
  wanted: int
  configs: dict[str, Config]
  published: Published | None


class Table(NamedTuple):
  """A table by its name, with the trials of its cells."""

  name: str
  file: TableFile
  cells: tuple[Trials, ...]


def names() -> list[str]:
  """The tables of the working folder and those that are shipped."""
  folders = (Path('tables'), shipped('tables'))
  return sorted({path.stem for folder in folders for path in folder.glob('*.yaml')})


def read(table: str, *, seeds: int | None = None, rows: Sequence[str] = ()) -> Table:
  """A table by its name or its path.

  Args:
    table: such as planetoid.
    seeds: so many runs of each cell; as the table says by default.
    rows: only these rows; all by default.

  Raises:
    BadSetting: there is no such table, or a row of it is wrong; one sentence.
  """
  path = find(Path(table), 'table')
  check_file(path, 'table')
  try:
    file = TableFile.model_validate(read_yaml(path))
  except ValidationError as error:
    first = error.errors()[0]
    raise BadSetting(f'{path}: {".".join(map(str, first["loc"]))}: {first["msg"]}.') from None
  known = [row.name for row in file.rows]
  for row in file.rows:
    if known.count(row.name) > 1:
      raise BadSetting(f'{path} has two rows {short(row.name)}; give one of them another name.')
    for column in (*row.explained, *(row.columns or ())):
      if column not in file.columns:
        raise BadSetting(
          f'{path}, row {row.name}: no column {short(column)}; {suggest(column, file.columns)}'
        )
  for name in rows:
    if name not in known:
      raise BadSetting(f'{path} has no row {short(name)}; {suggest(name, known)}')
  published = read_published(PUBLISHED) if PUBLISHED.is_file() else ()
  kept = [row for row in file.rows if not rows or row.name in rows]
  cells = [
    _trials(path, file, row, column, published, seeds)
    for row in kept
    for column in (row.columns or file.columns)
  ]
  return Table(path.stem, file, tuple(cells))


def _trials(
  path: Path, file: TableFile, row: RowOfTable, column: str, published: Any, seeds: int | None
) -> Trials:
  folder, *settings = file.columns[column]
  measures.get(row.measure)
  wanted = (row.seeds or file.seeds) if row.config else 0
  try:
    usual = load(f'{folder}/{row.config or "supervised"}', (*file.settings, *settings, *row.settings))
  except BadSetting as error:
    raise BadSetting(f'{path}, row {row.name}, {column}: {error}') from None
  configs = {}
  for i in range((seeds or wanted) if row.config else 0):
    config = usual.model_copy(update=dict.fromkeys(SEEDS[file.vary], i))
    configs[f'{config.split_seed}/{config.seed}'] = _with_teacher(config, file.vary, i)
  return Trials(row, column, wanted, configs, _find(published, row, usual))


def _with_teacher(config: Config, vary: str, seed: int) -> Config:
  """The config, its teachers trained with the same seeds."""
  if config.teacher is None:
    return config
  teacher = config.teacher.model_copy(update=dict.fromkeys(SEEDS[vary], seed))
  return config.model_copy(update={'teacher': _with_teacher(teacher, vary, seed)})


def _find(published: Sequence[Published], row: RowOfTable, config: Config) -> Published | None:
  """The published row of a cell; raises `BadSetting` where there are several."""
  found = [
    one
    for one in published
    if one.method == row.published
    and one.dataset == config.dataset
    and one.labels == str(config.labels)
    and row.source in f'{one.source} {one.url_or_citation} {one.protocol_note}'
  ]
  if len(found) > 1:
    raise BadSetting(
      f'Row {row.name}: {len(found)} published values of {row.published} on {config.dataset} with '
      f'{config.labels} labels; choose one by source.'
    )
  return found[0] if found else None
