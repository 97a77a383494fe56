"""Published numbers, and which of them may stand beside a number measured here."""

import csv
from pathlib import Path
from typing import NamedTuple

from ssl_bench.measures import Measure, all_measures
from ssl_bench.settings.signature import BadSetting

ERROR = 'error'  # the metric that is 100 % minus the measure


class Published(NamedTuple):
  """One published number, in percent; `labels` is a count or 'all'."""

  method: str
  dataset: str
  labels: str
  metric: str
  value: float
  std: float | None
  runs: int | None
  protocol_note: str
  source: str
  url_or_citation: str

  @property
  def measure(self) -> str:
    """The measure of ours that this is about."""
    return metrics()[self.metric].name

  @property
  def accuracy(self) -> float:
    """The value as an accuracy in [0, 1]."""
    return (100 - self.value if self.metric == ERROR else self.value) / 100


def metrics() -> dict[str, Measure]:
  """Metric of a published row -> the measure of ours that it is."""
  return {metric: row for row in all_measures() for metric in row.published}


def read_published(path: Path) -> tuple[Published, ...]:
  """The rows of a CSV file with the fields of `Published` as its header; raises BadSetting for others."""
  with path.open(newline='', encoding='utf-8') as file:
    reader = csv.DictReader(file)
    if tuple(reader.fieldnames or ()) != Published._fields:
      raise BadSetting(f'{path} must have the columns {",".join(Published._fields)}.')
    return tuple(sorted({_row(path, i, line) for i, line in enumerate(reader, 2)}, key=_order))


def _row(path: Path, i: int, line: dict[str, str]) -> Published:
  if line['metric'] not in metrics():
    known = ', '.join(metrics())
    raise BadSetting(f'{path} line {i}: metric must be one of {known}, not {line["metric"]!r}.')
  try:
    if line['labels'] != 'all':
      int(line['labels'])
    std, runs = line['std'], line['runs']
    numbers = {
      'value': float(line['value']),
      'std': float(std) if std else None,
      'runs': int(runs) if runs else None,
    }
  except ValueError as error:
    raise BadSetting(f'{path} line {i} should hold a number: {error}.') from None
  return Published(**{**line, **numbers})  # type: ignore[arg-type]


def _order(row: Published) -> tuple:
  labels = (1, 0) if row.labels == 'all' else (0, int(row.labels))
  return (row.dataset, labels, row.method, row.metric, row.source, row.protocol_note, row.value)


def fits(row: Published, method: str, dataset: str, labels: int, train: int | None) -> bool:
  """Whether a published row is about this method, dataset and number of labels.

  A probe 'with all labels' fits every budget, since ours with all labels does not depend on it either.
  """
  if (row.method, row.dataset) != (method, dataset):
    return False
  if row.labels == 'all':
    return row.measure != 'accuracy' or labels == train
  return int(row.labels) == labels
