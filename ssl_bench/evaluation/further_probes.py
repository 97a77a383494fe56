"""Probes of plugins: what a function of one's own makes of frozen features.

A probe is a function of features and labels to scores of the test part, for example

    def nearest_mean(train, labels, labeled, validation, validation_labels, test, classes):
      means = np.stack([train[labeled][labels[labeled] == k].mean(0) for k in range(classes)])
      return -((test[:, None] - means) ** 2).sum(-1)

    PLUGINS = {'probes': [nearest_mean]}

and its accuracy on the test part stands in a record under `metrics.probes`.
"""

from collections.abc import Sequence

import numpy as np

from ssl_bench import plugins
from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation.scores import accuracy
from ssl_bench.settings.signature import BadSetting


def further(
  which: Sequence[str],
  dataset: Dataset,
  labeled: np.ndarray,
  train: np.ndarray,
  validation: np.ndarray,
  test: np.ndarray,
) -> dict[str, float]:
  """Name -> accuracy of those probes in `which` that are of plugins.

  A probe is called with these keywords: `train`, `validation` and `test`, features float32 [n, D]; `labels`,
  int32 [n], of the training part; `labeled`, the positions in it that the trial has labels of;
  `validation_labels`; `classes`.  It returns scores [n, classes] of the test part; the largest counts.
  """
  found = {}
  for name in which:
    if name not in plugins.outside_names('probes'):
      continue
    scores = np.asarray(
      plugins.get('probes', name)(
        train=train,
        labels=dataset.given_labels,
        labeled=labeled,
        validation=validation,
        validation_labels=dataset.validation_labels,
        test=test,
        classes=dataset.classes,
      )
    )
    if scores.shape != (len(test), dataset.classes):
      told = f'{list(scores.shape)}, not {[len(test), dataset.classes]}'
      raise BadSetting(f'The probe {name} must return scores [n, classes] of the test part: they are {told}.')
    found[name] = accuracy(scores, dataset.test_labels)
  return found
