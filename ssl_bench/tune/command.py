"""A tuning from the command line: run what is missing, write what it found, and show it."""

from pathlib import Path

from rich.console import Console

from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.tune.file import Tuning
from ssl_bench.tune.result import table, write_results
from ssl_bench.tune.run import run


def tune(
  tuning: Tuning, runs: Path, workers: int | None, *, again: bool = False, seconds: float | None = None
) -> int:
  """Returns 0 where every study of every method has a winner and no trial failed, else 1.

  128 + the signal where one stopped it, 75 where `seconds` are over: the same command goes on from there.
  """
  console, run_folder = Console(highlight=False, soft_wrap=True), RunFolder(runs / tuning.form.name)
  tuned = run(tuning, run_folder, workers, again=again, seconds=seconds)
  if tuned.exit_code:
    print('The studies are not over; what was trained is saved. The same command goes on from there.')
    return tuned.exit_code
  for method, studies in tuned.studies:
    write_results(tuning, method, studies, tuned.scores, run_folder.path)
  console.print(table(tuning, tuned.studies))
  failed = sorted(set(tuned.scores.failed.values()))
  for sentence in failed:
    console.print(f'Failed, and run again by the same command: {sentence}', markup=False)
  lost = [f'{m.name}, study {s.number}' for m, own in tuned.studies for s in own if not s.winner(m)]
  for name in lost:
    print(f'No winner: {name}; all of its candidates diverged or failed.')
  print(f'Winning configs: {run_folder.path / "configs"}; the studies: {run_folder.path / "studies"}')
  return 1 if failed or lost else 0
