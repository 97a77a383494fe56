"""The reports of a run folder: one page a record, and an index of them."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ssl_bench import measures
from ssl_bench.records.disk import write_whole
from ssl_bench.records.form import Tree
from ssl_bench.report.maps import MapBy
from ssl_bench.report.page import page, render
from ssl_bench.report.trial import Trial, read
from ssl_bench.settings import plural
from ssl_bench.settings.signature import BadSetting

FOLDER = 'reports'


class Written(NamedTuple):
  """The index, how many reports it links to, and a sentence for each record that was left out."""

  page: Path
  reports: int
  bad: list[str]


def write_reports(
  runs: Path, *, map_by: MapBy | None = 'pca', report: Callable[[Path], None] = lambda path: None
) -> Written:
  """Writes RUNS/reports/ID.html for every record of a run folder, and RUNS/reports/index.html.

  Args:
    runs: such as `runs/train`, whose records are in its folder `records`.
    map_by: how the map of features is made, for which checkpoints are loaded; None for no map.
    report: is given each page once it is written.

  Raises:
    BadSetting: the folder has no record, or none that is sound.
  """
  paths = sorted(path for path in (runs / 'records').glob('*.json') if path.name[0] != '.')
  if not paths:
    raise BadSetting(f'{runs} has no records; name a run folder, such as runs/train, or a record.')
  trees, bad = [], []
  for path in paths:
    try:
      trial = read(path, with_map=map_by is not None)
    except BadSetting as error:
      bad.append(str(error))
      continue
    place = runs / FOLDER / f'{trial.tree["id"]}.html'
    write_whole(place, page([trial], map_by or 'pca'))
    report(place)
    trees.append(trial.tree)
  if not trees:
    raise BadSetting(bad[0])
  index = runs / FOLDER / 'index.html'
  write_whole(index, index_of(trees))
  return Written(index, len(trees), bad)


def index_of(trees: list[Tree]) -> str:
  """The index as HTML: what each trial is, and the main numbers that any of them has."""
  rows = [row for row in measures.all_measures() if row.main]
  rows = [row for row in rows if any(measures.number_of(tree, row) is not None for tree in trees)]
  order = sorted(trees, key=lambda tree: (_name(tree), tree['labels'], str(_seeds(tree)), tree['id']))
  heads = ['method', 'dataset', 'labels', 'split seed', 'seed', 'status', *(row.heading for row in rows)]
  lines = [
    (
      tree['id'],
      [
        _name(tree),
        str(tree['config'].get('dataset')),
        f'{tree["labels"]:,}',
        *map(str, _seeds(tree)),
        tree['status'],
        *(
          '–' if (value := measures.number_of(tree, row)) is None else measures.say(row, value)
          for row in rows
        ),
      ],
    )
    for tree in order
  ]
  title = f'{plural.count(len(trees), "trial")} of a run folder'
  return render('index.html.j2', title=title, heads=heads, rows=lines)


def _name(tree: Tree) -> str:
  return Trial('', tree, '', '', '').method


def _seeds(tree: Tree) -> tuple[object, object]:
  return tree['config'].get('split_seed'), tree['config'].get('seed')
