"""The numbers of a trial: everything that is traced, so that another value compiles no other program."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from ssl_bench import combine, methods, optim, pattern
from ssl_bench.config import Config
from ssl_bench.contract import State
from ssl_bench.kinds.graph import graph_of_shapes
from ssl_bench.planning import states
from ssl_bench.planning.structure import Structure, split_combinator
from ssl_bench.settings.signature import settings_of

Numbers = dict[str, Any]


def numbers_of(config: Config, n_labels: int, teacher: Any = None, graph: Any = None) -> Numbers:
  """The numbers of a trial as float32 scalars, and the count of its labels as int32.

  Args:
    config: the trial.
    n_labels: labeled images.
    teacher: what its student is given of a trained teacher (`teaching`), which no gradient reaches.
    graph: whose nodes the images are, so that whoever reads a trained state has it at hand.
  """
  settings = settings_of(methods.get(config.method['name']))
  optimizer, _ = optim.split_numbers(config.optimizer)
  numbers = {
    'method': {k: s for k, s in config.method.items() if k != 'name' and settings[k].is_number},
    'optimizer': optimizer,
    'decay': config.ema.decay if config.ema else 0.0,
    'steps': config.steps,
    'combine': [split_combinator(text)[0] for text in config.combine],
    'patterns': {name: pattern.get(name).numbers(own) for name, own in config.patterns.items()},
  }
  given = {k: v for k, v in (('teacher', teacher), ('graph', graph)) if v is not None}
  return {**jax.tree.map(np.float32, numbers), 'n_labels': np.int32(n_labels), **given}


def teaching(state: State, numbers: Mapping[str, Any]) -> dict[str, Any]:
  """The part of a trained state that a student is given: all that `encode` and `predict` may read."""
  own = {k: v for k, v in numbers.items() if k not in ('teacher', 'graph')}
  return {'state': state._replace(opt_state=()), 'numbers': own}


def shapes(structure: Structure, shape: Callable) -> Numbers:
  """The shapes of the numbers; `shape(size, dtype)` makes one."""
  optimizer = optim.get(structure.optimizer['name'])
  scalar = shape((), 'float32')
  numbers = {
    'method': _of_factory(methods.get(structure.method.name), scalar),
    'optimizer': {
      'groups': {group: _of_factory(optimizer, scalar) for group in structure.optimizer['groups']},
      'clip': scalar,
    },
    'decay': scalar,
    'steps': scalar,
    'combine': [_of_factory(combine.get(name), scalar) for name, _ in structure.combine],
    'patterns': {name: dict.fromkeys(part.numbers, scalar) for name, part in structure.patterns.items()},
    'n_labels': shape((), 'int32'),
  }
  if structure.data.graph:
    numbers['graph'] = graph_of_shapes(structure.data.graph, shape)
  if structure.teacher:
    own = shapes(structure.teacher, shape)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = State(key, shape((), 'int32'), *states.at_start(structure.teacher, own), ())
    state = jax.tree.map(lambda x: shape(x.shape, x.dtype), state)
    numbers['teacher'] = teaching(state, own)
  return numbers


def _of_factory(factory: Callable, scalar: Any) -> dict[str, Any]:
  return {k: scalar for k, setting in settings_of(factory).items() if setting.is_number}
