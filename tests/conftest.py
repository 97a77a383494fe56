"""What has to be set before jax is imported, and which tests share a process when several run."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

os.environ.setdefault('NPROC', '16')  # forced CPU devices on few cores deadlock in collectives without it
os.environ.pop('PYTHONDONTWRITEBYTECODE', None)  # hundreds of commands would compile the package anew
# Compiling is most of what the tests do; without optimization it takes half the time, and by XLA's older
# emitters, which jaxlib has up to 0.10, two thirds of that.
FLAGS = ['--xla_backend_optimization_level=0']
if version('jaxlib').startswith('0.10.'):
  FLAGS.append('--xla_cpu_use_fusion_emitters=false')
os.environ.setdefault('XLA_FLAGS', ' '.join(FLAGS))
MAPS = 16_000  # memory maps of a process, of which Linux allows 65,530; every compiled program holds some


def pytest_configure(config):
  """Keeps compiled programs in pytest's cache folder; `pytest --cache-clear` starts anew."""
  assert 'jax' not in sys.modules, 'jax was imported before its environment was set'
  cache = getattr(config, 'cache', None)  # None under `-p no:cacheprovider`
  if cache is not None:
    os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(cache.mkdir('jax')))
    os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.1')
    os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES', '-1')


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
  """Every test refuses arrays of different ranks that are broadcast in silence; users are free to do so."""
  import jax

  with jax.numpy_rank_promotion('raise'):
    return (yield)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
  """Tests of one method share its compiled program, those of one file what its fixtures made."""
  for item in items:
    item.add_marker(pytest.mark.xdist_group(_group(item)))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
  """Between two groups, lets go of plugin files, and of what jax compiled where it has too many maps."""
  if nextitem is None or _group(item) == _group(nextitem):
    return
  if files := sys.modules.get('ssl_bench.plugins.files'):
    files.forget()
  held, jax = Path('/proc/self/maps'), sys.modules.get('jax')
  if jax and held.exists() and held.read_bytes().count(b'\n') > MAPS:
    jax.clear_caches()


def _group(item) -> str:
  params = item.callspec.params if hasattr(item, 'callspec') else {}
  if 'third' in params:  # of a test of all methods
    return f'{item.path} {params["third"]}'
  return str(params.get('name') or item.path)
