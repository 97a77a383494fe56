"""A method's own functions on a tiny network: batches, views, a teacher, and the gradients of its loss."""

import inspect
import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from support.stub_encoders import fixed_numbers
from support.tiny_trial import STEPS, TinyTrial, golden_of
from support.trees import retype

from ssl_bench import methods
from ssl_bench.contract import Method, Nodes, State, Teacher, View, scale
from ssl_bench.data.arrays import Dataset
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.nets.core import Net
from ssl_bench.planning.build import NO_NUMBERS, builder
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import facts_of, settings_of

KEY = jax.random.key(7)


def make_method(
  name: str,
  encoder: Net,
  classes: int,
  steps: Any,
  *,
  shape: tuple[int, ...] = (8, 8, 1),
  columns: tuple[int, ...] = (),
  text_encoder: Net | None = None,
  images: Any = None,
  examples: int = 240,
  labeled_examples: int = 8,
  **settings: Any,
) -> Method:
  """The method from facts and settings; numbers among them may be traced.  A teacher is made for `images`."""
  factory = methods.get(name)
  known: dict[str, Any] = {
    'encoder': encoder,
    'classes': classes,
    'steps': steps,
    'examples': examples,
    'held': examples,
    'labeled_examples': labeled_examples,
    'shape': shape,
    'stored': jax.ShapeDtypeStruct(shape, 'uint8' if len(shape) == 3 else 'float32'),
    'columns': columns or (1,) * math.prod(shape),
  }
  known |= {'text_encoder': text_encoder, 'prompts': None}
  known['teacher'] = make_teacher(encoder, classes, images) if has_teacher(name) else None
  return factory(*(known[fact] for fact in facts_of(factory)), **settings)


def has_teacher(name: str) -> bool:
  """Whether it is tried with one; where a teacher may be left out, the golden file's changes say."""
  return 'teacher' in getattr(golden_of(name), 'CHANGES', {})


def make_teacher(encoder: Net | None, classes: int, images: Any) -> Teacher:
  """Eight features and some logits, linear in the pixels, in NumPy as in JAX; with images, also weights.

  Of nodes of a graph they are linear in the features.
  """
  params = stats = None
  if images is not None:
    chain = net.chain(encoder=encoder, head=heads.linear(classes))
    params, stats = chain.init(jax.random.key(3), images)

  def linear(width: int, salt: str):
    def look(images):
      flat = images.features() if isinstance(images, Nodes) else images.reshape(len(images), -1)
      return flat @ fixed_numbers((flat.shape[1], width), salt)

    return look

  return Teacher(linear(8, 'features'), linear(classes, 'logits'), params, stats)


def tiny_method(tiny_trial: TinyTrial) -> Method:
  """The method as the program builds it, on the tiny network, without an average, its numbers not traced."""
  schema = settings_of(methods.get(tiny_trial.name))
  numbers = {k: v for k, v in tiny_trial.config.method.items() if k != 'name' and schema[k].is_number}
  build = builder(replace(structure_of(tiny_trial.config, tiny_trial.dataset), average=False))
  taught = {k: v for k, v in tiny_trial.numbers.items() if k == 'teacher'}
  return build({**NO_NUMBERS, **taught, 'method': numbers, 'steps': float(STEPS)})[0]


def batch_of(dataset: Dataset, labeled: int = 8, unlabeled: int = 16) -> dict[str, dict[str, Any]]:
  """One batch of the synthetic set; its unlabeled stream has no labels."""
  at = np.arange(100, 100 + unlabeled, dtype='int32')
  known = {'label': dataset.train_labels[:labeled], 'labeled_index': np.arange(labeled, dtype='int32')}
  if dataset.graph is not None:
    nodes = np.arange(dataset.n_images, dtype='int32')
    return {
      'labeled': {'image': Nodes(dataset.graph, nodes[:labeled]), **known},
      'unlabeled': {'image': Nodes(dataset.graph, nodes), 'index': nodes},
    }
  captions = {} if dataset.captions is None else {'caption': dataset.captions[at, at % 3]}
  return {
    'labeled': {'image': dataset.train_images[:labeled], **known},
    'unlabeled': {'image': dataset.train_images[at], 'index': at, **captions},
  }


def noisy(kind: str):
  """A cheap augmentation, so that no two views are equal: noise, or places moved."""

  def augment(key, image):
    if kind == 'graph':
      return with_noise(image, 1 + 0.3 * jax.random.normal(key, image.graph.values.shape))
    if kind == 'tokens':
      return scale(jnp.roll(image, jax.random.randint(key, (), 0, 3), 0), kind)
    seen = scale(image)
    return seen + 0.3 * jax.random.normal(key, seen.shape)

  return augment


def with_noise(nodes: Nodes, factor: Any) -> Nodes:
  """The nodes of a graph whose features are multiplied."""
  return nodes.with_graph(replace(nodes.graph, values=nodes.graph.values * factor))


def views_of(method: Method, batch: Any) -> dict[str, Any]:
  """What `look` would give, with noise that is the same everywhere, so that no two views are equal."""

  def one(name: str, view: View) -> dict[str, Any]:
    seen = batch[view.stream]
    if isinstance(seen['image'], Nodes):
      noise = 1 + 0.2 * fixed_numbers(seen['image'].graph.values.shape, name).astype('float32')
      return {**seen, 'image': with_noise(seen['image'], noise)}
    if np.shape(seen['image'])[2:] == (1, 1):  # texts
      return {**seen, 'image': seen['image'].astype('int32')}
    images = scale(seen['image'])
    if view.copies > 1:
      images = np.repeat(images[:, None], view.copies, 1)
    return {**seen, 'image': (images + 0.2 * fixed_numbers(images.shape, name)).astype('float32')}

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
