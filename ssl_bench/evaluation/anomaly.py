"""Scores of anomalies: how far an example lies from the training part, and what such a score is worth.

A score is large for what is unlike the training part, which has no anomaly.  Nothing is fitted on anomalies,
and no threshold is chosen.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ssl_bench.evaluation.neighbors import nearest
from ssl_bench.evaluation.ranks import probability_above

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

NEIGHBORS = 5  # the k-th nearest counts


class Scores(NamedTuple):
  """Scores of test examples [n], which are normal, and of anomalies [m]."""

  normal: np.ndarray
  anomalous: np.ndarray


def measure(trained: 'Trained') -> dict[str, float]:
  """AUROC and precision at k of each score of a trained state; empty where there are no anomalies."""
  from ssl_bench.evaluation import predict  # names of measures are listed without jax

  images = trained.dataset.anomaly_images
  if images is None:
    return {}
  found = trained.look(trained.fitted.state, images).features
  scored = by_features(trained.features.train, trained.features.test, found)
  if trained.fitted.program.reconstruction_error:
    program, numbers, state, *_ = trained.fitted
    error = lambda some: predict.reconstruction_error(program, state, numbers, some)
    scored['reconstruction'] = Scores(error(trained.dataset.test_images), error(images))
  return told_apart(scored)


def by_features(train: ArrayLike, normal: ArrayLike, anomalous: ArrayLike) -> dict[str, Scores]:
  """Name -> scores, of features [N, d] of the training part, [n, d] of the test part, [m, d] of anomalies."""
  distance = lambda score: Scores(score(train, normal), score(train, anomalous))
  return {'knn': distance(neighbor_distance), 'mahalanobis': distance(mahalanobis)}


def neighbor_distance(train: ArrayLike, queries: ArrayLike, k: int = NEIGHBORS) -> NDArray[np.float64]:
  """[n]: Euclidean distance to the k-th nearest of the training features, all of them at length 1.

  Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors" (2022).  Their k is chosen for large
  training parts; 5 also fits one of a few dozen examples, and a k above their number is cut to it.
  """
  train = np.asarray(train)
  similarity, _ = nearest(train, queries, min(k, len(train)))
  return np.sqrt(np.maximum(0, 2 - 2 * similarity[:, -1]))


def mahalanobis(train: ArrayLike, queries: ArrayLike) -> NDArray[np.float64]:
  """[n]: squared Mahalanobis distance to the mean of the training features.

  Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks"
  (2018), with one mean for all classes, since a trial knows few labels.  The covariance is shrunk as Ledoit
  and Wolf (2004) have it, since there may be fewer examples than features.  Features that are not finite give
  NaN.
  """
  from sklearn.covariance import LedoitWolf

  train, queries = np.asarray(train, np.float64), np.asarray(queries, np.float64)
  if not (np.isfinite(train).all() and np.isfinite(queries).all()):
    return np.full(len(queries), np.nan)
  scale = train.std() or 1.0
  return LedoitWolf().fit(train / scale).mahalanobis(queries / scale)


def told_apart(scored: Mapping[str, Scores]) -> dict[str, float]:
  """AUROC and precision at k of each score, as `knn_auroc` and `knn_precision`."""
  found = {}
  for name, (normal, anomalous) in scored.items():
    found[f'{name}_auroc'] = auroc(normal, anomalous)
    found[f'{name}_precision'] = precision_at_k(normal, anomalous)
  return found


def auroc(normal: ArrayLike, anomalous: ArrayLike) -> float:
  """Probability that an anomaly has a larger score than a normal example, in [0, 1]; a tie is half.

  NaN where a score is not finite.
  """
  is_finite = np.isfinite(normal).all() and np.isfinite(anomalous).all()
  return probability_above(anomalous, normal) if is_finite else float('nan')


def precision_at_k(normal: ArrayLike, anomalous: ArrayLike) -> float:
  """Share of anomalies among the k largest scores, k the number of anomalies, in [0, 1].

  Where examples tie for the last places, it is the expected share under a random order of them.  NaN where a
  score is not finite.
  """
  normal, anomalous = np.asarray(normal, np.float64), np.asarray(anomalous, np.float64)
  both, k = np.concatenate([anomalous, normal]), len(anomalous)
  if not np.isfinite(both).all():
    return float('nan')
  last = np.sort(both)[-k]
  above, tied = (anomalous > last).sum(), (anomalous == last).sum()
  places = k - (both > last).sum()
  return float((above + tied * places / (both == last).sum()) / k)
