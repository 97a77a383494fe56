"""What the tests of all methods share: one tiny program per method, and the stub network of the goldens.

Run as a script, it trains every method for a few steps on all devices of the process and writes the end.
"""

import contextlib
import importlib
import importlib.util
import inspect
import itertools
import math
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
from golden._layers import PLACES

from ssl_bench import combine, data, methods, parallel
from ssl_bench import config as configs
from ssl_bench.config import Config
from ssl_bench.contract import Method, State, Teacher, View, init_state, make_refresh, make_step, scale
from ssl_bench.data.arrays import Dataset
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.nets.core import PAD, Net
from ssl_bench.plan.arrays import arrays_of
from ssl_bench.plan.build import NO_NUMBERS, builder
from ssl_bench.plan.numbers import numbers_of, shapes, teaching
from ssl_bench.plan.structure import structure_of
from ssl_bench.settings.signature import facts_of, settings_of
from ssl_bench.settings.yaml import merge, nest
from ssl_bench.train.program import Program, compile_program

NET = {'name': 'mlp', 'widths': [16, 8]}  # with BatchNorm, so that statistics matter
LABELS, CLASSES, STEPS = 20, 10, 100
KEY = jax.random.key(7)


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


# One program per method, on the synthetic set.


class Lab(NamedTuple):
  """A method, ready to run."""

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
  """Its numbers; a teacher is as it begins, which is all that a student's conformance needs."""
  taught = None
  if teacher := config.teacher:
    dataset, numbers = data.load(teacher.dataset), numbers_on_device(teacher)
    program = compile_program(structure_of(teacher, dataset))
    taught = teaching(program.init(np.uint32(1), arrays_on_device(dataset), numbers)[0], numbers)
  numbers = numbers_of(config, int(config.labels), taught)
  return jax.device_put(numbers, parallel.everywhere(parallel.make_mesh()))


def arrays_on_device(dataset: Dataset, labels: int = LABELS) -> Any:
  pool = data.labeled_indices(dataset.train_labels, labels, split_seed=0, classes=dataset.classes)
  return jax.device_put(arrays_of(dataset, pool), parallel.everywhere(parallel.make_mesh()))


@cache
def lab(name: str) -> Lab:
  """The method with its golden file's settings; the compiled program is shared by all tests."""
  golden = golden_of(name)
  config = make_config({'name': name, **golden.SETTINGS}, **getattr(golden, 'CHANGES', {}))
  dataset = data.load(config.dataset)
  program = compile_program(structure_of(config, dataset))
  return Lab(name, golden, config, dataset, program, arrays_on_device(dataset), numbers_on_device(config))


@cache
def combined_lab(method: str, *combinators: str) -> Lab:
  """A pseudo-label method under combinators."""
  config = make_config({'name': method, 'threshold': 0.1}, combine=list(combinators))
  dataset = data.load('fake')
  program = compile_program(structure_of(config, dataset))
  data_here, numbers = arrays_on_device(dataset), numbers_on_device(config)
  return Lab(method, golden_of(method), config, dataset, program, data_here, numbers)


class Traced(NamedTuple):
  """The functions of a method, its numbers traced as in its program, and shapes to trace them with."""

  method: Method  # as it is without its numbers
  init: Callable[..., State]  # (seed, batch, numbers) -> state
  step: Callable[..., Any]  # (state, batch, numbers) -> (state, log)
  refresh: Callable[..., State]  # (state, data, numbers) -> state
  look: Callable[..., Any]  # (state, images, numbers) -> (features, logits or None)
  batch: Any
  data: Any  # what `refresh` is given
  images: Any  # float32 [4, H, W, C] in [-1, 1], or int32 [4, L, 1, 1]
  numbers: Any


def trace(name: str, *combinators: str) -> Traced:
  """A method under its combinators and an average, on the tiny network; nothing is compiled."""
  golden = golden_of(name)
  own = {'name': name, **golden.SETTINGS}
  config = make_config(own, combine=list(combinators), **getattr(golden, 'CHANGES', {}))
  dataset = data.load(config.dataset)
  structure = replace(structure_of(config, dataset), average=True)
  build, numbers = builder(structure), shapes(structure, jax.ShapeDtypeStruct)
  augment = dict.fromkeys(('weak', 'strong', 'other', 'local'), noisy(dataset.kind))
  places, some = np.arange(20, dtype='int32'), dataset.train_images[:20]
  labeled = {'image': some, 'index': places, 'label': places % CLASSES, 'valid': places < 18}

  def init(seed, batch, numbers):
    return init_state(*build(numbers), augment, jax.random.key(seed), batch)

  def look(state, images, numbers):
    method, _ = build(numbers)
    return method.encode(state, images), method.predict and method.predict(state, images)

  return Traced(
    build(NO_NUMBERS)[0],
    init,
    lambda state, batch, numbers: make_step(*build(numbers), augment)(state, batch),
    lambda state, data, numbers: make_refresh(*build(numbers))(state, data),
    look,
    batch_of(dataset),
    {'labeled': labeled, 'unlabeled': {'image': dataset.stream_images()}},
    scale(dataset.test_images[:4], dataset.kind),
    numbers,
  )


class Run(NamedTuple):
  """The end of a few steps; `totals` are sums over all of them."""

  state: Any
  totals: Any


def run(lab: Lab, steps: int = 5, *, seed: int = 0, start: Run | None = None, **changed: Any) -> Run:
  """Trains from `start` (which is used up) or from the beginning; `changed`: other `data` or `numbers`.

  Epochs end as in training; a method without a loss takes no step and is refreshed once, if any is asked.
  """
  lab = lab._replace(**changed)
  program = lab.program
  now = start or Run(*program.init(np.uint32(seed), lab.data, lab.numbers))
  for _ in range(steps if program.advance else min(steps, 1)):
    if program.advance:
      now = Run(*program.advance(*now, lab.data, lab.numbers))
    if program.refresh and (not program.advance or int(now.state.step) % program.steps_per_epoch == 0):
      now = now._replace(state=program.refresh(now.state, lab.data, lab.numbers))
  return now


# The method itself, on views that stay the same.


def learns_by_steps(name: str) -> bool:
  """Whether the method has a loss."""
  return lab(name).program.advance is not None


def make_method(
  name: str,
  encoder: Net,
  classes: int,
  steps: Any,
  *,
  shape: tuple[int, ...] = (8, 8, 1),
  text_encoder: Net | None = None,
  images: Any = None,
  **settings: Any,
) -> Method:
  """The method from facts and settings; numbers among them may be traced.  A teacher is made for `images`."""
  factory = methods.get(name)
  known: dict[str, Any] = {
    'encoder': encoder,
    'classes': classes,
    'steps': steps,
    'examples': 240,
    'held': 240,
    'shape': shape,
  }
  known |= {'text_encoder': text_encoder, 'prompts': None}
  known['teacher'] = make_teacher(encoder, classes, images) if has_teacher(name) else None
  return factory(*(known[fact] for fact in facts_of(factory)), **settings)


def has_teacher(name: str) -> bool:
  """Whether it is tried with one; where a teacher may be left out, the golden file's changes say."""
  return 'teacher' in getattr(golden_of(name), 'CHANGES', {})


def make_teacher(encoder: Net, classes: int, images: Any) -> Teacher:
  """Eight features and some logits, linear in the pixels, in NumPy as in JAX; with images, also weights."""
  chain = net.chain(encoder=encoder, head=heads.linear(classes))
  params, stats = (None, None) if images is None else chain.init(jax.random.key(3), images)

  def linear(width: int, salt: str):
    def look(images):
      flat = images.reshape(len(images), -1)
      return flat @ fixed((flat.shape[1], width), salt)

    return look

  return Teacher(heads.linear(8, 'features'), heads.linear(classes, 'logits'), params, stats)


def tiny_method(lab: Lab) -> Method:
  """The method as the program builds it, on the tiny network, without an average, its numbers not traced."""
  schema = settings_of(methods.get(lab.name))
  numbers = {k: v for k, v in lab.config.method.items() if k != 'name' and schema[k].is_number}
  build = builder(replace(structure_of(lab.config, lab.dataset), average=False))
  taught = {k: v for k, v in lab.numbers.items() if k == 'teacher'}
  return build({**NO_NUMBERS, **taught, 'method': numbers, 'steps': float(STEPS)})[0]


def batch_of(dataset: Dataset, labeled: int = 8, unlabeled: int = 16) -> dict[str, dict[str, Any]]:
  """One batch of the synthetic set; its unlabeled stream has no labels."""
  at = np.arange(100, 100 + unlabeled, dtype='int32')
  captions = {} if dataset.captions is None else {'caption': dataset.captions[at, at % 3]}
  return {
    'labeled': {'image': dataset.train_images[:labeled], 'label': dataset.train_labels[:labeled]},
    'unlabeled': {'image': dataset.train_images[at], 'index': at, **captions},
  }


def noisy(kind: str):
  """A cheap augmentation, so that no two views are equal: noise, or places moved."""

  def augment(key, image):
    if kind == 'tokens':
      return scale(jnp.roll(image, jax.random.randint(key, (), 0, 3), 0), kind)
    return scale(image) + 0.3 * jax.random.normal(key, image.shape)

  return augment


def views_of(method: Method, batch: Any) -> dict[str, Any]:
  """What `look` would give, with noise that is the same everywhere, so that no two views are equal."""

  def one(name: str, view: View) -> dict[str, Any]:
    seen = batch[view.stream]
    if np.shape(seen['image'])[2:] == (1, 1):  # texts
      return {**seen, 'image': seen['image'].astype('int32')}
    images = seen['image'] / 127.5 - 1
    if view.copies > 1:
      images = np.repeat(images[:, None], view.copies, 1)
    return {**seen, 'image': (images + 0.2 * fixed(images.shape, name)).astype('float32')}

  return {name: one(name, view) for name, view in method.views.items()}


def terms_and_gradients(method: Method, state: State, views: Any) -> tuple[dict, dict, Any]:
  """The terms of the loss, the gradient of each in the parameters, and what the loss left behind."""

  def terms(params):
    value, aux = method.loss(state._replace(params=params), views, KEY)
    named = {k: v for k, v in aux.metrics.items() if k.startswith('loss/')}
    return named | {'loss': value}, aux

  values, pull, aux = jax.vjp(terms, state.params, has_aux=True)
  one = lambda name: {k: jnp.asarray(k == name, v.dtype) for k, v in values.items()}
  return values, {name: pull(one(name))[0] for name in values}, aux


def other_values(name: str, number: str) -> list[float]:
  """Values of a method's number that are not its default, one of which should change a run."""
  setting = settings_of(methods.get(name))[number]
  bounds = [setting.range.low, setting.range.high] if setting.range else []
  tried = [setting.default / 2, setting.default * 2, setting.default + 1, *bounds]
  fits = lambda x: math.isfinite(x) and (setting.range is None or x in setting.range)
  return [x for x in dict.fromkeys(map(float, tried)) if x != setting.default and fits(x)]


def split_numbers(name: str, settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
  """All settings of a method as (numbers as float32, structure)."""
  schema = settings_of(methods.get(name))
  full = {k: settings.get(k, s.default) for k, s in schema.items()}
  numbers = {k: np.float32(v) for k, v in full.items() if schema[k].is_number}
  return numbers, {k: v for k, v in full.items() if k not in numbers}


def draws_of(name: str, views: Any, settings: dict[str, Any], **known: Any) -> dict[str, Any]:
  """What the method's own `draw` gives its loss in `terms_and_gradients`; empty where it draws nothing.

  `known`: the facts that a `draw` may ask for after `key` and `views`.
  """
  draw = getattr(inspect.getmodule(methods.get(name)), 'draw', None)
  if draw is None:
    return {}
  given = {k: settings.get(k, s.default) for k, s in settings_of(methods.get(name)).items()}
  facts = (known[fact] for fact in facts_of(draw)[2:])
  drawn = draw(KEY, views, *facts, **{k: given[k] for k in settings_of(draw)})
  return {'draws': retype(drawn, 'float64')}


# The stub of the goldens.


def table(rows: np.ndarray, *, norm: bool) -> Net:
  """An encoder of unit vectors: row i of its kernel is the embedding of image i.

  With `norm`, embeddings are normalized over the batch (no scale, no bias), with running moments.
  """
  size = rows.shape[1]

  def init(key, images):
    del key, images
    moments = {'batch_stats': {'mean': jnp.zeros(size), 'var': jnp.ones(size)}}
    return {'kernel': jnp.asarray(rows, 'float32')}, moments if norm else {}

  def apply(params, stats, images, *, train, key=None):
    del key
    x = jnp.matmul(images.reshape(len(images), -1), params['kernel'], precision='highest')
    if not norm:
      return x, stats
    old = stats['batch_stats']
    mean, var = (x.mean(0), x.var(0)) if train else (old['mean'], old['var'])
    new = {'mean': 0.9 * old['mean'] + 0.1 * mean, 'var': 0.9 * old['var'] + 0.1 * var}
    return (x - mean) / jnp.sqrt(var + 1e-5), {'batch_stats': new} if train else stats

  return Net(init, apply)


def grid(rows: np.ndarray, *, norm: bool) -> Net:
  """An encoder of images whose pixels are unit vectors, and its patches: row i of its kernel embeds pixel i.

  Features, and the class token, are a sum of the embeddings weighted by `PLACES`, so that order matters; a
  token is its own embedding and that sum, so that every token sees all others.
  """
  pixel = table(rows, norm=norm)

  def apply(params, stats, images, *, train, key=None, keep=None, mask=None, tokens=False):
    del key
    x = images.reshape(len(images), -1, images.shape[-1])
    places = jnp.broadcast_to(jnp.asarray(PLACES, 'float32'), x.shape[:2])
    if keep is not None:
      x, places = jnp.take_along_axis(x, keep[..., None], 1), jnp.take_along_axis(places, keep, 1)
    flat, stats = pixel.apply(params, stats, x.reshape(-1, x.shape[-1]), train=train)
    x = flat.reshape(*x.shape[:2], -1)
    if mask is not None:
      x = jnp.where(mask[0][..., None], mask[1], x)
    features = (places[..., None] * x).sum(1)
    every = jnp.concatenate([features[:, None], x + features[:, None]], 1)
    return (every if tokens else features), stats

  return Net(pixel.init, apply, patch=1)


def letters(rows: np.ndarray, *, norm: bool) -> Net:
  """An encoder of texts: row i of its kernel is the embedding of token i, never normalized."""
  del norm

  def apply(params, stats, text, *, train, key=None, tokens=False):
    del train, key
    text = text.reshape(len(text), -1)
    x, there = params['kernel'][text], (text != PAD)[..., None]
    return (x if tokens else (x * there).sum(1) / there.sum(1)), stats

  return Net(lambda key, text: ({'kernel': jnp.asarray(rows, 'float32')}, {}), apply, kind='tokens')


def fixed(shape: tuple[int, ...], salt: str) -> np.ndarray:
  """Numbers of about unit size that are the same everywhere and for ever; float64."""
  start = zlib.crc32(salt.encode()) % 1000
  return 1.5 * np.sin(12.9898 * np.arange(1 + start, 1 + start + np.prod(shape, dtype=int)).reshape(shape))


# Looking at trees.


def leaves(tree: Any) -> dict[str, Any]:
  """Leaves by path."""
  return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def plain(x: Any) -> Any:
  """The words of a key; any other array as it is."""
  is_key = isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
  return jax.random.key_data(x) if is_key else x


def retype(tree: Any, dtype: str) -> Any:
  """NumPy arrays, those of floats in another precision."""
  arrays = jax.tree.map(np.asarray, tree)
  return jax.tree.map(lambda x: x.astype(dtype) if np.issubdtype(x.dtype, np.floating) else x, arrays)


def host(tree: Any) -> dict[str, np.ndarray]:
  """Leaves by path, as NumPy arrays; keys as their words."""
  return {path: np.asarray(plain(leaf)) for path, leaf in leaves(tree).items()}


def kinds(tree: Any) -> dict[str, tuple]:
  """Shape, dtype, weak type and sharding of each leaf."""
  weak = lambda x: getattr(x, 'weak_type', False)  # a key has none
  return {k: (x.shape, x.dtype, weak(x), str(x.sharding)) for k, x in leaves(tree).items()}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
  """Equal bit for bit."""
  assert one.keys() == other.keys()
  for path in one:
    np.testing.assert_array_equal(one[path], other[path], err_msg=path)


def assert_near(one, other, rtol: float = 1e-4, atol: float = 1e-5) -> None:
  assert one.keys() == other.keys()
  for path in one:
    np.testing.assert_allclose(one[path], other[path], rtol=rtol, atol=atol, err_msg=path)


def differs(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
  return any(not np.array_equal(one[path], other[path]) for path in one)


# Counting compilations.

_compiled = itertools.count()
_seen = [0]


def _listen(event: str, duration_secs: float, **kwargs: Any) -> None:
  if event == '/jax/core/compile/backend_compile_duration':  # also where the compile cache has the result
    _seen[0] += 1


jax.monitoring.register_event_duration_secs_listener(_listen)


@contextlib.contextmanager
def compilations() -> Iterator[list[int]]:
  """A list whose one entry, after the block, is how many programs were compiled in it."""
  before, count = _seen[0], [0]
  yield count
  count[0] = _seen[0] - before


def end_of_all(steps: int = 5) -> dict[str, np.ndarray]:
  """Where every method is after a few steps on all devices of the process."""
  ends: dict[str, np.ndarray] = {}
  labs = {name: lab(name) for name in methods.names()}
  labs['combined'] = combined_lab('flexmatch', *combine.names())
  for name, it in labs.items():
    begun = run(it, 0)
    before = kinds(begun)
    ended = run(it, steps, start=begun)
    assert before == kinds(ended), name
    assert all(len(x.sharding.device_set) == len(jax.devices()) for x in jax.tree.leaves(ended)), name
    ends |= {f'{name}{path}': leaf for path, leaf in host(ended).items()}
  return ends


if __name__ == '__main__':
  ends: dict[str, Any] = end_of_all()
  np.savez(sys.argv[1], devices=len(jax.devices()), **ends)
