"""One trial from the command line: say what will run, run it, say what came out."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console
from rich.progress import Progress

from ssl_bench import data
from ssl_bench.config import Config, to_dict
from ssl_bench.leaderboard.trials import number
from ssl_bench.records import record
from ssl_bench.records.trackers import Tracker, mirror_and_say
from ssl_bench.settings.signature import BadSetting
from ssl_bench.settings.yaml12 import Dumper
from ssl_bench.stop import Stop
from ssl_bench.train.checkpoint import Checkpoints
from ssl_bench.train.given import stressed
from ssl_bench.train.loop import Interrupted
from ssl_bench.train.program import compile_program
from ssl_bench.train.structure import structure_of
from ssl_bench.trial.run import check, run_trial
from ssl_bench.trial.run_folder import Room
from ssl_bench.trial.training import forget, is_of_other_code, name_of, names_of


def run_single(
  config: Config,
  folder: Path,
  trackers: Sequence[Tracker],
  *,
  only_evaluate: bool = False,
  again: bool = False,
) -> int:
  """Runs a trial in `folder`; returns 0 where it is done, 1 where it failed or diverged, 128 + a signal.

  With `again`, a recorded trial is run once more, and what `forget` names is put aside first.  Without,
  `BadSetting` is raised where other code of the method than today's recorded or trained it.
  """
  for tracker in trackers:
    tracker.check()
  console = Console(highlight=False, soft_wrap=True)
  room = Room(folder)
  dataset = data.load(config.dataset)
  identity = record.identify(config, dataset.fingerprint)
  if not again and is_of_other_code(config, dataset, room):
    raise BadSetting(
      f'This trial was run with other code of {config.method["name"]} than is there now; give the method a '
      f'new VERSION, or run ssl-bench train --again, which keeps the old record in {room.replaced}.'
    )
  if not again and (found := room.recorded(identity)):
    console.print(f'Already recorded: {room.record_of(identity)}', markup=False)
    _mirror(found, room, trackers)
    return show(found, console)
  stop = Stop()
  try:
    with stop:
      check(config, dataset)
      for name, one in names_of(config, dataset).items() if only_evaluate else ():
        check_trained(one, room, name)
      compile_program(structure_of(config, stressed(config, dataset)))  # an error is told before all else
      console.print(yaml.dump(to_dict(config), Dumper=Dumper, sort_keys=False), markup=False)
      with room.alone(name_of(config, dataset)), Progress(console=console, transient=True) as bars:
        if again:
          forget(config, dataset, room)
        bar = bars.add_task('training', total=config.steps)
        found = run_trial(
          config,
          room,
          only_evaluate=only_evaluate,
          report=lambda step, metrics: bars.update(bar, completed=step, description=_progress(metrics)),
          should_stop=stop,
        )
  except Interrupted as interrupted:
    console.print(str(interrupted), markup=False)
    return stop.exit_code
  if not stop():
    _mirror(found, room, trackers)
  console.print(f'Recorded: {room.record_of(identity)}', markup=False)
  return stop.exit_code if stop() else show(found, console)


def _mirror(found: dict, room: Room, trackers: Sequence[Tracker]) -> None:
  """Mirrors one record, named by what sets it apart from the others in its room, if they can be read."""
  try:
    among = record.read_all([room.records])
  except BadSetting:
    among = [found]
  mirror_and_say(trackers, [found], among, room.path)


def check_trained(config: Config, room: Room, training: str) -> None:
  """Raises `BadSetting` unless the training that a trial needs is complete."""
  folder = room.checkpoints / training
  checkpoints = Checkpoints(folder) if folder.is_dir() else None
  done = checkpoints.latest() if checkpoints else None
  if checkpoints:
    checkpoints.close()
  if done != config.steps:
    name = config.method['name']
    begun = f'{name} is trained to step {done} of {config.steps}' if done else f'{name} is not trained yet'
    raise BadSetting(f'{begun} with these settings; run ssl-bench train with them first.')


def show(found: dict, console: Console) -> int:
  """The main numbers of a record."""
  if found['status'] != 'done':
    console.print(f'{found["status"]}: {found["error"]}', markup=False)
    return 1
  measures = found['metrics']

  def told(*path: str) -> str:
    value = number(found, *path)
    return '–' if value is None else f'{value:.4g}'

  def scaled(name: str) -> str:
    return f'{told("metrics", name)}, scaled {told("metrics", "scaled", name)}'

  accuracy = number(found, 'metrics', 'accuracy')
  lines = {
    'accuracy': f'{"–" if accuracy is None else f"{accuracy:.4f}"} ({measures.get("classifier")})',
    'linear probe, all labels': told('metrics', 'linear', 'accuracy'),
    'linear probe, same labels': told('metrics', 'linear_budget', 'accuracy'),
    'kNN': ', '.join(f'{told("metrics", "knn", k)} (k={k})' for k in measures.get('knn') or ()),
    **({'transductive': told('metrics', 'transductive', 'accuracy')} if 'transductive' in measures else {}),
    'NLL': scaled('nll'),
    'ECE': scaled('ece'),
    'collapsed': measures.get('collapse_reason') if measures.get('collapsed') else 'no',
    's per epoch': told('cost', 'seconds_per_epoch'),
    'GFLOPs per epoch': told('cost', 'gflops_per_epoch'),
  }
  for name, value in lines.items():
    console.print(f'{name:>26}  {value}', markup=False)
  return 0


def _progress(metrics: dict) -> str:
  return f'loss {metrics["loss"]:.3f}' if metrics else 'training'
