"""Test examples that tell most: confident and wrong, or right with hardly any confidence."""

from base64 import b64encode
from collections.abc import Sequence

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.data.builders import png
from ssl_bench.data.text import detokenize
from ssl_bench.evaluation.judged import Judged
from ssl_bench.records.strict_json import printable
from ssl_bench.report.parts import Part, Picture, Pictures, Section, Sentence, of_each
from ssl_bench.report.trial import Trial

MOST = 12
SHOWN = ('image', 'tokens')  # kinds of data whose examples can be looked at


def section(trials: Sequence[Trial]) -> Section:
  """The examples of each trial."""
  return of_each('examples', 'Examples to look at', [(trial.name, _parts(trial)) for trial in trials])


def _parts(trial: Trial) -> list[Part]:
  judged, data = trial.judged, trial.dataset
  for missing in (judged, data):
    if isinstance(missing, str):
      return [Sentence(f'No examples are shown. {missing}')]
  assert isinstance(judged, Judged) and isinstance(data, Dataset)
  if data.kind not in SHOWN:
    return [Sentence(f'No examples are shown: an example of the kind {data.kind} is no picture and no text.')]
  if not is_of(judged, data):
    return [Sentence('No examples are shown: the predictions are of other test examples than are here.')]
  wrong, right = confident_and_wrong(judged), hardest_right(judged)
  found: list[Part] = []
  for caption, indices in (('Most confident wrong', wrong), ('Hardest right', right)):
    if len(indices):
      found.append(
        Pictures(f'{caption} ({len(indices)})', [_picture(trial, data, judged, i) for i in indices])
      )
    else:
      found.append(Sentence(f'{caption}: there is none.'))
  return found


def is_of(judged: Judged, data: Dataset) -> bool:
  """Whether predictions are of the test examples of a dataset, in their order."""
  kept = judged.kept
  return np.array_equal(kept.positions, data.test_index) and np.array_equal(kept.labels, data.test_labels)


def confident_and_wrong(judged: Judged, most: int = MOST) -> np.ndarray:
  """Positions of wrong predictions, the most confident first; of equal ones the first in the test part."""
  order = np.argsort(-judged.confidence, kind='stable')
  return order[~judged.right[order]][:most]


def hardest_right(judged: Judged, most: int = MOST) -> np.ndarray:
  """Positions of right predictions, the least confident first."""
  order = np.argsort(judged.confidence, kind='stable')
  return order[judged.right[order]][:most]


def _picture(trial: Trial, data: Dataset, judged: Judged, i: int) -> Picture:
  names = trial.class_names(judged.classes)
  is_, said = names[judged.labels[i]], names[judged.predicted[i]]
  where = judged.kept.positions[i]
  lines = [f'class {is_}', f'predicted {said}, {100 * judged.confidence[i]:.1f} %', f'test position {where}']
  alt = f'Test example {where}: {is_}, predicted {said}.'
  one = np.asarray(data.test_images[i])
  if data.kind == 'image':
    return Picture(address(one), '', alt, lines)
  return Picture('', printable(detokenize(one.ravel())), alt, lines)


def address(image: np.ndarray) -> str:
  """uint8 [H, W, 1 or 3] as a `data:` address of a PNG file."""
  return f'data:image/png;base64,{b64encode(png(image)).decode()}'
