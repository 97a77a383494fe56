"""JAX's settings that change numbers, pinned to the same values in every process."""

import os

from ssl_bench.settings.signature import BadSetting

# JAX's own defaults; another value changes the numbers of a config, or raises an error.
PINNED = {
  'jax_default_prng_impl': 'threefry2x32',
  'jax_threefry_partitionable': True,
  'jax_random_seed_offset': 0,
  'jax_enable_x64': False,
  'jax_default_matmul_precision': None,
  'jax_numpy_dtype_promotion': 'standard',
  'jax_numpy_rank_promotion': 'allow',
  'jax_high_dynamic_range_gumbel': False,
  'jax_softmax_custom_jvp': False,
  'jax_disable_jit': False,
}
# These change no number: they refuse code that leaves a conversion to JAX.
STRICTER = {'jax_numpy_dtype_promotion': ('strict',), 'jax_numpy_rank_promotion': ('warn', 'raise')}


def pin() -> None:
  """Sets the environment of this process and its children, before jax is imported."""
  for name, value in PINNED.items():
    if value is None:
      os.environ.pop(name.upper(), None)
    else:
      os.environ[name.upper()] = str(value)


def check() -> None:
  """Raises `BadSetting` where jax was imported with another setting than the pinned one."""
  import jax

  for name, value in PINNED.items():
    allowed = (value, *STRICTER.get(name, ()))
    if name in jax.config.values and (found := jax.config.values[name]) not in allowed:
      raise BadSetting(
        f'{name} is {found!r} in this process, which changes what a config gives; set it to {value!r}.'
      )


def flags() -> dict[str, str]:
  """The XLA flags of the environment, for the record, without flags that name a file."""
  words = [word for word in os.environ.get('XLA_FLAGS', '').split() if os.sep not in word]
  return {'XLA_FLAGS': ' '.join(words)} if words else {}
