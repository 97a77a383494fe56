"""The linear probe of papers on graphs: one class against the rest, on features of length 1."""

import numpy as np
from numpy.typing import NDArray

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation.probes import Features
from ssl_bench.evaluation.scores import accuracy

GRID = tuple(2.0**exponent for exponent in range(-10, 11))  # C, the inverse strength of L2


def on_rows(features: Features, dataset: Dataset, labeled: NDArray) -> float:
  """Test accuracy of logistic regression with the trial's labels, on features of length 1.

  Zhu et al. 2020 (GRACE) and Thakoor et al. 2022 (BGRL), the authors' codes: a classifier of each class
  against the rest; the C of highest validation accuracy, of equal ones the smallest.  `labeled` are positions
  in the training part.  NaN where a feature is not finite.
  """
  from sklearn.preprocessing import normalize  # a row of zeros stays

  if not all(np.isfinite(part).all() for part in features):
    return float('nan')
  train, validation, test = map(normalize, features)
  found, best = 0.0, -1.0
  for c in GRID:
    weights, intercepts = one_against_rest(train[labeled], dataset.given_labels[labeled], dataset.classes, c)
    on_validation = accuracy(validation @ weights.T + intercepts, dataset.validation_labels)
    if on_validation > best:
      found, best = accuracy(test @ weights.T + intercepts, dataset.test_labels), on_validation
  return found


def one_against_rest(features: NDArray, labels: NDArray, classes: int, c: float) -> tuple[NDArray, NDArray]:
  """Weights [classes, D] and intercepts [classes]; −∞ is the intercept of a class that has no label.

  Those of a class minimize c Σ log(1 + exp(−y f(x))) + ½ ‖weights, intercept‖², where y is 1 for the class
  and −1 for the others: liblinear's objective, which penalizes the intercept, too.
  """
  from sklearn.linear_model import LogisticRegression

  weights, intercepts = np.zeros((classes, features.shape[1])), np.full(classes, -np.inf)
  for label in np.unique(labels):
    if (labels == label).all():
      intercepts[label] = 0
    else:
      model = LogisticRegression(C=c, solver='liblinear', tol=1e-6, max_iter=1000)
      model.fit(features, labels == label)
      weights[label], intercepts[label] = model.coef_[0], model.intercept_[0]
  return weights, intercepts
