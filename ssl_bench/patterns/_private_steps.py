"""A step of private training: its Poisson sample, and the gradient that is clipped by unit and has noise."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from ssl_bench import contract as m
from ssl_bench import parallel
from ssl_bench.data import stream
from ssl_bench.planning import Plan, batch
from ssl_bench.planning.build import streams_of
from ssl_bench.planning.structure import Structure
from ssl_bench.settings.signature import BadSetting

OVERFLOW = 1e-12  # probability, at most, that a step draws as many images as its padded batch has places


def sample_of(plan: Plan) -> dict[str, Any]:
  """The private `stream` of `n` images, if it is `alone`, and a step's `expected` images and `places`."""
  streams = streams_of(plan.structure)
  name = stream_of(streams)
  n = len(plan.labeled) if name == 'labeled' else plan.dataset.n_unlabeled
  expected = plan.structure.batch.of(name)
  places = capacity_of(expected)
  return {'stream': name, 'alone': len(streams) == 1, 'n': n, 'expected': expected, 'places': places}


def stream_of(streams: frozenset[str]) -> str:
  """The stream whose images are protected."""
  return 'labeled' if 'labeled' in streams else 'unlabeled'


def capacity_of(expected: int) -> int:
  """Places in the padded batch: as many images are drawn with a probability below `OVERFLOW`.

  Their number is binomial with this mean, and its upper tail is below that of the Poisson distribution.  A
  multiple of 8, so that devices can share it evenly.
  """
  from scipy import stats  # takes half a second to import

  return 8 * math.ceil((stats.poisson.isf(OVERFLOW, expected) + 2) / 8)


def drawer(structure: Structure, mesh: Mesh | None) -> Callable:
  """As `batch.drawer`; the private stream is a padded Poisson sample that says which of it is `valid`.

  Raises `BadSetting` where a padded batch needs more unlabeled images than there are.
  """
  labeled, unlabeled = structure.batch.labeled, structure.batch.unlabeled
  streams, n = streams_of(structure), structure.data.unlabeled
  both = streams == {'labeled', 'unlabeled'}
  shared = capacity_of(labeled) * (unlabeled // labeled)
  if both and shared > n:
    raise BadSetting(
      f'A private step would see up to {shared} of {n} unlabeled images; '
      'make batch.labeled or batch.unlabeled_ratio smaller.'
    )

  def draw(data: Any, key: jax.Array, step: Any, n_labels: Any, sample: Any = None) -> Any:
    del sample
    key, drawn = jax.random.fold_in(key, batch.STREAM), {}
    own = {name: jax.random.fold_in(key, i) for i, name in enumerate(('labeled', 'unlabeled'))}
    if 'labeled' in streams:
      places, valid = poisson_sample(own['labeled'], step, labeled, n_labels, structure.data.train)
      drawn['labeled'] = {**batch.labeled_images(data, places), 'valid': valid}
    if both:
      at = stream.epoch_indices(own['unlabeled'], step, shared, n)
      drawn['unlabeled'] = batch.unlabeled_images(data, at)
    elif 'unlabeled' in streams:
      at, valid = poisson_sample(own['unlabeled'], step, unlabeled, n, n)
      drawn['unlabeled'] = {**batch.unlabeled_images(data, at), 'valid': valid}
    return parallel.split_batch(drawn, mesh)

  return draw


def poisson_sample(
  key: jax.Array, step: Any, expected: int, n: Any, most: int
) -> tuple[jax.Array, jax.Array]:
  """A sample of [0, n), each with probability expected / n: int32 [capacity], and which of them are valid.

  `n` may be traced; it is at most `most`, which is static.
  """
  capacity = capacity_of(expected)
  uniform = jax.random.uniform(jax.random.fold_in(key, step), (most,))
  taken = (uniform < expected / n) & (jnp.arange(most) < n)
  places = jnp.nonzero(taken, size=capacity, fill_value=0)[0]
  return places.astype('int32'), jnp.arange(capacity) < taken.sum()


def estimator(structure: Structure, numbers: Mapping[str, Any]) -> Callable:
  """`dp_gradient` for the batch of a structure."""
  expected = structure.batch.of(stream_of(streams_of(structure)))
  return dp_gradient(**numbers, expected=expected)


def dp_gradient(clip: Any, noise: Any, expected: int) -> Callable:
  """Stands where `jax.value_and_grad` stands; `clip` and `noise` (C and σ) may be traced.

  The batch's private stream has `valid`, bool [units]; every other array is cut in as many parts.  The loss
  and the metrics are means over the valid units; they have no noise.
  """

  def estimate(objective: Callable, has_aux: bool = True) -> Callable:
    def at(params: Any, state: m.State, views: Any, key: jax.Array) -> Any:
      valid = next(view['valid'] for view in views.values() if 'valid' in view)
      units = len(valid)
      cut = jax.tree.map(lambda x: x.reshape(units, len(x) // units, *x.shape[1:]), views)
      keys = jax.random.split(jax.random.fold_in(key, 0), units)
      each = jax.vmap(jax.value_and_grad(objective, has_aux=has_aux), (None, None, 0, 0))
      (loss, aux), grads = each(params, state, cut, keys)
      total = clipped_sum(grads, clip, valid)
      spread = optax.tree.random_like(jax.random.fold_in(key, 1), total, sampler=jax.random.normal)
      noisy = jax.tree.map(lambda g, z: (g + clip * noise * z) / expected, total, spread)
      mean = lambda x: jnp.where(valid, x, 0).sum() / jnp.maximum(valid.sum(), 1)
      return (mean(loss), _merged(aux, valid, mean)), noisy

    return at

  return estimate


def clipped_sum(grads: Any, clip: Any, valid: Any) -> Any:
  """Σ g min(1, C / ‖g‖) over valid units; leaves have an axis of units first, ‖·‖ is over all leaves."""
  norms = jax.vmap(optax.tree.norm)(grads)
  factor = jnp.where(valid, jnp.minimum(1, clip / jnp.maximum(norms, 1e-30)), 0)
  return jax.tree.map(lambda g: (factor.reshape(-1, *[1] * (g.ndim - 1)) * g).sum(0), grads)


def _merged(aux: m.Aux, valid: Any, mean: Any) -> m.Aux:
  """What the units' losses leave behind, as one; memory and statistics depend on no unit."""
  first = lambda tree: jax.tree.map(lambda x: x[0], tree)
  pseudo = aux.pseudo
  if pseudo is not None:
    mask = pseudo.mask * valid[:, None]
    flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), pseudo._replace(mask=mask))
    pseudo = m.PseudoLabels(*flat)
  return m.Aux(first(aux.stats), first(aux.memory), jax.tree.map(mean, aux.metrics), pseudo)
