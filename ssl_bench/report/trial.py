"""A trial as a report sees it: its record, and of what is beside the record whatever is there."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ssl_bench import measures
from ssl_bench.evaluation.judged import Judged
from ssl_bench.records import predictions, record
from ssl_bench.records.form import Tree
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.data.arrays import Dataset
  from ssl_bench.evaluation.attacks import Inverted

NO_NETWORK = 'The folder of the record has no usable checkpoint of its last step.'
Missing = str  # one sentence that says why something is not there


class Trial(NamedTuple):
  """A record with its curves, and what was found beside it.

  Attributes:
    letter: A or B, where two trials are compared; else ''.
    tree: the record as `record.read_with_curves` gives it.
    judged: its kept predictions.
    dataset: its data, under its stress.
    features: of the test examples, float32 [N, d], from the checkpoint of its last step.
    inverted: training images and what an attack draws of them, from it; None where it was not asked for.
  """

  letter: str
  tree: Tree
  judged: Judged | Missing
  dataset: 'Dataset | Missing'
  features: np.ndarray | Missing
  inverted: 'Inverted | Missing | None' = None

  @property
  def name(self) -> str:
    """`'A: fixmatch, 794d751e'`, by which a column or a line is known."""
    said = f'{self.method}, {self.tree["id"][:8]}'
    return f'{self.letter}: {said}' if self.letter else said

  @property
  def method(self) -> str:
    return str(self.tree['config'].get('method', {}).get('name'))

  def at(self, name: str) -> Any:
    """What the record holds of a measure, or None."""
    return measures.at(self.tree, *measures.get(name).path)

  def class_names(self, count: int) -> list[str]:
    """Names of classes, which are numbers where the data are not at hand."""
    if not isinstance(self.dataset, str) and len(self.dataset.label_names) == count:
      return [str(name) for name in self.dataset.label_names]
    return [str(index) for index in range(count)]


def read(path: Path, letter: str = '', *, with_map: bool = True) -> Trial:
  """The trial of a record's file.

  Args:
    path: of the record.
    letter: by which the trial is told from another.
    with_map: whether its network is looked for, which takes seconds to compile.

  Raises:
    BadSetting: the record, its curves or its predictions are not sound; what is absent is no error.
  """
  tree = record.read_with_curves(path)
  return Trial(letter, tree, _judged(path, tree), *_data_and_network(path, tree, with_map))


def _judged(path: Path, tree: Tree) -> Judged | Missing:
  if not tree.get('predictions'):
    return 'The record keeps no predictions.'
  if not predictions.path_of(path).exists():
    return 'The predictions of the record are not beside it.'
  resamples = tree['config'].get('evaluate', {}).get('bootstrap', 1000)
  return Judged(predictions.read(path, tree), resamples)


def _data_and_network(
  path: Path, tree: Tree, with_map: bool
) -> tuple['Dataset | Missing', np.ndarray | Missing, 'Inverted | Missing | None']:
  from ssl_bench import data
  from ssl_bench.config import validate
  from ssl_bench.planning import make_plan

  asks = 'inversion' in tree['config'].get('evaluate', {}).get('privacy', ())
  lacking = lambda said: (said, said if asks else None)
  try:
    data.check_here(tree['config']['dataset'])
    plan = make_plan(validate(tree['config']))
  except BadSetting:
    said = 'The dataset of the record is not at hand, or its settings are none of this version.'
    return said, *lacking(said)
  if plan.dataset.fingerprint != tree['versions']['fingerprint']:
    said = 'The dataset here is another version than that of the record.'
    return said, *lacking(said)
  if not with_map:
    return plan.dataset, *lacking('The map was not asked for.')
  if tree['status'] != 'done':
    return plan.dataset, *lacking('The trial did not end well, so it has no network.')
  return plan.dataset, *(_by_network(path) or lacking(NO_NETWORK))


def _by_network(path: Path) -> tuple[np.ndarray, 'Inverted | None'] | None:
  """Features of the test examples, and images inverted, by the network that the run folder keeps."""
  from ssl_bench.api import load_trained
  from ssl_bench.evaluation.trained import Trained
  from ssl_bench.training.checkpoint import UnusableCheckpoint

  try:
    network = load_trained(path)
  except UnusableCheckpoint:
    return None
  features = network.features(network.plan.dataset.test_images)
  return features, Trained(network.plan, network.fitted).attacks.inverted
