"""The check before the first training on a set: what is quick, done once, and told in one line."""

import time
from collections.abc import Callable
from pathlib import Path

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.checking.findings import NEVER, Findings, find, inputs_of, keep, labels_of, read
from ssl_bench.data.checking.inputs import broken
from ssl_bench.data.checking.report import summary
from ssl_bench.data.sources import BUNDLED, data_folder
from ssl_bench.settings.signature import BadSetting

SECONDS = 60.0  # after which no search for near duplicates goes on

_checked: dict[str, Findings] = {}  # of this process, by fingerprint


def check_before(data: Dataset, *, should_stop: Callable[[], bool] = NEVER, root: Path | None = None) -> str:
  """One line on what is suspect in a set, '' where nothing is; raises `BadSetting` where it is broken.

  The set is looked at once: its findings are kept under the data folder, by its fingerprint.
  What comes with the installation is known, what is synthetic is not real, and the nodes of a graph are no
  inputs of their own; none of them is looked at.
  """
  if data.name in BUNDLED or data.name.startswith('fake') or data.graph is not None:
    return ''
  root = root or data_folder()
  found = _checked.get(data.fingerprint) or read(data, root)
  if found is None:
    if why := broken(inputs_of(data), labels_of(data), data.classes):
      raise BadSetting(f'{data.name} is broken: {why[0]}; correct that and try again.')
    last = time.monotonic() + SECONDS
    found = find(data, should_stop=lambda: should_stop() or time.monotonic() > last)
    if not should_stop():
      keep(found, root)
  _checked[data.fingerprint] = found
  return summary(found)
