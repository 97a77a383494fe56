"""Every number of a trial's protocol, from what its networks see in the three parts of a dataset."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ssl_bench.data.arrays import Dataset
from ssl_bench.evaluate import calibration, health, retrieval, scores
from ssl_bench.evaluate.contents import Contents
from ssl_bench.evaluate.further_probes import further
from ssl_bench.evaluate.linear import Probe, linear_probe
from ssl_bench.evaluate.neighbors import knn
from ssl_bench.evaluate.predict import Seen
from ssl_bench.evaluate.propagation import NAMES, propagation

HEALTH_IMAGES = 256


def classifier(
  validation_logits: np.ndarray,
  validation_labels: np.ndarray,
  test_logits: np.ndarray,
  test_labels: np.ndarray,
  resamples: int,
) -> dict[str, Any]:
  """Accuracy and calibration on the test part; scaling is fitted on the validation part."""
  temperature = calibration.fit_temperature(validation_logits, validation_labels)
  isotonic = calibration.fit_isotonic(scores.softmax(validation_logits), validation_labels)
  by_class = scores.per_class_accuracy(test_logits, test_labels).tolist()
  probs = scores.softmax(test_logits)
  scaled = scores.softmax(test_logits / temperature)
  rest = isotonic(probs)
  return {
    'accuracy': scores.accuracy(test_logits, test_labels),
    'accuracy_on_validation': scores.accuracy(validation_logits, validation_labels),
    'accuracy_by_class': [None if np.isnan(share) else share for share in by_class],  # None: no test image
    'temperature': temperature,
    **calibrated(probs, test_logits, test_labels, resamples),
    'scaled': calibrated(scaled, test_logits / temperature, test_labels, resamples),
    'isotonic': {
      'accuracy': scores.accuracy(rest, test_labels),
      **calibrated(rest, np.log(rest), test_labels, resamples),
    },
    'reliability': bins(probs, test_labels),
    'reliability_scaled': bins(scaled, test_labels),
  }


def calibrated(probs: np.ndarray, logits: np.ndarray, labels: np.ndarray, resamples: int) -> dict[str, Any]:
  """NLL, Brier and the calibration errors of probabilities [n, classes] and the logits that they are of."""
  return {
    'nll': scores.nll(logits, labels),
    'brier': scores.brier(probs, labels),
    'ece': calibration.ece(probs, labels),
    'ece_interval': list(calibration.ece_interval(probs, labels, resamples=resamples)),
    'ece_adaptive': calibration.adaptive_ece(probs, labels),
    'ece_classwise': calibration.classwise_ece(probs, labels),
    'mce': calibration.mce(probs, labels),
  }


def bins(probs: np.ndarray, labels: np.ndarray) -> dict[str, list[float]]:
  """A reliability diagram's bins as plain lists."""
  seen = calibration.reliability_bins(probs, labels)
  return {
    'count': seen.counts.tolist(),
    'confidence': seen.confidence.tolist(),
    'accuracy': seen.accuracy.tolist(),
  }


def probes(
  which: Sequence[str], dataset: Dataset, labeled: np.ndarray, seen: dict[str, Seen]
) -> tuple[dict[str, Any], tuple[np.ndarray, np.ndarray] | None]:
  """Probes on frozen features: (measures, (validation, test) logits of the probe with the trial's labels).

  Args:
    which: 'linear', 'knn', 'label_propagation', 'label_spreading'.
    dataset: its labels.
    labeled: positions of the trial's labeled images in the training part.
    seen: 'train', 'validation' and 'test', as the evaluated encoder sees them.
  """
  train, validation, test = (seen[part].features for part in ('train', 'validation', 'test'))
  held = (validation, dataset.validation_labels, dataset.classes)
  measures: dict[str, Any] = {}
  budget = None
  if 'linear' in which:
    full = _probe_of_all(Contents(train, dataset.train_labels, *held[:2]), dataset.classes)
    measures['linear'] = {'accuracy': scores.accuracy(full.logits(test), dataset.test_labels), 'l2': full.l2}
    few = linear_probe(train[labeled], dataset.given_labels[labeled], *held, standardize_on=train)
    budget = few.logits(validation), few.logits(test)
    accuracy = scores.accuracy(budget[1], dataset.test_labels)
    measures['linear_budget'] = {'accuracy': accuracy, 'l2': few.l2}
  if 'knn' in which:
    votes = knn(train, dataset.train_labels, test, dataset.classes)
    measures['knn'] = {str(k): scores.accuracy(v.scores, dataset.test_labels) for k, v in votes.items()}
  for name in (name for name in NAMES if name in which):
    measures[name] = propagation(name, dataset, labeled, train, test)
  if outside := further(which, dataset, labeled, train, validation, test):
    measures['probes'] = outside
  return measures, budget


@lru_cache(maxsize=1)
def _probe_of_all(contents: Contents, classes: int) -> Probe:
  """The probe with every label, which takes the longest and does not depend on the trial's labels."""
  train, labels, validation, truth = contents.arrays
  return linear_probe(train, labels, validation, truth, classes)


def retrieved(
  embed: Callable[[str, np.ndarray], np.ndarray], images: np.ndarray, captions: np.ndarray
) -> dict[str, float]:
  """Recall@k of images [n, H, W, C] and their captions [n, K, L], by `embed`: ('image' or 'text', inputs)."""
  texts = retrieval.different(captions)
  return retrieval.retrieval(embed('image', images), captions, embed('text', texts))


def transductive(logits: np.ndarray, dataset: Dataset, labeled: np.ndarray) -> dict[str, Any]:
  """Accuracy on the images that were learned from without a label, of logits [n_unlabeled, classes].

  The labeled images and those whose label nobody knows are left out.
  """
  labels = dataset.hidden_labels()
  positions = np.arange(dataset.n_images) if dataset.stream is None else dataset.stream
  hidden = (labels >= 0) & ~np.isin(positions, labeled)
  if not hidden.any():
    return {'accuracy': None, 'n': 0}
  return {'accuracy': scores.accuracy(logits[hidden], labels[hidden]), 'n': int(hidden.sum())}


def condition(test: np.ndarray, one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
  """Label-free health of test features [n, d], and of two views of some images [m, d]."""
  verdict = health.collapse(test)
  return {
    'health': {
      'feature_std': health.feature_std(test),
      'rankme': health.rankme(test),
      'rankme_centered': health.rankme(test, centered=True),
      'embedding_entropy': health.embedding_entropy(test),
      'alignment': health.alignment(one, other),
      'uniformity': health.uniformity(test),
    },
    'collapsed': bool(verdict.collapsed),
    'collapse_reason': verdict.reason,
  }


def selected(evaluations: Sequence[dict[str, Any]], last: int) -> dict[str, Any]:
  """What other protocols would report of a curve: by validation, the median of the last, the best on test.

  The last one selects on the test part: it stands here for comparison with tables that did so, and is
  never ranked.
  """
  if not evaluations or 'test_accuracy' not in evaluations[0]:
    return {}
  by_validation = max(evaluations, key=lambda e: (e['validation_accuracy'], e['step']))
  tail = [e['test_accuracy'] for e in evaluations[-last:]]
  return {
    'accuracy_validation_selected': by_validation['test_accuracy'],
    'step_validation_selected': by_validation['step'],
    'accuracy_median_last': float(np.median(tail)),
    'median_over': len(tail),
    'accuracy_best_on_test': max(e['test_accuracy'] for e in evaluations),
  }
