"""What a grid would do, without doing it."""

from collections.abc import Iterable
from pathlib import Path

from ssl_bench import data
from ssl_bench.config import to_dict
from ssl_bench.grid.engines.local import default_workers
from ssl_bench.grid.estimate import estimate, timings
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.run import plan
from ssl_bench.grid.survey import other_code, survey
from ssl_bench.grid.together import count_together
from ssl_bench.planning import make_plan
from ssl_bench.records.naming import varied
from ssl_bench.settings import plural
from ssl_bench.settings.duration import duration
from ssl_bench.training.together import can_join
from ssl_bench.trial.run_folder import RunFolder


def dry_run(grid: Grid, run_folder: RunFolder, workers: int | None, records: Iterable[Path] = ()) -> str:
  """What a grid would do, in a few lines: trials, trainings, programs, what is recorded, and about how long.

  Nothing is trained or written.  Raises `BadSetting` for a trial that cannot be planned.

  Args:
    grid: its trials.
    run_folder: where it would run.
    workers: processes; None for as many as `grid` would take.
    records: more folders of records, which tell how long a program takes.
  """
  datasets = {name: data.load(name) for name in {c.dataset for c in grid.configs}}
  found = survey(grid.configs, run_folder, datasets)
  plans = [make_plan(group.config, datasets[group.config.dataset]) for group in found.groups]
  names = varied(to_dict(group.config) for group in found.groups)
  todo, before = plan(grid.name, found, run_folder, names, grid.together)
  programs = {task.program for task in todo.tasks}
  recorded = ', '.join(f'{count:,} {status}' for status, count in sorted(before.items()))
  count, trainings = len(todo.trials), plural.count(len(todo.tasks), 'training')
  lines = [
    f'{grid.name}: {plural.count(len(found.trials), "trial")}; recorded: {recorded or "none"}; to do: '
    f'{count:,}, which are {trainings} of {plural.count(len(programs), "program")}.'
  ]
  if old := other_code(found, run_folder, datasets):
    lines.append(f'{len(old):,} of them were run with other code than is there now; --again runs them anew.')
  joining = {place for place, one in enumerate(plans) if can_join(one)}
  if beside := count_together(todo.tasks, joining, grid.together):
    lines.append(f'{beside:,} of the trainings are in programs of up to {grid.together} seeds.')
  if todo.tasks:
    wanted = min(workers or default_workers(), len(todo.tasks))
    told = estimate(todo.tasks, timings([run_folder.records, *records]))
    on = f'on {plural.count(wanted, "worker")} of this machine'
    if told.known:
      lines.append(f'About {duration(told.seconds / wanted)} {on}, by records of such programs here.')
    if told.unknown:
      unknown = len(todo.tasks) - told.known
      some = f'{plural.count(unknown, "training")} of {plural.count(len(told.unknown), "program")}'
      lines.append(f'No record tells how long {some} will take.')
  return '\n'.join(lines)
