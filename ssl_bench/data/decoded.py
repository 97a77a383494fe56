"""Reads a decoded set after checking its files against meta.json: shapes, types, ranges, fingerprint.

A check that passes notes the size and the times of each file.  The fingerprint is computed again only where
they have changed since.  The notes lie beside the arrays; where that folder cannot be written, they are kept
in memory, so that the fingerprint is computed once a process.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.meta import META, PARTS, Meta, broken, read_meta
from ssl_bench.data.sources import decoded_folder
from ssl_bench.kinds import kind_of

NOTES = 'verified.json'
GRAPH = ('edges', 'feature_starts', 'feature_columns', 'feature_values')  # arrays of a graph

Stamps = dict[str, Any]
_verified: dict[Path, Stamps] = {}  # the notes of this process, by folder


class Layout(NamedTuple):
  """The type, shape and range of an array; a size of None stands for any.

  Values are in 0 … `below` - 1, if `below` is given; `positions` are all different.
  """

  dtype: Any
  shape: tuple[int | None, ...]
  below: int | None = None
  positions: bool = False


def layouts(
  sizes: Mapping[str, int],
  shape: tuple[int, ...],
  classes: int,
  folds: int = 0,
  kind: str = 'image',
  groups: int = 0,
) -> dict[str, Layout]:
  """The arrays of a set by name, in the order of its fingerprint."""
  found: dict[str, Layout] = {}
  nodes = sum(sizes.values()) - sizes['validation'] - sizes['test'] if kind == 'graph' else None
  example, stored = () if kind == 'graph' else shape, kind_of(kind).stored
  official = {'train': sizes['train'] + sizes['validation'], 'test': sizes['test']}
  for part in PARTS:
    count = sizes[part]
    found[f'{part}_images'] = Layout(stored, (count, *example), nodes, positions=bool(nodes))
    found[f'{part}_labels'] = Layout(np.int32, (count,), classes)
    split = 'test' if part == 'test' else 'train'
    found[f'{part}_index'] = Layout(np.int32, (count,), nodes or official[split], positions=True)
  for i in range(folds):
    found[f'fold_{i}'] = Layout(np.int32, (None,), sizes['train'], positions=True)
  if sizes['unlabeled']:
    found['unlabeled_images'] = Layout(stored, (sizes['unlabeled'], *example), nodes)
  if nodes:
    found['edges'] = Layout('int32', (None, 2), nodes)
    found['feature_starts'] = Layout('int32', (nodes + 1,))
    found['feature_columns'] = Layout('int32', (None,), shape[0])
    found['feature_values'] = Layout('float32', (None,))
  if groups:
    found |= {f'{part}_groups': Layout(np.int32, (sizes[part],), groups) for part in PARTS}
  return found


def layouts_of(meta: Meta) -> dict[str, Layout]:
  return layouts(
    meta.sizes.model_dump(), meta.shape, meta.classes, meta.folds, meta.kind, len(meta.groups or ())
  )


def faults(arrays: Mapping[str, np.ndarray], expected: Mapping[str, Layout]) -> Iterator[str]:
  """The faults of arrays, a clause each; reads no pixel."""
  for name, array in arrays.items():
    yield from _faults(name, array, expected[name])
  train, validation = arrays.get('train_index'), arrays.get('validation_index')
  if train is not None and validation is not None and np.isin(train, validation).any():
    yield 'train_index.npy and validation_index.npy share a position'


def _faults(name: str, array: np.ndarray, layout: Layout) -> Iterator[str]:
  if array.dtype != layout.dtype:
    yield f'{name}.npy holds {array.dtype}, not {np.dtype(layout.dtype)}'
  if len(array.shape) != len(layout.shape) or any(
    b not in (None, a) for a, b in zip(array.shape, layout.shape)
  ):
    said = '×'.join('any' if size is None else str(size) for size in layout.shape)
    yield f'{name}.npy is of shape {"×".join(map(str, array.shape)) or "()"}, and {META} says {said}'
  elif layout.below is not None and array.size and np.issubdtype(array.dtype, np.integer):
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= layout.below:
      yield f'{name}.npy holds {low if low < 0 else high}, which is not in 0 to {layout.below - 1}'
    if layout.positions and len(np.unique(array)) < len(array):
      yield f'{name}.npy holds a position twice'


def open_arrays(folder: Path, expected: Mapping[str, Layout]) -> tuple[dict[str, np.ndarray], list[str]]:
  """The arrays that can be read, images memory-mapped, and a clause for each of the others.

  Nothing is unpickled: a file that is not a plain array cannot be read.
  """
  arrays, unread = {}, []
  for name in expected:
    path = folder / f'{name}.npy'
    try:
      mapped = np.lib.format.open_memmap(path, mode='r')
      arrays[name] = mapped if name.endswith('images') and mapped.ndim > 1 else np.array(mapped)
    except FileNotFoundError:
      unread.append(f'{path.name} is missing')
    except Exception as error:  # NumPy raises many kinds for a wrong header
      reason = ' '.join(str(getattr(error, 'strerror', None) or error).split())[:120].rstrip('.')
      unread.append(f'{path.name} cannot be read ({reason})')
  return arrays, unread


def read_decoded(name: str, root: Path) -> Dataset:
  """The decoded set, its images memory-mapped and read-only; raises `Broken` where a check fails."""
  folder, meta = decoded_folder(name, root), read_meta(name, root)
  if meta is None:
    raise FileNotFoundError(folder / META)
  expected = layouts_of(meta)
  stamps = stamp(folder, meta, expected)
  arrays, wrong = open_arrays(folder, expected)
  wrong += faults(arrays, expected)
  if not wrong and stamps not in (_verified.get(folder.absolute()), read_notes(folder)):
    wrong += check_fingerprint(arrays, meta)
  if wrong:
    raise broken(name, root, wrong[0])
  note(folder, stamps)
  graph = _graph_of(arrays, meta.shape[0]) if meta.kind == 'graph' else None
  fields: dict[str, Any] = {k: v for k, v in arrays.items() if not k.startswith('fold_')}
  return Dataset(
    name=name,
    version=meta.version,
    classes=meta.classes,
    label_names=meta.label_names,
    fingerprint=meta.fingerprint,
    license=meta.license_of(name),
    folds=tuple(arrays[f'fold_{i}'] for i in range(meta.folds)) or None,
    kind=meta.kind,
    graph=graph,
    group_names=meta.groups or (),
    **fields,
  )


def _graph_of(arrays: dict[str, Any], width: int) -> Any:
  """The graph of its arrays, which are taken out."""
  from ssl_bench.kinds.graph import make_graph  # imports jax

  return make_graph(*(arrays.pop(name) for name in GRAPH), width=width)


def check_fingerprint(arrays: Mapping[str, np.ndarray], meta: Meta) -> list[str]:
  """A clause where the arrays, all of them and in order, have another fingerprint than meta.json says."""
  found = fingerprint(arrays.items())
  if found == meta.fingerprint:
    return []
  now, said = found[:8], meta.fingerprint[:8]
  return [f'its images or labels were changed (fingerprint {now}, and {META} says {said})']


def stamp(folder: Path, meta: Meta, expected: Mapping[str, Layout]) -> Stamps:
  """The fingerprint that meta.json says, and [size, time of the last change in ns] of each array's file."""
  files: dict[str, list[int]] = {}
  for name in expected:
    with suppress(OSError):  # `open_arrays` names a missing file
      found = (folder / f'{name}.npy').stat()
      files[name] = [found.st_size, found.st_mtime_ns, found.st_ctime_ns]
  return {'fingerprint': meta.fingerprint, 'files': files}


def read_notes(folder: Path) -> Any:
  """The stamps with which the set last passed its check, or None."""
  try:
    return json.loads((folder / NOTES).read_bytes())
  except (OSError, ValueError, RecursionError):
    return None


def note(folder: Path, stamps: Stamps) -> None:
  """Notes that the set passed its check with these stamps, in memory and, where possible, on disk."""
  _verified[folder.absolute()] = stamps
  if read_notes(folder) == stamps:
    return
  with suppress(OSError):
    handle, temporary = tempfile.mkstemp(dir=folder, prefix='.', suffix='.tmp')
    try:
      with os.fdopen(handle, 'w', encoding='utf-8') as file:
        json.dump(stamps, file, indent=1)
      os.chmod(temporary, 0o644)
      os.replace(temporary, folder / NOTES)
    except BaseException:
      Path(temporary).unlink(missing_ok=True)
      raise
