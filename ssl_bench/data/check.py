"""`ssl-bench data check`: describes a set, compares it with its known content, says what is suspect."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.catalog import check_here, check_name, is_stored, load, make
from ssl_bench.data.checking.findings import Findings, find, inputs_of, keep, labels_of
from ssl_bench.data.checking.inputs import broken as broken_inputs
from ssl_bench.data.checking.report import report
from ssl_bench.data.decoded import check_fingerprint, faults, layouts, layouts_of, note, open_arrays, stamp
from ssl_bench.data.meta import PARTS, broken, read_meta
from ssl_bench.data.origins import name_origins, read_origins
from ssl_bench.data.sources import KNOWN, data_folder, decoded_folder, is_made
from ssl_bench.settings.signature import BadSetting


class Checked(NamedTuple):
  """A check: a line for each array, a sentence for each fault, and the verdict if there is no fault."""

  lines: list[str]
  wrong: list[str]
  verdict: str
  data: Dataset | None = None  # the set, where it is right
  findings: Findings | None = None  # what is suspect in it


def check(
  name: str,
  *,
  data_dir: str | os.PathLike | None = None,
  wrong_labels: bool = False,
  features: Callable[[Dataset], Mapping[str, np.ndarray]] | None = None,
) -> Checked:
  """Reads a whole set, even one that passed a check before, and computes its fingerprint again.

  What is suspect in a set that is right is kept as JSON under the data folder.  With `wrong_labels`, labels
  are suspected too, by probes on the inputs, or on the `features` of each part, float [N, D].
  A bundled or synthetic set is made again.  Raises `BadSetting` for a set that is not on this machine.
  """
  check_name(name, data_dir=data_dir)
  made = is_made(name) or name.startswith('fake')
  checked = _check_made(name) if made else _check_decoded(name, data_dir)
  if checked.wrong:
    return checked
  data = make(name) if made else load(name, data_dir=data_dir)
  if data.graph is not None:  # whose nodes are no inputs of their own
    if features:
      raise BadSetting(f'{name} is a graph, in which no wrong labels are looked for; leave --record out.')
    return checked._replace(data=data)
  if why := broken_inputs(inputs_of(data), labels_of(data), data.classes):
    return checked._replace(wrong=[f'{name} is broken: {one}; correct that and try again.' for one in why])
  found = find(data, wrong_labels=wrong_labels, features=features and features(data))
  root = data_folder(data_dir)
  if not made and (origins := read_origins(decoded_folder(name, root), found['sizes'])):
    name_origins(found, origins)
  where = keep(found, root)
  told = [*(f'  {line}' for line in report(found)), *([f'  all of it: {where}'] if where else [])]
  return checked._replace(lines=[*checked.lines, f'Suspect in {name}:', *told], data=data, findings=found)


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
  lines = [f'{name}/{meta.version} in {folder}', *describe(arrays, meta.label_names)]
  if not wrong:
    note(folder, stamps)
  sentences = [str(broken(name, root, why)) for why in wrong]
  return Checked(lines, sentences, _verdict(name, meta.fingerprint))


def _check_made(name: str) -> Checked:
  data = make(name)
  arrays = {k: v for k, v in data._asdict().items() if isinstance(v, np.ndarray)}
  sizes = {part: len(getattr(data, f'{part}_labels')) for part in PARTS}
  sizes['unlabeled'] = 0 if data.unlabeled_images is None else len(data.unlabeled_images)
  expected = {
    k: v
    for k, v in layouts(sizes, data.shape, data.classes, kind=data.kind).items()
    if k in arrays and not v.positions
  }
  wrong = [*faults({k: arrays[k] for k in expected}, expected), *_check_known(name, data.fingerprint)]
  lines = [f'{name}/{data.version}, which is made anew each time', *describe(arrays, data.label_names)]
  sentences = [f'{name} is broken: {why}; install the packages of constraints.txt.' for why in wrong]
  return Checked(lines, sentences, _verdict(name, data.fingerprint))


def _check_known(name: str, fingerprint: str) -> list[str]:
  known = KNOWN.get(name, fingerprint)
  if fingerprint == known:
    return []
  return [f'its fingerprint is {fingerprint[:8]}, and the right one of {name} is {known[:8]}']


def _verdict(name: str, fingerprint: str) -> str:
  return f'{name} is right: fingerprint {fingerprint}{", the known one" if name in KNOWN else ""}.'


def describe(arrays: Mapping[str, np.ndarray], names: Sequence[str] = ()) -> list[str]:
  """A line for each array: type, shape, range and, for labels, the images of each class by its name."""
  width = max(map(len, arrays), default=0)
  return [f'  {name:<{width}}  {_describe(name, array, names)}' for name, array in arrays.items()]


def _describe(name: str, array: np.ndarray, names: Sequence[str]) -> str:
  text = f'{array.dtype} {"×".join(f"{size:,}" for size in array.shape)}'
  if not array.size or not np.issubdtype(array.dtype, np.number):
    return text
  text += f', {array.min()} to {array.max()}'
  if not name.endswith('labels'):
    return text
  values, counts = np.unique(array, return_counts=True)
  if len(values) > 20:
    return f'{text}; {len(values)} classes of {counts.min():,} to {counts.max():,}'
  named = dict(enumerate(names))
  said = (f'{count:,} of {named.get(value, value)}' for value, count in zip(values.tolist(), counts))
  return f'{text}; {", ".join(said)}'
