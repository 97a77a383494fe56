"""Streams of batches: the positions of a batch as a pure function of (key, step), without an iterator.

To permute all n positions in every step would cost milliseconds, so the permutation is a keyed bijection of
[0, n) that is evaluated only at the places of the batch.
"""

import jax
import jax.numpy as jnp

from ssl_bench.settings.signature import BadSetting

ROUNDS = 48


def steps_per_epoch(batch: int, n: int) -> int:
  """Steps in which the unlabeled stream passes over n images once: n // batch, the remainder left out.

  Raises `BadSetting` where a batch is larger than the set: a batch may not hold an image twice, since
  per-image memory is scattered by index.
  """
  if not 0 < batch <= n:
    raise BadSetting(f'a batch of {batch} cannot be drawn from {n} images without repetition; use 1 to {n}.')
  return n // batch


def epoch_indices(key: jax.Array, step: jax.Array | int, batch: int, n: jax.Array | int) -> jax.Array:
  """Positions of batch `step` in the unlabeled stream, int32 [batch], without a duplicate.

  Every epoch is a fresh permutation of [0, n), of which the first (n // batch) * batch places are used;
  the fewer than `batch` images left out differ from epoch to epoch.  `step` may be traced, and so may `n`,
  which is then at least `batch`; `batch` is static.
  """
  turns = steps_per_epoch(batch, n) if isinstance(n, int) else n // batch
  epoch, turn = jnp.divmod(jnp.asarray(step, jnp.uint32), jnp.asarray(turns, jnp.uint32))
  places = turn * jnp.uint32(batch) + jnp.arange(batch, dtype=jnp.uint32)
  return permute(jax.random.fold_in(key, epoch), places, n)


def labeled_batch_indices(
  key: jax.Array, step: jax.Array | int, batch: int, n_labels: jax.Array | int
) -> jax.Array:
  """Positions of batch `step` in the first `n_labels` places of a pool, int32 [batch].

  The stream is one permutation of [0, n_labels) after the other, cut into batches across their ends: over
  any stretch the labeled images are used equally often to within two, and over whole passes exactly.  A
  batch that spans two passes, or is larger than the pool, may hold an image twice.  `step` and `n_labels`
  (at least 1) may be traced; step * batch must stay below 2**32.
  """
  n_labels = jnp.asarray(n_labels, jnp.uint32)
  places = jnp.asarray(step, jnp.uint32) * jnp.uint32(batch) + jnp.arange(batch, dtype=jnp.uint32)
  passes, places = jnp.divmod(places, n_labels)
  return jax.vmap(lambda number, place: permute(jax.random.fold_in(key, number), place, n_labels))(
    passes, places
  )


def choices(key: jax.Array, step: jax.Array | int, batch: int, count: int) -> jax.Array:
  """For each image of batch `step` one of `count` texts, drawn uniformly: int32 [batch]."""
  return jax.random.randint(jax.random.fold_in(key, step), (batch,), 0, count, 'int32')


def permute(key: jax.Array, places: jax.Array, n: jax.Array | int) -> jax.Array:
  """The entries at `places` (each in [0, n)) of a random permutation of [0, n) given by `key`; int32.

  The swap-or-not shuffle (Hoang, Morris and Rogaway, CRYPTO 2012, figure 1): each round pairs x with
  K - x mod n and swaps the pair or not by one bit of a hash of its larger member.  It is a bijection for
  every n, needs no table, and n may be traced.
  """
  n = jnp.asarray(n, jnp.uint32)
  words = jax.random.bits(key, (ROUNDS, 2), jnp.uint32)

  def swap_or_not(r: int, x: jax.Array) -> jax.Array:
    offset, salt = words[r, 0] % n, words[r, 1]
    partner = jnp.where(offset >= x, offset - x, offset + (n - x))
    swap = _mix(jnp.maximum(x, partner) ^ salt) >> 31
    return jnp.where(swap == 1, partner, x)

  return jax.lax.fori_loop(0, ROUNDS, swap_or_not, places.astype(jnp.uint32)).astype(jnp.int32)


def _mix(h: jax.Array) -> jax.Array:
  """A 32-bit finalizer (multiply and shift) in which every input bit moves the top bit."""
  h = (h ^ (h >> 16)) * jnp.uint32(0x85EBCA6B)
  h = (h ^ (h >> 13)) * jnp.uint32(0xC2B2AE35)
  return h ^ (h >> 16)
