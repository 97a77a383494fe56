"""Linear discriminant analysis in float64: the logarithms of Gaussian densities, up to what classes share."""

import numpy as np


def fit(features, labels, classes, shrinkage, seen):
  """Slope [classes, d] and offset [classes], from the rows whose label is not -1 and the features `seen`."""
  d = features.shape[1]
  slope, offset = np.zeros((classes, d)), np.full(classes, -1e9)
  x, rows = features[:, seen], np.flatnonzero(labels >= 0)
  means = {c: x[labels == c].mean(0) for c in range(classes) if (labels == c).any()}
  scatter = sum(np.outer(x[i] - means[labels[i]], x[i] - means[labels[i]]) for i in rows) / len(rows)
  size = np.trace(scatter) / len(seen)
  shrunk = (1 - shrinkage) * scatter + shrinkage * size * np.eye(len(seen))
  inverse = np.linalg.inv(shrunk if size > 0 else np.eye(len(seen)))
  for c, mean in means.items():
    slope[c, seen] = inverse @ mean
    offset[c] = np.log((labels == c).sum() / len(rows)) - mean @ inverse @ mean / 2
  return slope, offset


def probs(features, slope, offset):
  scores = features @ slope.T + offset
  shares = np.exp(scores - scores.max(1, keepdims=True))
  return shares / shares.sum(1, keepdims=True)


def given(n, labeled):
  """Labels [n], -1 where there is none."""
  labels = np.full(n, -1)
  labels[labeled['index']] = labeled['label']
  return labels
