"""A tiny trial of each method on the synthetic set: a compiled program that all tests share."""

import importlib
import importlib.util
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np

from ssl_bench import config as configs
from ssl_bench import data, parallel
from ssl_bench.config import Config
from ssl_bench.data.arrays import Dataset
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.planning.numbers import numbers_of, teaching
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.yaml import merge, nest
from ssl_bench.training.program import Program, compile_program

NET = {'name': 'mlp', 'widths': [16, 8]}  # with BatchNorm, so that statistics matter
LABELS, CLASSES, STEPS = 20, 10, 100


def has_golden(name: str) -> bool:
  """Whether the method has a golden file, which says what only its paper can tell, such as FLOWS."""
  return importlib.util.find_spec(f'golden.{name}') is not None


def golden_of(name: str) -> ModuleType:
  """The golden file of a method; without one, a module in which only `SETTINGS` stand, the defaults."""
  if has_golden(name):
    return importlib.import_module(f'golden.{name}')
  nothing = ModuleType(name)
  nothing.__dict__['SETTINGS'] = {}
  return nothing


class TinyTrial(NamedTuple):
  """A method with its golden file, config, data, compiled program and numbers, ready to run."""

  name: str
  golden: ModuleType
  config: Config
  dataset: Dataset
  program: Program
  data: Any
  numbers: Any


def make_config(method: dict[str, Any], **changes: Any) -> Config:
  """A config on the synthetic set; `changes` as on the command line, with dots written as `__`."""
  tree: dict[str, Any] = {
    'dataset': 'fake',
    'labels': LABELS,
    'method': method,
    'net': NET,
    'batch': {'labeled': 8, 'unlabeled_ratio': 2},
    'steps': STEPS,
    'optimizer': {'name': 'sgd', 'lr': 0.1},
    'augment': {'weak': 'none', 'strong': 'none'},
  }
  for key, value in changes.items():
    tree = merge(tree, nest(key.replace('__', '.'), value))
  return configs.validate(tree)


def numbers_on_device(config: Config) -> Any:
  """The numbers of a config, on the devices; a teacher is untrained, enough for a student's tests."""
  taught = None
  if teacher := config.teacher:
    dataset, numbers = data.load(teacher.dataset), numbers_on_device(teacher)
    program = compile_program(structure_of(teacher, dataset))
    taught = teaching(program.init(np.uint32(1), arrays_on_device(dataset), numbers)[0], numbers)
  numbers = numbers_of(config, int(config.labels), taught, data.load(config.dataset).graph)
  return jax.device_put(numbers, parallel.everywhere(parallel.make_mesh()))


def arrays_on_device(dataset: Dataset, labels: int = LABELS) -> Any:
  pool = data.labeled_indices(dataset.train_labels, labels, split_seed=0, classes=dataset.classes)
  return jax.device_put(arrays_of(dataset, pool), parallel.everywhere(parallel.make_mesh()))


@cache
def tiny_trial(name: str) -> TinyTrial:
  """The method with its golden file's settings; the compiled program is shared by all tests."""
  golden = golden_of(name)
  config = make_config({'name': name, **golden.SETTINGS}, **getattr(golden, 'CHANGES', {}))
  dataset = data.load(config.dataset)
  program = compile_program(structure_of(config, dataset))
  return TinyTrial(
    name, golden, config, dataset, program, arrays_on_device(dataset), numbers_on_device(config)
  )


@cache
def tiny_combined_trial(method: str, *combinators: str) -> TinyTrial:
  """A pseudo-label method under combinators."""
  config = make_config({'name': method, 'threshold': 0.1}, combine=list(combinators))
  dataset = data.load('fake')
  program = compile_program(structure_of(config, dataset))
  data_here, numbers = arrays_on_device(dataset), numbers_on_device(config)
  return TinyTrial(method, golden_of(method), config, dataset, program, data_here, numbers)


class Run(NamedTuple):
  """The end of a few steps; `totals` are sums over all of them."""

  state: Any
  totals: Any


def run(
  tiny_trial: TinyTrial, steps: int = 5, *, seed: int = 0, start: Run | None = None, **changed: Any
) -> Run:
  """Trains from `start` (which is used up) or from the beginning; `changed`: other `data` or `numbers`.

  Epochs end as in training; a method without a loss takes no step and is refreshed once, if any is asked.
  """
  tiny_trial = tiny_trial._replace(**changed)
  program = tiny_trial.program
  now = start or Run(*program.init(np.uint32(seed), tiny_trial.data, tiny_trial.numbers))
  for _ in range(steps if program.advance else min(steps, 1)):
    if program.advance:
      now = Run(*program.advance(*now, tiny_trial.data, tiny_trial.numbers))
    if program.refresh and (not program.advance or int(now.state.step) % program.steps_per_epoch == 0):
      now = now._replace(state=program.refresh(now.state, tiny_trial.data, tiny_trial.numbers))
  return now


def learns_by_steps(name: str) -> bool:
  """Whether the method has a loss."""
  return tiny_trial(name).program.advance is not None
