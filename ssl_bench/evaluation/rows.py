"""The linear probe of papers on graphs: one class against the rest, on features of length 1."""

import numpy as np
from numpy.typing import NDArray

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluation.scores import accuracy

GRID = tuple(2.0**exponent for exponent in range(-10, 11))  # C, the inverse strength of L2


def on_rows(
  train: NDArray, validation: NDArray, test: NDArray, dataset: Dataset, labeled: NDArray
) -> tuple[float, float]:
  """(Test accuracy, C) of logistic regression with the trial's labels, on features [n, D] of length 1.

  Zhu et al. 2020 (GRACE) and Thakoor et al. 2022 (BGRL), the authors' codes: a classifier of each class
  against the rest; the C of highest validation accuracy, of equal ones the smallest.  `labeled` are positions
  in the training part.
  """
  features, labels = unit(train[labeled]), dataset.given_labels[labeled]
  chosen, best = (0.0, 0.0), -1.0
  for c in GRID:
    weights, intercepts = one_against_rest(features, labels, dataset.classes, c)
    scores = [unit(x) @ weights.T + intercepts for x in (validation, test)]
    if (on_validation := accuracy(scores[0], dataset.validation_labels)) > best:
      chosen, best = (accuracy(scores[1], dataset.test_labels), c), on_validation
  return chosen


def unit(features: NDArray) -> NDArray:
  """Rows of length 1; a row of zeros stays."""
  return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


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
