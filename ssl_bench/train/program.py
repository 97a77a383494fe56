"""A program is what is compiled once for all numbers: start, advance, observe.

The method's factory, the optimizer's and the average are called inside the jitted functions with traced
numbers, so trials that differ in seed, labels, learning rate or threshold share one program.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench import augment, methods, nets
from ssl_bench import method as m
from ssl_bench.config import Config
from ssl_bench.data import stream
from ssl_bench.data.arrays import Dataset
from ssl_bench.signature import BadSetting, facts_of, settings_of
from ssl_bench.train import optim, parallel

NO_NUMBERS: dict[str, Any] = {
  'method': {},
  'optimizer': None,
  'decay': 0.0,
  'steps': 1.0,
}  # a method's views need none
STREAM = m.INIT - 2  # folded into the root key for the streams


class Program(NamedTuple):
  """Compiled functions of one structure, and what compiling them told."""

  init: Callable  # (seed, data, numbers) -> (state, totals)
  advance: Callable  # (state, totals, data, numbers) -> (state, totals), `stride` steps further
  refresh: Callable | None  # (state, data, numbers) -> state
  observe: Callable  # (state, numbers, uint8 images) -> {'features', 'logits' where there are any}
  stride: int
  steps_per_epoch: int
  epoch_images: int  # images of the training part that one epoch passes over
  has_classifier: bool
  uses_labels: bool
  cost: Mapping[str, float]  # gflops_per_step, compile_seconds, memory_bytes


def structure_of(config: Config, dataset: Dataset) -> str:
  """Everything that is compiled rather than traced, as canonical JSON."""
  return json.dumps({**parts_of(config, dataset), 'stride': stride_of(config)}, sort_keys=True)


def parts_of(config: Config, dataset: Dataset) -> dict[str, Any]:
  """The structure of a trial but for how many steps go into one dispatch."""
  factory = settings_of(methods.get(config.method['name']))
  fixed = {k: v for k, v in config.method.items() if k == 'name' or not factory[k].is_number}
  _, optimizer = optim.split_numbers(config.optimizer)
  return {
    'method': fixed,
    'net': config.net,
    'optimizer': optimizer,
    'average': config.ema is not None,
    'batch': [config.batch.labeled, config.batch.unlabeled],
    'augment': {k: augment.resolve(v, dataset.channels) for k, v in config.augment.items()},
    'shape': dataset.shape,
    'classes': dataset.classes,
    'train': dataset.n_train,
    'unlabeled': dataset.n_unlabeled,
  }


def uses_labels(config: Config, dataset: Dataset) -> bool:
  """Whether the method's loss sees labeled images: if not, one training serves all label budgets."""
  return any(view.stream == 'labeled' for view in views_of(config, dataset).values())


def views_of(config: Config, dataset: Dataset) -> Mapping[str, m.View]:
  """What the method wants to see."""
  return method_of(parts_of(config, dataset)).views


def method_of(parts: Mapping[str, Any]) -> m.Method:
  """A structure's method, without its numbers: good for its views and for whether it has a classifier."""
  return builder(parts)(NO_NUMBERS)[0]


def streams_of(parts: Mapping[str, Any]) -> set[str]:
  """The streams that a structure's method draws from."""
  return {view.stream for view in method_of(parts).views.values()}


def check_batch(parts: Mapping[str, Any], streams: set[str]) -> None:
  """Raises `BadSetting` where a batch is larger than the unlabeled set."""
  _, unlabeled = parts['batch']
  if 'unlabeled' in streams and unlabeled > parts['unlabeled']:
    raise BadSetting(
      f'A step would see {unlabeled} of {parts["unlabeled"]} unlabeled images; '
      'make batch.labeled or batch.unlabeled_ratio smaller.'
    )


def stride_of(config: Config) -> int:
  """Steps per dispatch: 1 on the CPU, where a loop in the program is slow; else what all intervals share."""
  if jax.default_backend() == 'cpu':
    return 1
  return math.gcd(config.log_every, config.evaluate.every, config.checkpoint.every, config.steps)


def numbers_of(config: Config, n_labels: int) -> dict[str, Any]:
  """Everything that is traced, in fixed types, so that a second value never compiles a second program."""
  settings = settings_of(methods.get(config.method['name']))
  optimizer, _ = optim.split_numbers(config.optimizer)
  numbers = {
    'method': {k: s for k, s in config.method.items() if k != 'name' and settings[k].is_number},
    'optimizer': optimizer,
    'decay': config.ema.decay if config.ema else 0.0,
    'steps': config.steps,
  }
  return {**jax.tree.map(np.float32, numbers), 'n_labels': np.int32(n_labels)}


def arrays_of(dataset: Dataset, labeled: np.ndarray) -> dict[str, np.ndarray]:
  """What stays on the device: images, hidden labels (-1: none) and the labeled positions, padded."""
  extra = np.full(dataset.n_unlabeled - dataset.n_train, -1, 'int32')
  return {
    'image': dataset.stream_images(),
    'label': np.concatenate([dataset.train_labels.astype('int32'), extra]),
    'pool': np.pad(labeled.astype('int32'), (0, dataset.n_train - len(labeled))),
  }


@lru_cache(maxsize=32)
def compile_program(structure: str) -> Program:
  """The program of a structure; compiled at the first call, then remembered."""
  parts = json.loads(structure)
  started = time.perf_counter()
  mesh = parallel.make_mesh()
  spread = parallel.everywhere(mesh)
  build = builder(parts)
  method = method_of(parts)
  streams = streams_of(parts)
  policies = policies_of(parts)
  draw = drawer(parts, streams, mesh)

  def start(seed, data, numbers):
    method, tx = build(numbers)
    key = jax.random.key(seed)
    state = m.init_state(method, tx, policies, key, draw(data, key, 0, numbers['n_labels']))
    return state

  def one(state, totals, data, numbers):
    method, tx = build(numbers)
    batch = draw(data, state.key, state.step, numbers['n_labels'])
    new, log = m.make_step(method, tx, policies)(state, batch)
    return new, _add(totals, _measure(log, data['label'], parts['classes'], state.step))

  def advance(state, totals, data, numbers):
    if parts['stride'] == 1:
      return one(state, totals, data, numbers)
    body = lambda carry, _: (one(carry[0], carry[1], data, numbers), None)
    return jax.lax.scan(body, (state, totals), None, parts['stride'])[0]

  def empty(state, data, numbers):
    method, tx = build(numbers)

    def logged(state):
      batch = draw(data, state.key, state.step, numbers['n_labels'])
      _, log = m.make_step(method, tx, policies)(state, batch)
      return _measure(log, data['label'], parts['classes'], state.step)

    shapes = jax.eval_shape(logged, state)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    return {**zeros, 'bad_step': jnp.full((), -1, 'int32')}

  def init(seed, data, numbers):
    state = start(seed, data, numbers)
    return state, empty(state, data, numbers)

  def refresh(state, data, numbers):
    method, tx = build(numbers)
    valid = jnp.arange(len(data['pool'])) < numbers['n_labels']
    labeled = {'image': data['image'][data['pool']], 'label': data['label'][data['pool']], 'valid': valid}
    return m.make_refresh(method, tx)(state, {'labeled': labeled, 'unlabeled': {'image': data['image']}})

  def observe(state, numbers, images):
    method, _ = build(numbers)
    images = scale(parallel.split_batch(images, mesh))
    seen = {'features': method.encode(state, images)}
    return seen | ({'logits': method.predict(state, images)} if method.predict else {})

  init = jax.jit(init, out_shardings=spread)
  arguments = _abstract(parts, spread)
  carry = jax.eval_shape(init, jax.ShapeDtypeStruct((), 'uint32'), *arguments)
  carry = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=spread), carry)
  lowered = jax.jit(advance, donate_argnums=(0, 1), out_shardings=spread).lower(*carry, *arguments)
  compiled = lowered.compile()
  return Program(
    init=init,
    advance=compiled,
    refresh=jax.jit(refresh, donate_argnums=0, out_shardings=spread) if method.refresh else None,
    observe=jax.jit(observe),
    stride=parts['stride'],
    steps_per_epoch=_steps_per_epoch(parts, streams),
    epoch_images=parts['unlabeled'] if 'unlabeled' in streams else parts['train'],
    has_classifier=method.predict is not None,
    uses_labels='labeled' in streams,
    cost={
      'gflops_per_step': float((lowered.cost_analysis() or {})['flops']) / 1e9,
      'compile_seconds': time.perf_counter() - started,
      'memory_bytes': _memory(compiled),
    },
  )


def scale(images):
  """uint8 [0, 255] -> float32 [-1, 1], the pixel scale of every method (FixMatch's code)."""
  return images.astype('float32') / 127.5 - 1


def builder(parts: Mapping[str, Any]) -> Callable:
  """numbers -> (method, optimizer)."""
  net = {k: tuple(v) if isinstance(v, list) else v for k, v in parts['net'].items() if k != 'name'}
  fixed = {k: tuple(v) if isinstance(v, list) else v for k, v in parts['method'].items() if k != 'name'}
  factory = methods.get(parts['method']['name'])
  known = {
    'encoder': nets.get(parts['net']['name'])(**net),
    'classes': parts['classes'],
    'examples': parts['unlabeled'],
    'shape': tuple(parts['shape']),
  }

  def build(numbers):
    facts = {**known, 'steps': numbers['steps']}
    method = factory(*(facts[name] for name in facts_of(factory)), **fixed, **numbers['method'])
    if parts['average']:
      method = m.with_ema(method, decay=numbers['decay'])
    if numbers['optimizer'] is None:
      return method, None
    return method, optim.make_optimizer(parts['optimizer'], numbers['optimizer'], numbers['steps'])

  return build


def policies_of(parts: Mapping[str, Any]) -> dict[str, Callable]:
  def policy(text):
    change = augment.compile_policy(text, parts['shape'][-1])
    return lambda key, image: scale(change(key, image))

  return {name: policy(text) for name, text in parts['augment'].items()}


def drawer(parts: Mapping[str, Any], streams: set[str], mesh) -> Callable:
  """(data, key, step, n_labels) -> the batch of a step.  The unlabeled stream has no label to leak."""
  labeled, unlabeled = parts['batch']
  check_batch(parts, streams)

  def draw(data, key, step, n_labels):
    key, batch = jax.random.fold_in(key, STREAM), {}
    if 'labeled' in streams:
      own = jax.random.fold_in(key, 0)
      at = data['pool'][stream.labeled_batch_indices(own, step, labeled, n_labels)]
      batch['labeled'] = {'image': data['image'][at], 'label': data['label'][at]}
    if 'unlabeled' in streams:
      at = stream.epoch_indices(jax.random.fold_in(key, 1), step, unlabeled, parts['unlabeled'])
      batch['unlabeled'] = {'image': data['image'][at], 'index': at}
    return parallel.split_batch(batch, mesh)

  return draw


def _steps_per_epoch(parts: Mapping[str, Any], streams: set[str]) -> int:
  labeled, unlabeled = parts['batch']
  if 'unlabeled' in streams:
    return stream.steps_per_epoch(unlabeled, parts['unlabeled'])
  return max(1, parts['train'] // labeled)


def _abstract(parts: Mapping[str, Any], sharding) -> tuple[Any, Any]:
  """Shapes of the data and the numbers."""
  shape = lambda s, t: jax.ShapeDtypeStruct(tuple(s), t, sharding=sharding)
  n = parts['unlabeled']
  data = {
    'image': shape((n, *parts['shape']), 'uint8'),
    'label': shape((n,), 'int32'),
    'pool': shape((parts['train'],), 'int32'),
  }
  settings = settings_of(methods.get(parts['method']['name']))
  groups = {}
  for group in parts['optimizer']['groups']:
    own = settings_of(optim.OPTIMIZERS[parts['optimizer']['name']])
    groups[group] = {k: shape((), 'float32') for k, s in own.items() if s.is_number}
  numbers = {
    'method': {k: shape((), 'float32') for k, s in settings.items() if s.is_number},
    'optimizer': {'groups': groups, 'clip': shape((), 'float32')},
    'decay': shape((), 'float32'),
    'steps': shape((), 'float32'),
    'n_labels': shape((), 'int32'),
  }
  return data, numbers


def _measure(log: m.Log, hidden, classes: int, step) -> dict[str, Any]:
  """What one step adds to the log; here, and only here, pseudo-labels meet the hidden labels."""
  metrics = {k: jnp.asarray(v, 'float32') for k, v in log.metrics.items()}
  good = jnp.isfinite(metrics['loss']) & jnp.isfinite(metrics['grad_norm'])
  bad = jnp.where(good, -1, step).astype('int32')
  measured = {'metrics': metrics, 'count': jnp.ones((), 'int32'), 'bad_step': bad}
  if log.pseudo is None:
    return measured
  index, label, _, mask = log.pseudo
  truth, mask = hidden[index], mask.astype('float32')
  known = (truth >= 0).astype('float32')
  count = lambda at, weight: jnp.zeros(classes, 'float32').at[at].add(weight * known, mode='drop')
  return {
    **measured,
    'pseudo': {
      'seen': count(truth, jnp.ones_like(mask)),  # by true class
      'kept': count(truth, mask),
      'claimed': count(label, mask),  # by pseudo-label
      'correct': count(label, mask * (label == truth)),
    },
  }


def _add(totals, measured):
  """Sums, and the first step whose loss or gradient was not finite."""
  added = jax.tree.map(jnp.add, totals, measured)
  first = jnp.where(totals['bad_step'] >= 0, totals['bad_step'], measured['bad_step'])
  return {**added, 'bad_step': first}


def _memory(compiled) -> float:
  """Bytes of arguments, outputs and temporaries of one call; donated ones counted once."""
  memory = compiled.memory_analysis()
  if memory is None:
    return float('nan')
  parts = (memory.argument_size_in_bytes, memory.output_size_in_bytes, memory.temp_size_in_bytes)
  return float(sum(parts) - memory.alias_size_in_bytes)
