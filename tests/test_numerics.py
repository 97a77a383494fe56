"""What the environment says about JAX changes no number: it is pinned for a command, refused elsewhere."""

import os
import subprocess
import sys

import jax
import pytest
from support.cli import ROOT

from ssl_bench import numerics
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.program import compile_program

CHANGED = {
  'JAX_THREEFRY_PARTITIONABLE': '0',
  'JAX_DEFAULT_PRNG_IMPL': 'rbg',
  'JAX_ENABLE_X64': '1',
  'JAX_RANDOM_SEED_OFFSET': '7',
  'JAX_DEFAULT_MATMUL_PRECISION': 'bfloat16',
  'JAX_NUMPY_DTYPE_PROMOTION': 'strict',
  'JAX_NUMPY_RANK_PROMOTION': 'raise',
}


def test_a_command_is_not_moved_by_the_environment():
  """Drawn numbers, types and products of a process that begins as the command line does."""
  code = (
    'from ssl_bench import numerics; numerics.pin()\n'
    'import jax, jax.numpy as jnp\n'
    'numerics.check()\n'
    'x = jax.random.normal(jax.random.key(3), (40, 7))\n'
    'print(x.dtype, float(x.sum()), float((x @ x.T).sum()), (x[0] + jnp.ones((2, 7), "int32")).sum())'
  )
  plain = {k: v for k, v in os.environ.items() if k not in CHANGED} | {'PYTHONPATH': str(ROOT)}
  told = [
    subprocess.run([sys.executable, '-c', code], env=env, capture_output=True, text=True, check=True).stdout
    for env in (plain, plain | CHANGED)
  ]
  assert told[0] == told[1] and told[0].startswith('float32 ')


@pytest.mark.parametrize(
  ('name', 'value'),
  [('jax_enable_x64', True), ('jax_threefry_partitionable', False), ('jax_default_prng_impl', 'rbg')],
)
def test_a_program_with_other_settings_is_refused(name, value):
  old = jax.config.values[name]
  jax.config.update(name, value)
  try:
    with pytest.raises(BadSetting, match=f'{name} is {value!r} in this process, which changes what'):
      compile_program('{}')
  finally:
    jax.config.update(name, old)
  numerics.check()


def test_settings_that_only_refuse_code_are_accepted():
  with jax.numpy_dtype_promotion('strict'), jax.numpy_rank_promotion('raise'):
    numerics.check()


def test_flags_that_name_no_file_are_told(monkeypatch):
  monkeypatch.setenv('XLA_FLAGS', f'--xla_a=1 --xla_dump_to={os.sep}x --xla_b')
  assert numerics.flags() == {'XLA_FLAGS': '--xla_a=1 --xla_b'}
  monkeypatch.delenv('XLA_FLAGS')
  assert numerics.flags() == {}
