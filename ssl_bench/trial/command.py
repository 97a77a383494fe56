"""One trial from the command line: say what will run, run it, say what came out."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from ssl_bench import data, gang, measures, plugins
from ssl_bench.config import Config, to_dict
from ssl_bench.measures import Measure
from ssl_bench.planning import Plan, identity, make_plan
from ssl_bench.records import record
from ssl_bench.records.trackers import Tracker, mirror_and_say
from ssl_bench.settings import plural
from ssl_bench.settings.signature import BadSetting
from ssl_bench.settings.yaml12 import Dumper
from ssl_bench.stop import AGAIN, Stop
from ssl_bench.training.checkpoint import Checkpoints
from ssl_bench.training.early_stop import has_ended
from ssl_bench.training.loop import Interrupted
from ssl_bench.training.program import compile_program
from ssl_bench.trial.progress import Progress
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.standing import Standing
from ssl_bench.trial.training import forget, is_of_other_code


def run_single(
  config: Config,
  folder: Path,
  trackers: Sequence[Tracker],
  *,
  live: Callable[[], AbstractContextManager[Any]] = nullcontext,
  only_evaluate: bool = False,
  again: bool = False,
) -> int:
  """Runs a trial in `folder`; returns 0 where it is done, 1 where it failed or diverged, 128 + a signal.

  In a gang the first process writes and speaks, and the code after a signal is 75 for all.

  With `again`, a recorded trial is run once more, and what `forget` names is put aside first.  Without,
  `BadSetting` is raised where other code of the method than today's recorded or trained it.  `live` makes a
  context in which the trackers show the trial while it runs.
  """
  for tracker in trackers:
    gang.on_first(tracker.check)
  gang.on_all(measures.all_measures)  # an error of a plugin's is told before all else
  console = Console(highlight=False, soft_wrap=True, quiet=not gang.is_first())
  run_folder = RunFolder(folder)
  dataset = gang.on_all(data.load, config.dataset)
  trial = identity.identify(config, dataset.fingerprint)
  gang.check_same((trial, again), 'their settings or data')
  if not again and gang.on_first(is_of_other_code, config, dataset, run_folder):
    raise BadSetting(
      f'This trial was run with other code of {config.method["name"]} than is there now; give the method a '
      f'new VERSION, or run ssl-bench train --again, which keeps the old record in {run_folder.replaced}.'
    )
  if not again and (found := gang.on_first(run_folder.recorded, trial)):
    console.print(f'Already recorded: {run_folder.record_of(trial)}{_without(found)}', markup=False)
    _mirror(found, run_folder, trackers)
    return show(found, console)
  stop = Stop(code=AGAIN if gang.size() > 1 else None)
  should_stop = gang.agreed(stop)
  try:
    with stop, ExitStack() as held:
      plan = gang.on_all(make_plan, config, dataset)
      for training in plan.trainings if only_evaluate else ():
        check_trained(training, run_folder)
      if suspect := gang.on_first(lambda: data.check_before(dataset, should_stop=stop)):
        console.print(suspect, markup=False)
      program = compile_program(plan.structure)  # an error is told before all else
      console.print(yaml.dump(to_dict(config), Dumper=Dumper, sort_keys=False), markup=False)
      gang.on_first(lambda: held.enter_context(run_folder.claims.alone(plan.training_id)))
      if gang.is_first():
        held.enter_context(live())
      standing = Standing(config.steps, program.images_per_step)
      with Progress(_title(plan), standing, quiet=not gang.is_first()) as progress:
        if again:
          gang.on_first(forget, config, dataset, run_folder)
        found = run_trial(
          config, run_folder, only_evaluate=only_evaluate, report=progress.tell, should_stop=should_stop
        )
  except Interrupted as interrupted:
    console.print(str(interrupted), markup=False)
    return stop.exit_code if stop() else AGAIN
  if not stop():
    _mirror(found, run_folder, trackers)
  console.print(f'Recorded: {run_folder.record_of(trial)}', markup=False)
  return stop.exit_code if stop() else show(found, console)


def _mirror(found: dict, run_folder: RunFolder, trackers: Sequence[Tracker]) -> None:
  """Mirrors one record, named by what sets it apart from the others beside it, if they can be read."""
  if not (trackers and gang.is_first()):
    return
  try:
    whole = record.read_with_curves(run_folder.record_of(found['id']))
  except BadSetting as error:
    print(f'ssl-bench: not mirrored: {error}', file=sys.stderr)
    return
  try:
    among = record.read_all([run_folder.records])
  except BadSetting:
    among = [found]
  mirror_and_say(trackers, [whole], among, run_folder.path)


def check_trained(plan: Plan, run_folder: RunFolder) -> None:
  """Raises `BadSetting` unless a training that a trial needs is complete."""
  config, folder = plan.config, run_folder.checkpoints / plan.training_id
  done, history = 0, dict[str, Any]()
  if folder.is_dir():
    with Checkpoints(folder) as checkpoints:
      done, history = checkpoints.history() or (done, history)
  if not done or not has_ended(config, done, history):
    name = config.method['name']
    begun = f'{name} is trained to step {done} of {config.steps}' if done else f'{name} is not trained yet'
    raise BadSetting(f'{begun} with these settings; run ssl-bench train with them first.')


def show(found: dict[str, Any], console: Console) -> int:
  """Prints the main measures of a record; returns 0 where its trial is done, else 1."""
  if found['status'] != 'done':
    console.print(f'{found["status"]}: {found["error"]}', markup=False)
    return 1
  lines = {row.heading: _said(found, row) for row in measures.all_measures() if row.main}
  metrics = found['metrics']
  lines['accuracy, %'] += f' ({metrics.get("classifier")})'
  lines['collapsed'] = metrics.get('collapse_reason') if metrics.get('collapsed') else 'no'
  width = max(map(len, lines))
  for name, value in lines.items():
    if value:
      console.print(f'{name:>{width}}  {value}', markup=False)
  return 0


def _without(found: dict[str, Any]) -> str:
  """Which measures of plugins a finished record lacks, and how to get them; '' for none."""
  outside = [measures.get(name) for name in plugins.outside_names('measures')]
  lacks = [row.name for row in outside if row.function and measures.at(found, *row.path) is None]
  if not lacks or found['status'] != 'done':
    return ''
  return f', without {", ".join(lacks)}; ssl-bench train --again evaluates it anew and keeps the old record'


def _said(found: dict[str, Any], row: Measure) -> str:
  """A measure as text, `before → after` temperature scaling; '' where it was not measured."""
  rows = [row, *([measures.get(row.after)] if row.after else [])]
  values = [(one, measures.number_of(found, one)) for one in rows]
  return ' → '.join(measures.say(one, value) for one, value in values if value is not None)


def _title(plan: Plan) -> str:
  """`'fixmatch on digits, 40 labels'`."""
  config = plan.config
  return f'{config.method["name"]} on {config.dataset}, {plural.count(len(plan.labeled), "label")}'
