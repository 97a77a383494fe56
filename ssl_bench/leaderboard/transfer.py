"""Trained on one set and probed on another: a board's matrix, a line for each method and training."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ssl_bench.leaderboard.aggregate import aggregate
from ssl_bench.leaderboard.frame import data_frame
from ssl_bench.leaderboard.read import Pair, Record, Settings, Trial
from ssl_bench.leaderboard.rows import Board, Mean, Row, Section
from ssl_bench.leaderboard.statistics import mean
from ssl_bench.leaderboard.variants import canonical, say_variant
from ssl_bench.measures import transfer

if TYPE_CHECKING:
  from pandas import DataFrame

RANDOM = 'random weights'
PROBES = tuple(transfer.PROBES)
UNSEEN = ('evaluate.', 'versions.')  # settings that an encoder does not depend on, or that only date it
UNTOLD = (*UNSEEN, 'init', 'teacher.')  # what the sets in turn say already
Values = dict[Pair, list[float]]


class Line(NamedTuple):
  """A line of the matrix: one method, trained on one set or on several in turn, and probed on others.

  `labels` is None where training sees none.  The network reads all sets in the form of `form`, which it was
  trained on last.  `cells` has set, then probe -> mean accuracy in [0, 1].  Under `RANDOM` stand the same
  probes of the net before any training; `trained_on` is '' there.
  """

  protocol: str
  method: str
  variant: str
  net: Settings
  labels: int | None
  trained_on: str
  form: str
  cells: Mapping[str, Mapping[str, Mean]]


def matrix(board: Board) -> tuple[Line, ...]:
  """All lines: by protocol, then methods by name and random weights last, then by what was trained on.

  Trials that differ only in what they were probed on share a line.  Means are over splits; over seeds where
  training sees no label, since then the split changes nothing.
  """
  first: dict[tuple[str, ...], Line] = {}
  values: dict[tuple[str, ...], dict[tuple[str, str], Values]] = {}
  for section in board.sections:
    for row in section.rows:
      for key, line, measures in _lines(section, row):
        for trial in (one for one in row.trials if one.by_name):
          for probe, measure in measures.items():
            for name, value in trial.by_name.get(measure, {}).items():
              first.setdefault(key, line)
              cells = values.setdefault(key, {}).setdefault((name, probe), {})
              cells.setdefault(_unit(trial, line), []).append(value)
  lines = [first[key]._replace(cells=_means(values[key])) for key in first]
  return tuple(sorted(lines, key=_order))


def _order(line: Line) -> tuple[Any, ...]:
  named = line.protocol, line.method == RANDOM, line.method
  return *named, line.labels or 0, line.variant, line.trained_on, line.form, canonical(line.net)


def _lines(section: Section, row: Row) -> Iterator[tuple[tuple[str, ...], Line, dict[str, str]]]:
  """The line of a row's trained encoders and that of the same net under random weights, with their key.

  With each come the measures of a trial that it shows, by probe.
  """
  settings = {k: v for k, v in row.settings.items() if not k.startswith(UNSEEN)}
  net = {k.removeprefix('net.'): v for k, v in settings.items() if k.startswith('net.')}
  differs = {k: v for k, v in row.variant.items() if not k.startswith(UNTOLD)}
  variant = '; '.join(filter(None, (say_variant(differs), say_variant(row.stress))))
  labels = None if row.family == 'self-supervised' else row.labels
  sets = ' → '.join(sets_of(section.dataset, row.settings))
  line = Line(section.protocol, row.method, variant, net, labels, sets, section.dataset, {})
  key: tuple[str, ...] = (section.protocol, row.method, sets, str(labels))
  yield (
    (*key, canonical(settings), canonical(row.stress)),
    line,
    {probe: f'transfer_{probe}_by_set' for probe in PROBES},
  )
  untrained = Line(section.protocol, RANDOM, '', net, None, '', section.dataset, {})
  key = (section.protocol, RANDOM, canonical(net), section.dataset)
  yield key, untrained, {probe: f'transfer_{probe}_of_random' for probe in PROBES}


def sets_of(dataset: str, settings: Settings) -> tuple[str, ...]:
  """The sets on which an encoder was trained in turn, the trial's own last.

  >>> sets_of('mnist', {'init': 'teacher', 'teacher.dataset': 'digits'})
  ('digits', 'mnist')
  """
  found, where = [dataset], ''
  while settings.get(f'{where}init') == 'teacher':
    where += 'teacher.'
    found.append(settings.get(f'{where}dataset', dataset))  # said only where it is not the student's
  return tuple(one for i, one in reversed(list(enumerate(found))) if i == 0 or found[i - 1] != one)


def _unit(trial: Trial, line: Line) -> Pair:
  """What is independent of the others: a split, or a seed."""
  seed = trial.pair.seed
  return Pair(0, seed, f'seed {seed}') if line.labels is None else trial.pair


def _means(found: Mapping[tuple[str, str], Values]) -> dict[str, dict[str, Mean]]:
  means: dict[str, dict[str, Mean]] = {}
  for (name, probe), cells in sorted(found.items()):
    each = {pair: sum(cells[pair]) / len(cells[pair]) for pair in sorted(cells)}
    means.setdefault(name, {})[probe] = mean(each)
  return means


def transfer_rows(board: Board) -> list[dict[str, Any]]:
  """Each cell of the matrix as a flat dictionary: what was trained, what was probed, and by which probe.

  Its keys: protocol, method, variant, net, labels, trained_on, form, probed_on, probe; accuracy, and half,
  the half width of its 95 % interval, both in [0, 1]; units, the number of splits, or of seeds where
  training sees no label.
  """
  return [
    {
      'protocol': line.protocol,
      'method': line.method,
      'variant': line.variant,
      'net': say_net(line.net, line.net),
      'labels': line.labels,
      'trained_on': line.trained_on,
      'form': line.form,
      'probed_on': name,
      'probe': probe,
      'accuracy': cells[probe].value,
      'half': cells[probe].half,
      'units': cells[probe].n,
    }
    for line in matrix(board)
    for name, cells in line.cells.items()
    for probe in PROBES
    if probe in cells
  ]


def say_net(net: Settings, told: Iterable[str]) -> str:
  """A net by its name and those of its settings that are to be told."""
  known = set(told)
  more = [f'{k} {v}' for k, v in net.items() if k != 'name' and k in known]
  return f'{net.get("name", "")}{" (" if more else ""}{", ".join(more)}{")" if more else ""}'


def transfer_frame(records: Iterable[Record]) -> 'DataFrame':
  """The matrix of records as a data frame of pandas, with the columns of `transfer_rows`.

  Raises BadSetting where pandas is not installed.

      table = transfer_frame(gather([Path('runs/transfer/records')]).records)
      table[table.probe == 'linear'].pivot_table('accuracy', ['method', 'trained_on', 'form'], 'probed_on')
  """
  return data_frame(transfer_rows(aggregate(records)))
