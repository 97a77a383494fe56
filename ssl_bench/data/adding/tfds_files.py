"""TensorFlow's file functions on the local disk, which builders of TFDS call, where TensorFlow is absent.

TFDS reaches TensorFlow through one lazy module.  While a set is built, that module is `Stand`: it opens,
lists and copies files, encodes PNG through Pillow, and refuses everything else.
"""

import glob
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from ssl_bench.data.builders import png


class NeedsTensorFlow(Exception):
  """A builder calls what only TensorFlow has; the message names it."""


class Stand:
  """In TensorFlow's place: an attribute that it lacks raises `NeedsTensorFlow`."""

  def __init__(self, name: str, **members: Any):
    self.__dict__.update(members, _name=name)

  def __getattr__(self, name: str) -> Any:
    raise NeedsTensorFlow(f'{self._name}.{name}')


def _open(path: Any, mode: str = 'r') -> Any:
  return open(os.fspath(path), mode, encoding=None if 'b' in mode else 'utf-8')


def _text(value: Any) -> str:
  return value.decode() if isinstance(value, bytes) else str(value)


GFILE = {
  'GFile': _open,
  'Open': _open,
  'exists': lambda path: os.path.exists(path),
  'isdir': lambda path: os.path.isdir(path),
  'listdir': lambda path: os.listdir(path),
  'walk': lambda path: os.walk(path),
  'glob': lambda pattern: sorted(glob.glob(os.fspath(pattern))),
  'makedirs': lambda path: os.makedirs(path, exist_ok=True),
  'copy': lambda source, target, overwrite=False: shutil.copyfile(source, target),
}


def stand() -> Stand:
  gfile = Stand('tf.io.gfile', **GFILE)
  return Stand(
    'tf',
    io=Stand('tf.io', gfile=gfile),
    compat=Stand('tf.compat', as_text=_text, as_bytes=lambda value: _text(value).encode()),
    image=Stand('tf.image', encode_png='png'),
    errors=SimpleNamespace(UnimplementedError=NotImplementedError, NotFoundError=FileNotFoundError),
    __version__='2.99',
  )


@contextmanager
def without_tensorflow() -> Iterator[None]:
  """While this holds, TFDS' builders find the functions above; nothing changes where TensorFlow is there."""
  from tensorflow_datasets.core.features import image_feature
  from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow

  if importlib.util.find_spec('tensorflow') is not None:
    yield
    return
  encoder = image_feature._ImageEncoder
  run = encoder._runner
  encoder._runner = SimpleNamespace(run=lambda name, image: png(image))  # of NumPy's images
  tensorflow.__dict__['_module'] = stand()
  try:
    yield
  finally:
    tensorflow.__dict__.pop('_module', None)
    encoder._runner = run
