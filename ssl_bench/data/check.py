"""`ssl-bench data check`: describes each array of a set, and compares the set with its known content."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ssl_bench.data.catalog import check_here, check_name, is_stored, make
from ssl_bench.data.decoded import check_fingerprint, faults, layouts, layouts_of, note, open_arrays, stamp
from ssl_bench.data.meta import PARTS, broken, read_meta
from ssl_bench.data.sources import KNOWN, data_folder, decoded_folder, is_made
from ssl_bench.settings.signature import BadSetting


class Checked(NamedTuple):
  """A check: a line for each array, a sentence for each fault, and the verdict if there is no fault."""

  lines: list[str]
  wrong: list[str]
  verdict: str


def check(name: str, *, data_dir: str | os.PathLike | None = None) -> Checked:
  """Reads a whole set, even one that passed a check before, and computes its fingerprint again.

  A bundled or synthetic set is made again.  Raises `BadSetting` for a set that is not on this machine.
  """
  check_name(name, data_dir=data_dir)
  made = is_made(name) or name.startswith('fake')
  return _check_made(name) if made else _check_decoded(name, data_dir)


def _check_decoded(name: str, data_dir: str | os.PathLike | None) -> Checked:
  check_here(name, data_dir=data_dir)
  root = data_folder(data_dir)
  meta = read_meta(name, root) if is_stored(name, root) else None
  if meta is None:
    raise BadSetting(f'{name} is not decoded yet; run: ssl-bench data prepare {name}.')
  folder, expected = decoded_folder(name, root), layouts_of(meta)
  stamps = stamp(folder, meta, expected)
  arrays, wrong = open_arrays(folder, expected)
  wrong += faults(arrays, expected)
  if not wrong:
    wrong += check_fingerprint(arrays, meta) or _check_known(name, meta.fingerprint)
  lines = [f'{name}/{meta.version} in {folder}', *describe(arrays)]
  if not wrong:
    note(folder, stamps)
  sentences = [str(broken(name, root, why)) for why in wrong]
  return Checked(lines, sentences, _verdict(name, meta.fingerprint))


def _check_made(name: str) -> Checked:
  data = make(name)
  arrays = {k: v for k, v in data._asdict().items() if isinstance(v, np.ndarray)}
  sizes = {part: len(getattr(data, f'{part}_labels')) for part in PARTS} | {'unlabeled': 0}
  expected = {k: v for k, v in layouts(sizes, data.shape, data.classes).items() if not v.positions}
  wrong = [*faults({k: arrays[k] for k in expected}, expected), *_check_known(name, data.fingerprint)]
  lines = [f'{name}/{data.version}, which is made anew each time', *describe(arrays)]
  sentences = [f'{name} is broken: {why}; install the packages of constraints.txt.' for why in wrong]
  return Checked(lines, sentences, _verdict(name, data.fingerprint))


def _check_known(name: str, fingerprint: str) -> list[str]:
  known = KNOWN.get(name, fingerprint)
  if fingerprint == known:
    return []
  return [f'its fingerprint is {fingerprint[:8]}, and the right one of {name} is {known[:8]}']


def _verdict(name: str, fingerprint: str) -> str:
  return f'{name} is right: fingerprint {fingerprint}{", the known one" if name in KNOWN else ""}.'


def describe(arrays: Mapping[str, np.ndarray]) -> list[str]:
  """A line for each array: type, shape, range and, for labels, the images of each class."""
  width = max(map(len, arrays), default=0)
  return [f'  {name:<{width}}  {_describe(name, array)}' for name, array in arrays.items()]


def _describe(name: str, array: np.ndarray) -> str:
  text = f'{array.dtype} {"×".join(f"{size:,}" for size in array.shape)}'
  if not array.size or not np.issubdtype(array.dtype, np.number):
    return text
  text += f', {array.min()} to {array.max()}'
  if not name.endswith('labels'):
    return text
  values, counts = np.unique(array, return_counts=True)
  if len(values) > 20:
    return f'{text}; {len(values)} classes of {counts.min():,} to {counts.max():,}'
  return f'{text}; ' + ', '.join(f'{count:,} of {value}' for value, count in zip(values, counts))
