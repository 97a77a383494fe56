"""A table from the command line: run what is missing, set it beside what is published, keep both."""

from pathlib import Path

from rich.console import Console

from ssl_bench import data
from ssl_bench.grid.command import told
from ssl_bench.grid.engines.local import Local
from ssl_bench.grid.expand import Grid
from ssl_bench.grid.run import run_grid
from ssl_bench.leaderboard import reproduced
from ssl_bench.reproduce.gather import Datasets, Known, gather, known_of, unmeasured
from ssl_bench.reproduce.render import terminal
from ssl_bench.reproduce.table import Table
from ssl_bench.trial.run_folder import RunFolder

GOOD = {'within', 'explained', 'nothing published', 'published only'}


def reproduce(
  table: Table,
  runs: Path,
  workers: int | None = None,
  *,
  to: Path | None = None,
  anew: bool = False,
  again: bool = False,
  recorded: bool = False,
) -> int:
  """Runs the trials of a table that nobody has recorded, shows it, and writes it to its run folder.

  Args:
    table: what to reproduce.
    runs: its trials are kept below it and run once.
    workers: processes.
    to: a folder in which the table is kept too, such as `leaderboard/reproduced`.
    anew: run what is recorded with the project as well.
    recorded: run nothing, and show what is recorded.
    again: run what other code recorded in the run folder once more; the old records are kept.

  Returns:
    0 if every cell is within its tolerance, explained or not published, else 1; 128 + the signal that
    stopped it.
  """
  console = Console(highlight=False, soft_wrap=True)
  folder = RunFolder(runs / f'reproduce_{table.name}')
  datasets: Datasets = {
    name: data.load(name) for name in sorted({c.dataset for t in table.cells for c in t.configs.values()})
  }
  known: Known = {} if anew else known_of(table.name)
  missing = [config for cell in table.cells for config in unmeasured(cell, known, datasets)]
  if missing and not recorded:
    names = {config.method['name']: {'dataset', 'net.name'} for config in missing}
    summary = run_grid(
      Grid(f'reproduce_{table.name}', tuple(missing)), folder, Local(workers), again=again, names=names
    )
    console.print(told(summary), markup=False)
    if summary.exit_code:
      console.print('Stopped; what was trained is saved. The same command goes on from there.')
      return summary.exit_code
  found = gather(table, folder, datasets, known)
  for path in (folder.path / 'table.json', *([to / f'{table.name}.json'] if to else [])):
    reproduced.write(found, path)
  console.print(terminal(found))
  return 0 if set(reproduced.counts(found)) <= GOOD else 1
