"""A record evaluated again from its kept predictions: nothing is trained, and no checkpoint is read."""

from pathlib import Path
from typing import NamedTuple

from ssl_bench import measures
from ssl_bench.config import validate
from ssl_bench.evaluation.judged import Judged
from ssl_bench.records import predictions, record
from ssl_bench.records.checks import check_values
from ssl_bench.records.form import Tree
from ssl_bench.settings import plural
from ssl_bench.settings.signature import BadSetting


class Kept(NamedTuple):
  """What came of it: the measures by name, and the names of those that the record had lacked."""

  values: Tree
  added: list[str]


def names_predictions(path: Path) -> bool:
  """Whether a record names predictions that are beside it."""
  return predictions.path_of(path).exists() and record.read(path).get('predictions') is not None


def evaluate_kept(path: Path) -> Kept:
  """Computes every measure of predictions alone, and adds to the record those that it lacks.

  What the record holds stays as it is, its id too.  Raises `BadSetting` where the record or the file of its
  predictions is not sound.
  """
  tree = record.read_with_curves(path)
  if path.stem != tree['id']:
    raise BadSetting(f'{path} does not have the name of its record; call it {tree["id"]}.json.')
  config = validate(tree['config'])  # whose plugins hold measures, too
  judged = Judged(predictions.read(path, tree), config.evaluate.bootstrap)
  found = measures.measured_again(judged)
  check_values(found)
  values, added = {}, []
  for row in measures.all_measures():
    value = measures.at(found, *row.path)
    if row.function is None or row.reads != 'predictions' or value is None:
      continue
    values[row.name] = value
    if measures.at(tree, *row.path) is None:
      measures.put(tree, row.path, value)
      added.append(row.name)
  if added:
    record.write(tree, path.parent)
  return Kept(values, added)


def show(path: Path) -> int:
  """Evaluates the kept predictions of a record, and prints their numbers; returns 0, the exit code."""
  found = evaluate_kept(path)
  lines = {}
  for row in measures.all_measures():
    value = measures.finite(found.values.get(row.name))
    if row.is_numeric and value is not None:
      lines[row.heading] = measures.say(row, value)
  width = max(map(len, lines), default=0)
  for heading, said in lines.items():
    print(f'{heading:>{width}}  {said}')
  print(f'Evaluated from predictions: {path}, {plural.count(len(found.added), "measure")} added')
  return 0
