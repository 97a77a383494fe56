"""What is measured of a table: in its run folder, and in the table that the project keeps."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ssl_bench import measures
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.leaderboard import reproduced
from ssl_bench.leaderboard.reproduced import Reproduced, ReproducedCell, ReproducedRow, Run, Value
from ssl_bench.planning import identity
from ssl_bench.reproduce.table import Table, Trials
from ssl_bench.settings.find import shipped
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run_folder import RunFolder

Datasets = Mapping[str, Dataset]
Known = Mapping[tuple[str, str], ReproducedCell]  # (row, column) -> what a table on disk holds


def known_of(name: str) -> Known:
  """The cells of a table that was reproduced before and is kept with the project."""
  path = shipped(f'leaderboard/reproduced/{name}.json')
  if not path.is_file():
    return {}
  return {(row.name, cell.column): cell for row in reproduced.read(path).rows for cell in row.cells}


def unmeasured(trials: Trials, known: Known, datasets: Datasets) -> list[Config]:
  """The trials of a cell that the known table does not hold."""
  kept = _kept(trials, known, _identity(trials, datasets))
  return [config for key, config in trials.configs.items() if key not in kept]


def gather(table: Table, folder: RunFolder, datasets: Datasets, known: Known) -> Reproduced:
  """The table with all that is measured of it."""
  made: dict[str, str] = {}
  rows: dict[str, list[ReproducedCell]] = {}
  for trials in table.cells:
    rows.setdefault(trials.row.name, []).append(_cell(trials, folder, datasets, known, made))
  named = {trials.row.name: trials.row for trials in table.cells}
  return Reproduced(
    name=table.name,
    title=table.file.title,
    about=table.file.about,
    tolerance=table.file.tolerance,
    made={**made, 'finished': datetime.now(UTC).isoformat(timespec='seconds')},
    rows=tuple(
      ReproducedRow(
        name=name, config=named[name].config or '', measure=named[name].measure, cells=tuple(cells)
      )
      for name, cells in rows.items()
    ),
  )


def _cell(
  trials: Trials, folder: RunFolder, datasets: Datasets, known: Known, made: dict[str, str]
) -> ReproducedCell:
  own = _identity(trials, datasets)
  runs = dict(_kept(trials, known, own))
  device = known[trials.row.name, trials.column].device if runs else ''
  for key, config in trials.configs.items():
    record = folder.recorded(identity.identify(config, datasets[config.dataset].fingerprint))
    if record and record['status'] == 'done':
      runs[key] = _run(trials, record)
      device = record['environment']['device']['kind']
      made |= {
        'commit': record['environment']['git']['commit'],
        'jax': record['environment']['packages']['jax'],
      }
  return ReproducedCell(
    column=trials.column,
    identity=own,
    published=None if trials.published is None else Value.of(trials.published),
    explained=trials.row.explained.get(trials.column),
    wanted=trials.wanted,
    device=device,
    runs=dict(sorted(runs.items(), key=lambda run: tuple(map(int, run[0].split('/'))))),
  )


def _run(trials: Trials, record: Mapping[str, Any]) -> Run:
  """A trial's record as a run of the table; raises `BadSetting` where it lacks what the row reports."""

  def measured(name: str) -> float:
    value = measures.number_of(record, measures.get(name))
    if value is None:
      raise BadSetting(
        f'Row {trials.row.name}: record {record["id"]} has no {name}; give the row another measure, or its '
        'trials the probe or the evaluations that it needs.'
      )
    return value

  return Run(
    record=record['id'],
    value=measured(trials.row.measure),
    accuracy=measured('accuracy'),
    seconds=measured('train_seconds'),
  )


def _kept(trials: Trials, known: Known, own: str) -> Mapping[str, Run]:
  """The runs of a cell that a known table holds of the very same trials."""
  cell = known.get((trials.row.name, trials.column))
  return cell.runs if cell and cell.identity == own else {}


def _identity(trials: Trials, datasets: Datasets) -> str:
  """What decides the numbers of a cell, but for its seeds; empty where it has no trials."""
  config = next(iter(trials.configs.values()), None)
  if config is None:
    return ''
  unseeded = config.model_copy(update={'seed': 0, 'split_seed': 0})
  return f'{identity.identify(unseeded, datasets[config.dataset].fingerprint)} {trials.row.measure}'
