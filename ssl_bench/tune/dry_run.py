"""What a tuning would do, without doing it: candidates, trials, training steps, hours."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from ssl_bench.grid.engines.local import default_workers
from ssl_bench.grid.estimate import Timing, timings
from ssl_bench.grid.survey import program_of
from ssl_bench.settings import plural
from ssl_bench.settings.duration import duration
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.tune.file import Method, Tuning
from ssl_bench.tune.search import check_budget, play


class Planned(NamedTuple):
  """What a method needs, as far as it is known before it runs."""

  method: Method
  candidates: int  # of a study
  visits: int  # of trials, each at every rung that it gets to, over all studies
  steps: int  # over all studies
  seconds: float | None  # of one worker; None where no record tells


def dry_run(tuning: Tuning, run_folder: RunFolder, workers: int | None, records: Iterable[Path] = ()) -> str:
  """A line for each method, and one for all.  Nothing is trained or written.

  Args:
    tuning: its file.
    run_folder: where it would run; what is recorded there already is not taken off.
    workers: processes; None for as many as `tune` would take.
    records: more folders of records, which tell how long a step takes.
  """
  for method in tuning.methods:
    check_budget(tuning.form, method)
  known = timings([run_folder.records, *records])
  found = [_planned(tuning, method, known) for method in tuning.methods]
  form, count = tuning.form, workers or default_workers()
  lines = [
    f'{form.name}: {plural.count(len(found), "method")}, {plural.count(form.studies, "study", "studies")} of '
    f'each, {form.budget:,} training steps a study; {plural.count(len(tuning.over), "trial")} a candidate, '
    f'on split seeds {", ".join(str(cell["split_seed"]) for cell in tuning.over)}.'
  ]
  for one in found:
    took = '' if one.seconds is None else f', about {duration(one.seconds / count)}'
    upto = 'at most ' if form.sampler == 'tpe' else ''
    lines.append(
      f'{one.method.name}: {upto}{plural.count(one.candidates, "candidate")} a study, compared at '
      f'{_rungs(one.method)}; {plural.count(one.visits, "trial")} in all, {one.steps:,} steps{took}.'
    )
  told = [one.seconds for one in found if one.seconds is not None]
  on = f'on {plural.count(count, "worker")} of this machine'
  if told:
    lines.append(f'About {duration(sum(told) / count)} {on}, by records of such programs.')
  if unknown := [one.method.name for one in found if one.seconds is None]:
    lines.append(f'No record tells how long {", ".join(unknown)} take.')
  if 'supervised' not in form.methods:
    lines.append('supervised is not among the methods; a gain over it needs it tuned with the same budget.')
  return '\n'.join(lines)


def _rungs(method: Method) -> str:
  """The steps of its rungs, such as 175, 500 and 1,500 steps."""
  *first, last = (f'{step:,}' for step in method.rungs)
  return f'{", ".join(first)} and {last} steps' if first else f'step {last}'


def _planned(tuning: Tuning, method: Method, known: Mapping[str, Timing]) -> Planned:
  """By a search in which all candidates are equally good."""
  form = tuning.form
  study = play(form, method, 0, lambda *asked: 0.5)
  visits = form.studies * len(tuning.over) * sum(len(one.scores) for one in study.candidates)
  steps = form.studies * study.steps
  programs = [program_of(tuning.configs(method, one.values)[0]) for one in study.candidates]
  seconds = None
  if all(program in known for program in programs):
    times = [known[program] for program in programs]
    seconds = steps * fmean(time.step for time in times) + visits * fmean(time.beside for time in times)
  return Planned(method, len(study.candidates), visits, steps, seconds)
