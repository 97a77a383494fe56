"""Anomalies: how well scores tell test examples from anomalies, of which the training part has none."""

from typing import Any

from ssl_bench.evaluation.anomaly import NEIGHBORS
from ssl_bench.measures import ABSENT, Measure, part_of

SCORES = {
  'knn': (
    'kNN',
    f'distance of features of length 1 to the {NEIGHBORS}th nearest of the training part',
    'Sun et al. 2022',
  ),
  'mahalanobis': (
    'Mahalanobis',
    'Mahalanobis distance of features to the mean of the training part, covariance shrunk',
    'Lee et al. 2018, one mean; Ledoit & Wolf 2004',
  ),
  'reconstruction': ('reconstruction', 'error of the reconstruction that the method itself makes', ''),
}


def _of(score: str) -> tuple[Measure, Measure]:
  title, hint, source = SCORES[score]
  same: dict[str, Any] = {'source': source, 'table': 'anomaly', 'better': 'higher', 'range': (0, 1)}
  return (
    Measure(
      f'anomaly_{score}_auroc',
      ('metrics', 'anomaly', f'{score}_auroc'),
      f'AUROC, {title}',
      part_of('anomaly', f'{score}_auroc'),
      hint=f'anomalies against the test part by the {hint}; 0.5 is a guess',
      main=True,
      **same,
    ),
    Measure(
      f'anomaly_{score}_precision',
      ('metrics', 'anomaly', f'{score}_precision'),
      f'precision at k, {title}',
      part_of('anomaly', f'{score}_precision'),
      unit='%',
      hint=f'share of anomalies among the k largest, k their number, by the {hint}',
      digits=1,
      **same,
    ),
  )


MEASURES = (
  *(row for score in SCORES for row in _of(score)),
  Measure(
    'anomalies',
    ('metrics', 'anomaly', 'count'),
    'anomalies',
    lambda t: ABSENT if t.dataset.anomaly_images is None else len(t.dataset.anomaly_images),
    hint='anomalies, to be told from the examples of the test part',
    values='count',
    digits=0,
    table='anomaly',
  ),
)
