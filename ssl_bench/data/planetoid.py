"""Cora, Citeseer and Pubmed, citation graphs with the public split of Planetoid (Yang et al. 2016)."""

import codecs
import copyreg
import pickle
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy

from ssl_bench.data.arrays import fingerprint
from ssl_bench.data.decode import save_all
from ssl_bench.data.meta import PARTS, Meta, Sizes
from ssl_bench.data.sources import KNOWN, source_of
from ssl_bench.settings.signature import BadSetting

URL = 'https://github.com/kimiyoung/planetoid/raw/master/data'
SECONDS = 60.0


class Citations(NamedTuple):
  """A citation graph as its files have it.

  starts, columns: rows of the feature matrix, as in CSR; values float32.
  labels: int32 [nodes], -1 where a node has none.
  edges: int32 [m, 2], each once, no self-loops, sorted.
  train, validation, test: positions of the public split.
  """

  starts: np.ndarray
  columns: np.ndarray
  values: np.ndarray
  labels: np.ndarray
  edges: np.ndarray
  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray


def download(name: str, folder: Path) -> None:
  """Downloads the official files; raises `BadSetting` where they cannot be had."""
  for file in source_of(name).files:
    try:
      with urllib.request.urlopen(f'{URL}/{file}', timeout=SECONDS) as answer:
        (folder / file).write_bytes(answer.read())
    except (OSError, ValueError) as error:
      raise BadSetting(
        f'cannot download {URL}/{file} ({getattr(error, "reason", error)}); fetch the files elsewhere '
        f'and run: ssl-bench data prepare {name} --from FOLDER.'
      ) from None


def write(name: str, source: Path, folder: Path) -> None:
  """Writes the decoded parts of a graph from a folder with its files into an empty folder.

  Raises `BadSetting` for files that are missing, broken, or of another graph.
  """
  arrays = arrays_of(read(name, source))
  found, known = fingerprint(arrays.items()), KNOWN.get(name)
  if known and found != known:
    raise BadSetting(
      f'{source} holds another graph than {name}: its fingerprint is {found[:8]}, not {known[:8]}.'
    )
  expected = source_of(name)
  sizes = {part: len(arrays[f'{part}_images']) for part in (*PARTS, 'unlabeled')}
  for part, size in sizes.items():
    if size != getattr(expected, part):
      raise BadSetting(f'{source} holds {size} nodes for {part}, and {name} has {getattr(expected, part)}.')
  meta = Meta(
    version=expected.version,
    classes=expected.classes,
    label_names=tuple(map(str, range(expected.classes))),
    sizes=Sizes(**sizes),
    shape=expected.shape,
    fingerprint=found,
    folds=1,
    kind='graph',
  )
  save_all(folder, arrays, meta)


def arrays_of(graph: Citations) -> dict[str, np.ndarray]:
  """The arrays of the decoded set, in the order of its fingerprint.

  The training part is every node with a label outside of the validation and the test part; fold 0 are the 20
  of each class that the public split labels.  `unlabeled_images` are all other nodes.
  """
  held = np.union1d(graph.validation, graph.test)
  train = np.setdiff1d(np.flatnonzero(graph.labels >= 0), held)
  arrays: dict[str, np.ndarray] = {}
  for part, nodes in (('train', train), ('validation', graph.validation), ('test', graph.test)):
    arrays |= {f'{part}_images': nodes, f'{part}_labels': graph.labels[nodes], f'{part}_index': nodes}
  arrays['fold_0'] = np.searchsorted(train, graph.train)
  arrays['unlabeled_images'] = np.setdiff1d(np.arange(len(graph.labels)), train)
  arrays |= {'edges': graph.edges, 'feature_starts': graph.starts, 'feature_columns': graph.columns}
  whole = {name: array.astype(np.int32) for name, array in arrays.items()}
  return {**whole, 'feature_values': graph.values.astype(np.float32)}


def read(name: str, folder: Path) -> Citations:
  """A graph from its official files, or from NAME.npz of the same content."""
  packed = folder / f'{name}.npz'
  if packed.is_file():
    return _read(packed, _of_npz)
  files = {file.rpartition(f'ind.{name}.')[2]: folder / file for file in source_of(name).files}
  for path in files.values():
    if not path.is_file():
      raise BadSetting(f'{folder} has no {path.name}; give all of {", ".join(source_of(name).files)}.')
  parts = {part: _read(path, _load if part != 'test.index' else _load_index) for part, path in files.items()}
  return of_official(parts)


def _read(path: Path, reader: Callable[[Path], Any]) -> Any:
  try:
    return reader(path)
  except Exception as error:  # a broken pickle raises nearly anything
    why = ' '.join(str(error).split())[:120].rstrip('.')
    raise BadSetting(f'{path} cannot be read ({type(error).__name__}: {why}); fetch it again.') from error


def _of_npz(path: Path) -> Citations:
  with np.load(path) as found:
    starts, columns = found['indptr'], found['indices']
    values = found['values'] if 'values' in found else np.ones(len(columns))
    rest = {name: found[name] for name in ('labels', 'edges', 'train', 'validation', 'test')}
    features = scipy.sparse.csr_matrix((values, columns, starts), shape=tuple(found['shape']))
  return _tidy(features, **rest)


def of_official(parts: Mapping[str, Any]) -> Citations:
  """A graph from the content of its official files, by the last part of their names.

  `allx` and `tx` hold the features of the first nodes and of the test nodes, these in the order of
  `test.index`; nodes between the test nodes that are not among them (Citeseer) have no features and no label.
  """
  index = np.asarray(parts['test.index'])
  first, last = len(parts['ally']), int(index.max()) + 1
  labels = np.zeros((last, parts['ally'].shape[1]))
  labels[:first], labels[index] = parts['ally'], parts['ty']
  features = scipy.sparse.lil_matrix((last, parts['allx'].shape[1]))
  features[:first], features[index] = parts['allx'], parts['tx']
  start = len(parts['y'])
  return _tidy(
    features.tocsr(),
    labels=np.where(labels.any(1), labels.argmax(1), -1),
    edges=np.array([(a, b) for a, ends in parts['graph'].items() for b in ends]),
    train=np.arange(start),
    validation=np.arange(start, start + 500),
    test=np.sort(index),
  )


def _tidy(features: 'scipy.sparse.csr_matrix', *, edges: np.ndarray, **rest: np.ndarray) -> Citations:
  """Each edge once, without self-loops; entries of features in order, without zeros."""
  features.sum_duplicates()
  features.eliminate_zeros()
  edges = np.unique(np.sort(edges, 1), axis=0)
  edges = edges[edges[:, 0] != edges[:, 1]]
  return Citations(features.indptr, features.indices, features.data, edges=edges, **rest)


# What else the pickles name, by Python 2's names: they are put together by these and by arrays.
PLAIN = {
  ('collections', 'defaultdict'): defaultdict,
  ('__builtin__', 'list'): list,
  ('__builtin__', 'object'): object,
  ('copy_reg', '_reconstructor'): copyreg._reconstructor,  # type: ignore[attr-defined]
  ('_codecs', 'encode'): codecs.encode,
}


class _Unpickler(pickle.Unpickler):
  """Reads arrays, sparse matrices and lists, and calls nothing else that a file may name."""

  def find_class(self, module: str, name: str) -> Any:
    if module.startswith('scipy.sparse') and name == 'csr_matrix':
      return scipy.sparse.csr_matrix
    if (module, name) in PLAIN:
      return PLAIN[module, name]
    if module.startswith('numpy') and name in ('_reconstruct', 'ndarray', 'dtype', 'scalar'):
      return super().find_class(module.replace('numpy.core', 'numpy._core'), name)
    raise pickle.UnpicklingError(f'it names {module}.{name}, which no official file does')


def _load(path: Path) -> Any:
  with path.open('rb') as file:
    return _Unpickler(file, encoding='latin1').load()


def _load_index(path: Path) -> np.ndarray:
  return np.array([int(line) for line in path.read_text(encoding='ascii').split()])
