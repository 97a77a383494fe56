"""One trial from the command line: say what will run, run it, say what came out."""

import signal
from pathlib import Path

import yaml
from rich.console import Console
from rich.progress import Progress

from ssl_bench import data
from ssl_bench.config import Config, to_dict
from ssl_bench.grid.room import Room
from ssl_bench.grid.training import teachers
from ssl_bench.grid.trial import check, run_trial
from ssl_bench.records import record
from ssl_bench.records.track import Mode, mirror
from ssl_bench.signature import BadSetting
from ssl_bench.train.checkpoint import Checkpoints
from ssl_bench.train.fit import Interrupted
from ssl_bench.train.given import stressed
from ssl_bench.train.program import compile_program
from ssl_bench.train.structure import streams_seen, structure_of
from ssl_bench.yaml12 import Dumper


def run_single(config: Config, folder: Path, wandb: Mode, *, only_evaluate: bool = False) -> int:
  """Runs a trial in `folder` and returns the exit code: 0 done, 1 failed or diverged, 143 stopped."""
  console = Console(highlight=False, soft_wrap=True)
  room = Room(folder)
  dataset = data.load(config.dataset)
  identity = record.identify(config, dataset.fingerprint)
  if found := room.recorded(identity):
    console.print(f'Already recorded: {room.record_of(identity)}', markup=False)
    return show(found, console)
  check(config, dataset)
  training = record.identify_training(config, dataset.fingerprint, streams_seen(config, dataset))
  if only_evaluate:
    for one in (config, *teachers(config)):
      name = record.identify_training(one, dataset.fingerprint, streams_seen(one, dataset))
      check_trained(one, room, name)
  compile_program(
    structure_of(config, stressed(config, dataset))
  )  # what cannot be traced is told before anything is written
  console.print(yaml.dump(to_dict(config), Dumper=Dumper, sort_keys=False), markup=False)
  asked: list[int] = []
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, frame: asked.append(number))
  try:
    with room.alone(training), Progress(console=console, transient=True) as bars:
      bar = bars.add_task('training', total=config.steps)
      found = run_trial(
        config,
        room,
        report=lambda step, metrics: bars.update(bar, completed=step, description=_progress(metrics)),
        should_stop=lambda: bool(asked),
      )
  except Interrupted as stop:
    console.print(str(stop))
    return 128 + asked[0]
  mirror([found], room.path, mode=wandb)
  console.print(f'Recorded: {room.record_of(identity)}', markup=False)
  return show(found, console)


def check_trained(config: Config, room: Room, training: str) -> None:
  """Raises `BadSetting` unless the training that a trial needs is complete."""
  folder = room.checkpoints / training
  checkpoints = Checkpoints(folder) if folder.is_dir() else None
  done = checkpoints.latest() if checkpoints else None
  if checkpoints:
    checkpoints.close()
  if done != config.steps:
    raise BadSetting(
      f'This trial is trained to step {done or 0} of {config.steps}; run ssl-bench train first.'
    )


def show(found: dict, console: Console) -> int:
  """The main numbers of a record."""
  if found['status'] != 'done':
    console.print(f'{found["status"]}: {found["error"]}', markup=False)
    return 1
  measures, cost = found['metrics'], found['cost']
  lines = {
    'accuracy': f'{measures["accuracy"]:.4f} ({measures["classifier"]})',
    'linear probe, all labels': _number(measures.get('linear', {}).get('accuracy')),
    'linear probe, same labels': _number(measures.get('linear_budget', {}).get('accuracy')),
    'kNN': ', '.join(f'{_number(v)} (k={k})' for k, v in measures.get('knn', {}).items()),
    **({'transductive': _number(measures['transductive']['accuracy'])} if 'transductive' in measures else {}),
    'NLL': f'{_number(measures["nll"])}, scaled {_number(measures["scaled"]["nll"])}',
    'ECE': f'{_number(measures["ece"])}, scaled {_number(measures["scaled"]["ece"])}',
    'collapsed': measures['collapse_reason'] if measures['collapsed'] else 'no',
    's per epoch': _number(cost['seconds_per_epoch']),
    'GFLOPs per epoch': _number(cost['gflops_per_epoch']),
  }
  for name, value in lines.items():
    console.print(f'{name:>26}  {value}', markup=False)
  return 0


def _progress(metrics: dict) -> str:
  return f'loss {metrics["loss"]:.3f}' if metrics else 'training'


def _number(value: float | None) -> str:
  return '–' if value is None else f'{value:.4g}'
