"""What of a trial is compiled and what is traced: its structure, as text, and its numbers."""

import json
import math
from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Any

import jax
import numpy as np

from ssl_bench import augment, combine, methods, optim
from ssl_bench import contract as m
from ssl_bench.config import Config, teacher_of
from ssl_bench.data.arrays import Dataset
from ssl_bench.data.clients import Shares, blank, holdings
from ssl_bench.settings.signature import BadSetting, facts_of, settings_of, suggest
from ssl_bench.train import batch, patterns, reading

# What it takes to ask a method for its views.
NO_NUMBERS: dict[str, Any] = {'method': {}, 'optimizer': None, 'decay': 0.0, 'steps': 1.0, 'combine': None}


def structure_of(config: Config, dataset: Dataset) -> str:
  """Everything that is compiled rather than traced, as canonical JSON."""
  return json.dumps({**parts_of(config, dataset), 'stride': stride_of(config)}, sort_keys=True)


def parts_of(config: Config, dataset: Dataset) -> dict[str, Any]:
  """The structure of a trial but for how many steps go into one dispatch."""
  factory = settings_of(methods.get(config.method['name']))
  fixed = {k: v for k, v in config.method.items() if k == 'name' or not factory[k].is_number}
  _, optimizer = optim.split_numbers(config.optimizer)
  teacher = teacher_of(config)
  reading.check(config, dataset)
  return {
    'method': fixed,
    'net': config.net,
    'text_net': config.text_net,
    'optimizer': optimizer,
    'average': config.ema is not None,
    'batch': [config.batch.labeled, config.batch.unlabeled],
    'augment': {k: augment.resolve(v, dataset.channels, dataset.kind) for k, v in config.augment.items()},
    'kind': dataset.kind,
    'shape': dataset.shape,
    'classes': dataset.classes,
    'train': dataset.n_train,
    'unlabeled': dataset.n_unlabeled,
    'images': dataset.n_images,
    'subset': dataset.stream is not None,
    'combine': [_split(*combine.parse(text))[1] for text in config.combine],
    'captions': None if dataset.captions is None else dataset.captions.shape[1:],
    'prompts': dataset.prompts.tolist() if config.text_net and dataset.prompts is not None else None,
    **({'teacher': parts_of(teacher, dataset)} if teacher else {}),
    **patterns.structure(config),
  }


def _split(name: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
  """A combinator's settings as (numbers, structure), the latter with its name."""
  schema = settings_of(combine.get(name))
  numbers = {k: v for k, v in settings.items() if schema[k].is_number}
  return numbers, {'name': name, **{k: v for k, v in settings.items() if k not in numbers}}


def stride_of(config: Config) -> int:
  """Steps per dispatch: 1 on the CPU, where a loop in the program is slow; else what all intervals share.

  Where training is federated, those of a round.
  """
  if config.federated:
    return config.federated.local_steps
  if jax.default_backend() == 'cpu':
    return 1
  return math.gcd(config.log_every, config.evaluate.every, config.checkpoint.every, config.steps)


def numbers_of(config: Config, n_labels: int, teacher: Any = None) -> dict[str, Any]:
  """Everything that is traced, in fixed types, so that a second value never compiles a second program.

  A teacher (`teaching`) is among the numbers: another one compiles nothing, and no gradient reaches it.
  """
  settings = settings_of(methods.get(config.method['name']))
  optimizer, _ = optim.split_numbers(config.optimizer)
  numbers = {
    'method': {k: s for k, s in config.method.items() if k != 'name' and settings[k].is_number},
    'optimizer': optimizer,
    'decay': config.ema.decay if config.ema else 0.0,
    'steps': config.steps,
    'combine': [_split(*combine.parse(text))[0] for text in config.combine],
    **patterns.numbers(config),
  }
  taught = {'teacher': teacher} if teacher else {}
  return {**jax.tree.map(np.float32, numbers), 'n_labels': np.int32(n_labels), **taught}


def teaching(state: m.State, numbers: Mapping[str, Any]) -> dict[str, Any]:
  """What a student is given of a trained state: all that `encode` and `predict` may read."""
  own = {k: v for k, v in numbers.items() if k != 'teacher'}
  return {'state': state._replace(opt_state=()), 'numbers': own}


def arrays_of(dataset: Dataset, labeled: np.ndarray, shares: Shares | None = None) -> dict[str, Any]:
  """What stays on the device.

  `image`: all that training sees; `pool`: the labeled positions in it, padded; `given`: the training part's
  labels as training is given them; `label`: the hidden ones of the unlabeled stream (-1: none); `stream`,
  where not all images are in it: their positions; `caption`: the training part's, where there are any.  With
  `shares`, the labeled positions are in the order of the clients, and `clients` says which are whose.
  """
  pool = labeled if shares is None else shares.labeled
  arrays: dict[str, Any] = {
    'image': dataset.stream_images(),
    'label': dataset.hidden_labels(),
    'given': dataset.given_labels.astype('int32'),
    'pool': np.pad(pool.astype('int32'), (0, dataset.n_train - len(pool))),
  }
  if dataset.captions is not None:
    arrays['caption'] = dataset.captions
  if dataset.stream is not None:
    arrays['stream'] = dataset.stream.astype('int32')
  if shares is not None:
    arrays['clients'] = holdings(shares)
  return arrays


def abstract(parts: Mapping[str, Any], sharding) -> tuple[Any, Any]:
  """Shapes of the data and the numbers."""
  shape = lambda s, t: jax.ShapeDtypeStruct(tuple(s), t, sharding=sharding)
  data: dict[str, Any] = {
    'image': shape((parts['images'], *parts['shape']), 'uint8'),
    'label': shape((parts['unlabeled'],), 'int32'),
    'given': shape((parts['train'],), 'int32'),
    'pool': shape((parts['train'],), 'int32'),
  }
  if parts['subset']:
    data['stream'] = shape((parts['unlabeled'],), 'int32')
  if parts['captions']:
    data['caption'] = shape((parts['train'], *parts['captions']), 'uint8')
  if 'federated' in parts:
    mine = holdings(blank(parts['unlabeled'], parts['federated']['clients']))
    data['clients'] = jax.tree.map(lambda x: shape(x.shape, x.dtype), mine)
  return data, _abstract_numbers(parts, shape)


def _abstract_numbers(parts: Mapping[str, Any], shape: Callable) -> dict[str, Any]:
  moved = optim.get(parts['optimizer']['name'])
  groups = {group: _numbers_of(moved, shape) for group in parts['optimizer']['groups']}
  numbers = {
    'method': _numbers_of(methods.get(parts['method']['name']), shape),
    'optimizer': {'groups': groups, 'clip': shape((), 'float32')},
    'decay': shape((), 'float32'),
    'steps': shape((), 'float32'),
    'combine': [_numbers_of(combine.get(one['name']), shape) for one in parts['combine']],
    'n_labels': shape((), 'int32'),
    **patterns.shapes(parts, shape),
  }
  if 'teacher' in parts:
    own = _abstract_numbers(parts['teacher'], shape)
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = m.State(key, shape((), 'int32'), *begin(parts['teacher'], own), ())
    state = jax.tree.map(lambda x: shape(x.shape, x.dtype), state)
    numbers['teacher'] = teaching(state, own)
  return numbers


def _numbers_of(factory: Callable, shape: Callable) -> dict[str, Any]:
  return {k: shape((), 'float32') for k, s in settings_of(factory).items() if s.is_number}


def begin(parts: Mapping[str, Any], numbers: Mapping[str, Any]) -> tuple[Any, Any, Any]:
  """Shapes of (params, stats, memory) at the start."""
  sizes = batch.sizes(parts)
  build = builder(parts)

  def shown(view: m.View) -> dict[str, jax.ShapeDtypeStruct]:
    copies = (view.copies,) if view.copies > 1 else ()
    size = batch.size_of(parts, view.augment)
    dtype = 'int32' if parts['kind'] == 'tokens' else 'float32'
    image = jax.ShapeDtypeStruct((sizes[view.stream], *copies, *size), dtype)
    index = jax.ShapeDtypeStruct((sizes[view.stream],), 'int32')
    seen = {'image': image, 'label' if view.stream == 'labeled' else 'index': index}
    if view.stream == 'unlabeled' and parts['text_net']:
      seen['caption'] = jax.ShapeDtypeStruct((sizes[view.stream], parts['captions'][-1]), 'uint8')
    return seen

  views = {name: shown(view) for name, view in method_of(parts).views.items()}
  key = jax.eval_shape(lambda: jax.random.key(0))
  return jax.eval_shape(lambda key, views, numbers: build(numbers)[0].init(key, views), key, views, numbers)


def builder(parts: Mapping[str, Any]) -> Callable:
  """numbers -> (method, optimizer); the method's teacher, if it has one, is among the numbers.

  Of the unlabeled images, `examples`, a training holds all, and a client of a federated one as many as the
  numbers say: `held`.
  """
  factory = methods.get(parts['method']['name'])
  fixed = reading.settings_in(parts['method'])
  known = {
    'encoder': reading.make_net(parts['net']),
    'text_encoder': parts['text_net'] and reading.make_net(parts['text_net']),
    'prompts': parts['prompts'] and np.array(parts['prompts'], 'uint8'),
    'classes': parts['classes'],
    'examples': parts['unlabeled'],
    'shape': tuple(parts['shape']),
  }

  teach = ask_teacher(parts['teacher']) if 'teacher' in parts else lambda given: None

  def build(numbers):
    facts = {**known, 'steps': numbers['steps'], 'teacher': teach(numbers.get('teacher'))}
    facts |= {'held': numbers.get('held', known['examples'])}
    method = factory(*(facts[name] for name in facts_of(factory)), **fixed, **numbers['method'])
    method = reading.as_method(method, f'method {parts["method"]["name"]}')
    for one, own in zip(parts['combine'], numbers['combine'] or repeat({})):
      change = combine.get(one['name'])
      fixed_there = {k: v for k, v in one.items() if k != 'name'}
      method = change(method, *(facts[name] for name in facts_of(change)[1:]), **fixed_there, **own)
      method = reading.as_method(method, f'combinator {one["name"]}')
    if parts['average']:
      method = m.with_ema(method, decay=numbers['decay'])
    if numbers['optimizer'] is None:
      return method, None
    length = numbers['steps'] / method.trainings if method.trainings > 1 else numbers['steps']
    return method, optim.make_optimizer(parts['optimizer'], numbers['optimizer'], length)

  return build


def ask_teacher(parts: Mapping[str, Any]) -> Callable:
  """What `teaching` gives -> the teacher that a method sees; without it, one to be asked what it is only."""
  build = builder(parts)

  def teach(given) -> m.Teacher:
    if given is None:
      blank = method_of(parts)
      return m.Teacher(blank.encode, blank.predict, None, None)
    state, method = given['state'], build(given['numbers'])[0]
    params = state.memory['ema'] if parts['average'] else state.params
    ask = lambda look: look and (lambda images: look(state, images))
    return m.Teacher(ask(method.encode), ask(method.predict), params, state.stats)

  return teach


def method_of(parts: Mapping[str, Any]) -> m.Method:
  """A structure's method, without its numbers: good for its views and for whether it has a classifier."""
  return builder(parts)(NO_NUMBERS)[0]


def streams_of(parts: Mapping[str, Any]) -> set[str]:
  """The streams that a structure's method draws from."""
  return {view.stream for view in method_of(parts).views.values()}


def streams_seen(config: Config, dataset: Dataset) -> set[str]:
  """The streams that a training draws from, its teacher's among them; `refresh` sees all unlabeled images."""
  teacher, parts = teacher_of(config), parts_of(config, dataset)
  taught = streams_seen(teacher, dataset) if teacher else set()
  whole = {'unlabeled'} if method_of(parts).refresh else set()
  return taught | streams_of(parts) | whole


def uses_labels(config: Config, dataset: Dataset) -> bool:
  """Whether the method or its teacher learns from labels: if not, one training serves all label budgets."""
  return 'labeled' in streams_seen(config, dataset)


def check_groups(parts: Mapping[str, Any]) -> None:
  """Raises `BadSetting` where the optimizer names parameters, or the teacher has some, that do not fit.

  Or where small crops are asked for and the config has none, or the net takes images of one size only.
  """
  small = any(view.augment == 'local' for view in method_of(parts).views.values())
  if len(parts['optimizer']['groups']) == 1 and 'teacher' not in parts and not small:
    return
  numbers = _abstract_numbers(parts, jax.ShapeDtypeStruct)
  params, *_ = begin(parts, numbers)
  for group in parts['optimizer']['groups']:
    if group and group not in params:
      raise BadSetting(f'optimizer.groups: there are no parameters {group!r}; {suggest(group, params)}')
