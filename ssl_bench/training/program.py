"""A program is compiled once for all numbers of a structure: functions that train and functions that read.

The factories of method and optimizer are called inside the compiled functions with traced numbers, so trials
that differ in seed, labels, learning rate or threshold share one program.
"""

import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax

from ssl_bench import numerics, parallel, pattern
from ssl_bench.pattern import Loop
from ssl_bench.planning import batch, build, numbers, states
from ssl_bench.planning.structure import Structure
from ssl_bench.training import memory
from ssl_bench.training.readers import make_readers
from ssl_bench.training.steps import Steps, compile_steps, make_steps, replacing


class Program(NamedTuple):
  """The compiled functions of one structure, and the costs that compiling them showed.

  Where the method has no loss there is no `advance`: its one `refresh`, which may do nothing, counts as
  a step, and as an epoch.
  """

  init: Callable[..., Any]  # (seed, data, numbers) -> (state, totals)
  advance: Callable[..., Any] | None  # (state, totals, data, numbers) -> (state, totals), `stride` steps on
  refresh: Callable[..., Any] | None  # (state, data, numbers) -> state
  infer: Any  # (state, numbers, uint8 images) -> logits, or features where there is no classifier
  observe: Callable[..., Any]  # (state, numbers, uint8 images) -> {'features', 'logits' where there are any}
  held_out_loss: Callable[..., Any] | None  # (state, numbers, uint8 images) -> the loss, if it needs no more
  pseudo_labels: Callable[..., Any] | None  # (state, numbers, batch) -> index, label, confidence, mask
  embed: Callable[..., Any] | None  # (state, numbers, images or tokens, 'image' or 'text') -> {'embedding'}
  reconstruction_error: Callable[..., Any] | None  # (state, numbers, uint8 images) -> {'error'}
  transduce: Callable[..., Any] | None  # (state, numbers) -> logits [examples, classes] of the unlabeled set
  structure: Structure
  steps_per_epoch: int
  images_per_batch: int  # drawn from the method's stream: the unlabeled one, or without it the labeled
  images_per_step: int  # the same, over all learners that take a step at once
  views_per_step: int  # augmented images that a step looks at, over all views and learners
  has_classifier: bool
  uses_labels: bool
  cost: Mapping[str, float]  # gflops_per_step, compile_seconds, memory_bytes
  facts: Mapping[str, int] = {}  # what a pattern notes for the cost

  @property
  def stride(self) -> int:
    """Steps of one dispatch."""
    return self.structure.stride


@lru_cache(maxsize=32)
def compile_program(structure: Structure) -> Program:
  """The program of a structure; compiled at the first call, then remembered.

  Raises `BadSetting` where the machine has too little memory for it.
  """
  numerics.check()
  started = time.perf_counter()
  mesh, method = parallel.make_mesh(), build.method_of(structure)
  steps, readers = make_steps(structure, mesh), make_readers(structure, mesh)
  loop = _compile_loop(structure, steps, mesh)
  whole = partial(jax.jit, out_shardings=parallel.everywhere(mesh))  # so that every process can read it
  needed = memory_of(loop.compiled)
  memory.check_program(needed)
  flops = float((loop.lowered.cost_analysis() or {}).get('flops', 0.0))
  streams = build.streams_of(structure)
  whole_set = (structure.data.unlabeled,) * 2
  images, views = batch.images_per_step(structure, method.views) if loop.advance else whole_set
  epoch = batch.steps_per_epoch(structure) // loop.learners if loop.advance else 1
  images_only = streams == {'unlabeled'} and not structure.text_net
  return Program(
    init=loop.init,
    advance=loop.advance,
    refresh=_refresh(steps, loop, mesh) if method.refresh or not loop.advance else None,
    infer=jax.jit(readers.infer),
    observe=whole(readers.observe),
    held_out_loss=whole(readers.held_out_loss) if loop.advance and images_only else None,
    pseudo_labels=whole(readers.pseudo_labels) if loop.has_pseudo_labels else None,
    embed=whole(readers.embed, static_argnums=3) if method.embed else None,
    reconstruction_error=whole(readers.reconstruction_error) if method.reconstruction_error else None,
    transduce=whole(readers.transduce) if method.transduce else None,
    structure=structure,
    steps_per_epoch=max(1, epoch),
    images_per_batch=images,
    images_per_step=loop.learners * images,
    views_per_step=loop.learners * views,
    has_classifier=method.predict is not None,
    uses_labels='labeled' in streams,
    cost={
      'gflops_per_step': loop.learners * max(0.0, flops) / 1e9,  # XLA says -3 for nothing
      'compile_seconds': time.perf_counter() - started,
      'memory_bytes': needed,
    },
    facts=loop.facts,
  )


def _compile_loop(structure: Structure, steps: Steps, mesh) -> Loop:
  """The loop of a pattern that has one, or one step after the other."""
  for name in structure.patterns:
    if make := pattern.get(name).loop:
      shape = parallel.shape_on(parallel.everywhere(mesh))
      start = states.at_start(structure, numbers.shapes(structure, shape))
      memory.check_state(start, start[0])
      return make(structure, mesh)
  return compile_steps(structure, steps, mesh)


def _refresh(steps: Steps, loop: Loop, mesh) -> Callable[..., Any]:
  return replacing(steps.refresh, parallel.everywhere(mesh)) if loop.advance else loop.compiled


def memory_of(compiled) -> float:
  """Bytes of arguments, outputs and temporaries of one call; donated ones counted once."""
  analysis = compiled.memory_analysis()
  if analysis is None:
    return float('nan')
  sizes = (analysis.argument_size_in_bytes, analysis.output_size_in_bytes, analysis.temp_size_in_bytes)
  return float(sum(sizes) - analysis.alias_size_in_bytes)
