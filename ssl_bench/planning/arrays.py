"""The arrays of a trial that stay on the device, and their shapes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ssl_bench import pattern
from ssl_bench.data.arrays import Dataset
from ssl_bench.kinds import kind_of
from ssl_bench.kinds.graph import graph_of_shapes
from ssl_bench.planning.structure import Structure

Arrays = dict[str, Any]


def arrays_of(dataset: Dataset, labeled: np.ndarray) -> Arrays:
  """The arrays of a dataset.

  `image`: uint8 [images, H, W, C], all that training sees; `pool`: int32 [train], the labeled positions,
  padded; `given`: int32 [train], the labels as training is given them; `label`: int32 [unlabeled], the hidden
  labels of the unlabeled stream (-1: none); `stream`: int32 [unlabeled], the positions of its images, where
  some are not in it; `graph`: the graph whose nodes the images are; `caption`: uint8 [train, captions,
  tokens], where there are any.
  """
  arrays: Arrays = {
    'image': dataset.stream_images(),
    'label': dataset.hidden_labels(),
    'given': dataset.given_labels.astype('int32'),
    'pool': padded(labeled, dataset.n_train),
  }
  if dataset.graph is not None:
    arrays['graph'] = dataset.graph
  if dataset.captions is not None:
    arrays['caption'] = dataset.captions
  if dataset.stream is not None:
    arrays['stream'] = dataset.stream.astype('int32')
  return arrays


def padded(labeled: np.ndarray, n: int) -> np.ndarray:
  """Labeled positions as int32 [n], zeros after them."""
  return np.pad(labeled.astype('int32'), (0, n - len(labeled)))


def shapes(structure: Structure, shape: Callable) -> Arrays:
  """The shapes of the arrays; `shape(size, dtype)` makes one."""
  data = structure.data
  found: Arrays = {
    'image': shape((data.images, *data.stored), kind_of(data.kind).stored),
    'label': shape((data.unlabeled,), 'int32'),
    'given': shape((data.train,), 'int32'),
    'pool': shape((data.train,), 'int32'),
  }
  if data.is_subset:
    found['stream'] = shape((data.unlabeled,), 'int32')
  if data.graph:
    found['graph'] = graph_of_shapes(data.graph, shape)
  if data.captions:
    found['caption'] = shape((data.train, *data.captions), 'uint8')
  for name in structure.patterns:
    further = pattern.get(name).shapes(structure)
    found |= {key: _reshaped(value, shape) for key, value in further.items()}
  return found


def _reshaped(tree: Any, shape: Callable) -> Any:
  return jax.tree.map(lambda x: shape(x.shape, x.dtype), tree)
