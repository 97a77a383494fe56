"""What has to be set before jax is imported, and which tests share a process when several run."""

import os
import sys

import pytest

os.environ.setdefault('NPROC', '16')  # forced CPU devices on few cores deadlock in collectives without it
# Compiling is most of what the tests do; without optimization it takes half the time.
os.environ.setdefault('XLA_FLAGS', '--xla_backend_optimization_level=0')


def pytest_configure(config):
  """Keeps compiled programs in pytest's cache folder; `pytest --cache-clear` starts anew."""
  assert 'jax' not in sys.modules, 'jax was imported before its environment was set'
  cache = getattr(config, 'cache', None)  # None under `-p no:cacheprovider`
  if cache is not None:
    os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(cache.mkdir('jax')))
    os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.1')
    os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES', '-1')


def pytest_collection_modifyitems(items):
  """Tests of one method share its compiled program, those of one file what its fixtures made."""
  for item in items:
    method = getattr(item, 'callspec', None) and item.callspec.params.get('name')
    item.add_marker(pytest.mark.xdist_group(str(method or item.path.name)))
