"""A program is what is compiled once for all numbers: start, advance, observe.

The method's factory, the optimizer's and the average are called inside the jitted functions with traced
numbers, so trials that differ in seed, labels, learning rate or threshold share one program.
"""

import json
import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ssl_bench import contract as m
from ssl_bench import numerics, parallel
from ssl_bench.train import batch, federated, log, memory, private
from ssl_bench.train.structure import abstract, begin, builder, method_of, streams_of


class Program(NamedTuple):
  """Compiled functions of one structure, and what compiling them told.

  Where the method has no loss there is no `advance`: its one `refresh`, which may do nothing, counts as
  a step, and as an epoch.
  """

  init: Callable  # (seed, data, numbers) -> (state, totals)
  advance: Callable | None  # (state, totals, data, numbers) -> (state, totals), `stride` steps further
  refresh: Callable | None  # (state, data, numbers) -> state
  infer: Callable  # (state, numbers, uint8 images) -> logits, or features where there is no classifier
  observe: Callable  # (state, numbers, uint8 images) -> {'features', 'logits' where there are any}
  held_out_loss: Callable | None  # (state, numbers, uint8 images) -> the loss, where it needs images only
  embed: Callable | None  # (state, numbers, uint8 images or tokens, 'image' or 'text') -> {'embedding'}
  transduce: Callable | None  # (state, numbers) -> logits [examples, classes] of the unlabeled set
  stride: int
  steps_per_epoch: int
  images_per_step: (
    int  # that the step draws from its stream: the unlabeled one, or for want of it the labeled
  )
  views_per_step: int  # augmented images that the step looks at, over all views
  has_classifier: bool
  uses_labels: bool
  cost: Mapping[str, float]  # gflops_per_step, compile_seconds, memory_bytes
  federated: Mapping[str, int] | None = None  # clients, participants, bytes that a round moves down and up


@lru_cache(maxsize=32)
def compile_program(structure: str) -> Program:
  """The program of a structure; compiled at the first call, then remembered.

  Where training is federated, a step is that of all the clients of a round.  Raises `BadSetting` where the
  machine has too little memory for it.
  """
  numerics.check()
  parts = json.loads(structure)
  started = time.perf_counter()
  mesh = parallel.make_mesh()
  spread = parallel.everywhere(mesh)
  build = builder(parts)
  method = method_of(parts)
  streams = streams_of(parts)
  policies = batch.policies_of(parts, method.views)
  draw = (private if 'private' in parts else batch).drawer(parts, streams, mesh)
  expected = batch.sizes(parts)[private.stream_of(streams)]

  def start(seed, data, numbers):
    method, tx = build(numbers)
    key = jax.random.key(seed)
    return m.init_state(method, tx, policies, key, draw(data, key, 0, numbers['n_labels']))

  def one(state, data, numbers):
    method, tx = build(numbers)
    sample = method.sample and partial(method.sample, state)
    drawn = draw(data, state.key, state.step, numbers['n_labels'], sample)
    estimate = jax.value_and_grad
    if 'private' in parts:
      estimate = private.estimator(**numbers['private'], expected=expected)
    new, told = m.make_step(method, tx, policies, estimate)(state, drawn)
    return new, log.measure(told, data['label'], parts['classes'], state.step)

  def init(seed, data, numbers):
    state = start(seed, data, numbers)
    if method.loss is None:
      return state, {}
    return state, log.empty(jax.eval_shape(one, state, data, numbers)[1])

  def advance(state, totals, data, numbers):
    def body(carry, _):
      state, totals = carry
      state, measured = one(state, data, numbers)
      return (state, log.add(totals, measured)), None

    if parts['stride'] == 1:
      return body((state, totals), None)[0]
    return jax.lax.scan(body, (state, totals), None, parts['stride'])[0]

  def refresh(state, data, numbers):
    method, tx = build(numbers)
    if method.refresh is None:
      return state
    valid = jnp.arange(len(data['pool'])) < numbers['n_labels']
    pool = data['pool']
    labeled = {'image': data['image'][pool], 'label': data['given'][pool], 'valid': valid}
    labeled['index'] = batch.places(data, pool) if parts['subset'] else pool
    unlabeled = data['image'][data['stream']] if parts['subset'] else data['image']
    return m.make_refresh(method, tx)(state, {'labeled': labeled, 'unlabeled': {'image': unlabeled}})

  def shown(state):
    return federated.evaluated(state) if 'federated' in parts else state

  def observe(state, numbers, images):
    method, _ = build(numbers)
    state = shown(state)
    images = batch.scale(parallel.split_batch(images, mesh), parts['kind'])
    seen = {'features': method.encode(state, images)}
    return seen | ({'logits': method.predict(state, images)} if method.predict else {})

  def held_out_loss(state, numbers, images):
    method, _ = build(numbers)
    key = jax.random.key(0)
    seen = {'unlabeled': {'image': images, 'index': jnp.zeros(len(images), 'int32')}}
    return method.loss(shown(state), m.look(method.views, seen, policies, key), key)[0]

  def embed(state, numbers, inputs, kind):
    inputs = parallel.split_batch(inputs, mesh)
    inputs = batch.scale(inputs) if kind == 'image' else inputs
    return {'embedding': build(numbers)[0].embed(shown(state), inputs, kind)}

  def infer(state, numbers, images):
    method, _ = build(numbers)
    return (method.predict or method.encode)(shown(state), batch.scale(images, parts['kind']))

  def transduce(state, numbers):
    return build(numbers)[0].transduce(state)

  replace = partial(jax.jit, donate_argnums=0, keep_unused=True, out_shardings=spread)
  renew = replace(refresh)
  stepping, facts = method.loss is not None, None
  images_only = streams == {'unlabeled'} and not parts['text_net']
  if 'federated' in parts:
    begun = begin(parts, abstract(parts, spread)[1])
    memory.check_state(begun, begun[0])
    init, advance, lowered, compiled, facts = federated.compile_rounds(parts, mesh)
  else:
    init = jax.jit(init, out_shardings=spread)
    arguments = abstract(parts, spread)
    carry = jax.eval_shape(init, jax.ShapeDtypeStruct((), 'uint32'), *arguments)
    memory.check_state(carry, carry[0].params)
    carry = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=spread), carry)
    if stepping:
      lowered = jax.jit(advance, donate_argnums=(0, 1), out_shardings=spread).lower(*carry, *arguments)
    else:
      lowered = renew.lower(carry[0], *arguments)
    advance = compiled = lowered.compile()
  memory_bytes = _memory(compiled)
  memory.check_program(memory_bytes)
  flops = float((lowered.cost_analysis() or {}).get('flops', 0.0))
  clients = facts['participants'] if facts else 1
  per_step = batch.images_per_step(parts, method.views) if stepping else (parts['unlabeled'],) * 2
  return Program(
    init=init,
    advance=advance if stepping else None,
    refresh=compiled if not stepping else renew if method.refresh else None,
    infer=jax.jit(infer),
    observe=jax.jit(observe),
    held_out_loss=jax.jit(held_out_loss) if stepping and images_only else None,
    embed=jax.jit(embed, static_argnums=3) if method.embed else None,
    transduce=jax.jit(transduce) if method.transduce else None,
    stride=parts['stride'],
    steps_per_epoch=max(1, batch.steps_per_epoch(parts, streams) // clients) if stepping else 1,
    images_per_step=clients * per_step[0],
    views_per_step=clients * per_step[1],
    has_classifier=method.predict is not None,
    uses_labels='labeled' in streams,
    cost={
      'gflops_per_step': clients * max(0.0, flops) / 1e9,  # -3 for nothing
      'compile_seconds': time.perf_counter() - started,
      'memory_bytes': memory_bytes,
    },
    federated=facts,
  )


def _memory(compiled) -> float:
  """Bytes of arguments, outputs and temporaries of one call; donated ones counted once."""
  told = compiled.memory_analysis()
  if told is None:
    return float('nan')
  parts = (told.argument_size_in_bytes, told.output_size_in_bytes, told.temp_size_in_bytes)
  return float(sum(parts) - told.alias_size_in_bytes)
