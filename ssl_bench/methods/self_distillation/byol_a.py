"""BYOL-A: BYOL on the spectrograms of sounds, each mixed with a little of another one."""

from typing import Annotated, Any

import jax
import jax.numpy as jnp

from ssl_bench.contract import Method, View
from ssl_bench.methods._target import OnlineTarget, bootstrap
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def byol_a(
  encoder: net.Net,
  steps: float,
  *,
  mixing: Annotated[float, Range(0, 1)] = 0.4,
  ema_decay: Annotated[float, UNIT] = 0.99,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Niizumi et al., "BYOL for Audio: Self-Supervised Learning for General-Purpose Audio Representation"
  (2021).

  Objective: that of BYOL, ‖q̂(z_a) − ẑ'_b‖² + ‖q̂(z_b) − ẑ'_a‖², the mean over sounds, where each view x is
  mixed with another sound x' of its batch, log((1 − λ) exp(x) + λ exp(x')), λ uniform from 0 to `mixing`
  (section III.B.1), and the mixed views are standardized together, by one mean and one deviation of all
  their values (section III.B.3).

  Args:
    mixing: the most that a view has of another sound (the authors' code: 0.4, version 2: 0.2).
    ema_decay: of the target at the start; see `byol` (the authors' code: 0.99, which stays).
    hidden: width of the hidden layers of projector and predictor (the authors' code: 4,096).
    out: width of the projection (the authors' code: 256).

  Evaluated: the online encoder's features of whole sounds, unmixed, on the scale of `kinds.audio`.
  Heads: linear, BatchNorm, ReLU, linear without bias, as in `byol`.
  BatchNorm: every view has its own pass and its own moments, as in `byol`.
  Deviations: a view is mixed with a view of the same batch, after the policy has cropped both; the authors
  mix with one of the last 2,048 inputs, before they crop.  The policy is the config's; the authors' is
  `crop_spectrogram`, in version 2 with `fade_spectrogram` after it.  The target's decay rises to 1.
  """
  projector, predictor = (heads.projector(hidden, out, last_bias=False) for _ in range(2))
  views = {'a': View('unlabeled', 'strong'), 'b': View('unlabeled', 'strong')}
  method = bootstrap(OnlineTarget(encoder, projector, predictor), views, steps, ema_decay, kinds=('audio',))

  def loss(state, views, key):
    drawn = draw(key, views, mixing=mixing)
    mixed = {name: mix(view['image'], **drawn[name]) for name, view in views.items()}
    every = jnp.concatenate([*mixed.values()])
    mean, deviation = every.mean(), jnp.maximum(every.std(ddof=1), 1e-6)
    seen = {name: {**views[name], 'image': (x - mean) / deviation} for name, x in mixed.items()}
    assert method.loss is not None
    return method.loss(state, seen, key)

  return method._replace(loss=loss)


def mix(sounds: jax.Array, share: jax.Array, other: jax.Array) -> jax.Array:
  """log((1 − share) exp(x) + share exp(x')) of sounds [batch, …] and those at `other` [batch]."""
  share = share.reshape(-1, *(1,) * (sounds.ndim - 1))
  return jnp.logaddexp(jnp.log1p(-share) + sounds, jnp.log(share) + jnp.take(sounds, other, axis=0))


def draw(key: jax.Array, views: Any, *, mixing: Any) -> dict[str, dict[str, jax.Array]]:
  """For each view, how much each sound has of another (`share`), and which that is (`other`)."""

  def of(name: str, count: int) -> dict[str, jax.Array]:
    keys = jax.random.split(net.fold_name(key, f'mix {name}'))
    share = mixing * jax.random.uniform(keys[0], (count,))
    return {'share': share, 'other': jax.random.permutation(keys[1], count)}

  return {name: of(name, len(view['image'])) for name, view in views.items()}
