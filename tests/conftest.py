"""What has to be set before jax is imported: thread pools that do not deadlock, and a compile cache."""

import os
import sys

os.environ.setdefault('NPROC', '16')  # forced CPU devices on few cores deadlock in collectives without it


def pytest_configure(config):
  """Keeps compiled programs in pytest's cache folder; `pytest --cache-clear` starts anew."""
  assert 'jax' not in sys.modules, 'jax was imported before its environment was set'
  cache = getattr(config, 'cache', None)  # None under `-p no:cacheprovider`
  if cache is not None:
    os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(cache.mkdir('jax')))
    os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.1')
    os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES', '-1')
