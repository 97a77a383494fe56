"""What `ssl-bench data check` says: each array of a set, and whether the set is what it should be."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ssl_bench.data.catalog import check_here, check_name, make
from ssl_bench.data.decoded import check_fingerprint, faults, layouts, layouts_of, note, open_arrays, stamp
from ssl_bench.data.meta import PARTS, broken, read_meta
from ssl_bench.data.sources import KNOWN, SOURCES, data_folder, decoded_folder
from ssl_bench.settings.signature import BadSetting


class Checked(NamedTuple):
  """A line an array, what is wrong with the set, a sentence each, and the verdict where nothing is."""

  lines: list[str]
  wrong: list[str]
  verdict: str


def check(name: str, *, data_dir: str | os.PathLike | None = None) -> Checked:
  """Reads all of a set that is here, whatever was noted of it before, and computes its fingerprint again.

  A bundled or synthetic set is made anew.  Raises `BadSetting` for a set that is not here.
  """
  check_name(name)
  return _check_decoded(name, data_dir) if name in SOURCES else _check_made(name)


def _check_decoded(name: str, data_dir: str | os.PathLike | None) -> Checked:
  check_here(name, data_dir=data_dir)
  root = data_folder(data_dir)
  meta = read_meta(name, root)
  if meta is None:
    raise BadSetting(f'{name} is not decoded yet; run: ssl-bench data prepare {name}.')
  folder, wanted = decoded_folder(name, root), layouts_of(meta)
  stamps = stamp(folder, meta, wanted)
  arrays, wrong = open_arrays(folder, wanted)
  wrong += faults(arrays, wanted)
  if not wrong:
    wrong += check_fingerprint(arrays, meta) or _check_known(name, meta.fingerprint)
  lines = [f'{name}/{meta.version} in {folder}', *describe(arrays)]
  if not wrong:
    note(folder, stamps)
  told = [str(broken(name, root, why)) for why in wrong]
  return Checked(lines, told, _verdict(name, meta.fingerprint))


def _check_made(name: str) -> Checked:
  data = make(name)
  arrays = {k: v for k, v in data._asdict().items() if isinstance(v, np.ndarray)}
  sizes = {part: len(getattr(data, f'{part}_labels')) for part in PARTS} | {'unlabeled': 0}
  wanted = {k: v for k, v in layouts(sizes, data.shape, data.classes).items() if not v.positions}
  wrong = [*faults({k: arrays[k] for k in wanted}, wanted), *_check_known(name, data.fingerprint)]
  lines = [f'{name}/{data.version}, which is made anew each time', *describe(arrays)]
  told = [f'{name} is broken: {why}; install the packages of constraints.txt.' for why in wrong]
  return Checked(lines, told, _verdict(name, data.fingerprint))


def _check_known(name: str, fingerprint: str) -> list[str]:
  known = KNOWN.get(name, fingerprint)
  if fingerprint == known:
    return []
  return [f'its fingerprint is {fingerprint[:8]}, and the right one of {name} is {known[:8]}']


def _verdict(name: str, fingerprint: str) -> str:
  return f'{name} is right: fingerprint {fingerprint}{", the known one" if name in KNOWN else ""}.'


def describe(arrays: Mapping[str, np.ndarray]) -> list[str]:
  """A line an array: type, shape, range and, for labels, how many images each class has."""
  width = max(map(len, arrays), default=0)
  return [f'  {name:<{width}}  {_describe(name, array)}' for name, array in arrays.items()]


def _describe(name: str, array: np.ndarray) -> str:
  told = f'{array.dtype} {"×".join(f"{size:,}" for size in array.shape)}'
  if not array.size or not np.issubdtype(array.dtype, np.number):
    return told
  told += f', {array.min()} to {array.max()}'
  if not name.endswith('labels'):
    return told
  values, counts = np.unique(array, return_counts=True)
  if len(values) > 20:
    return f'{told}; {len(values)} classes of {counts.min():,} to {counts.max():,}'
  return f'{told}; ' + ', '.join(f'{count:,} of {value}' for value, count in zip(values, counts))
