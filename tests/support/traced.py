"""The functions of a method on a tiny network, to be traced and lowered without being compiled."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
from support.tiny_method import batch_of, noisy
from support.tiny_trial import CLASSES, golden_of, make_config

from ssl_bench import data
from ssl_bench.contract import Method, Nodes, State, init_state, make_refresh, make_step, scale
from ssl_bench.planning.build import NO_NUMBERS, builder
from ssl_bench.planning.numbers import shapes
from ssl_bench.planning.structure import structure_of


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
  whole = dataset.stream_images()
  images = scale(dataset.test_images[:4], dataset.kind)
  if dataset.graph is not None:
    some, whole, images = (Nodes(dataset.graph, x) for x in (some, whole, images))
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
    {'labeled': labeled, 'unlabeled': {'image': whole}},
    images,
    numbers,
  )
