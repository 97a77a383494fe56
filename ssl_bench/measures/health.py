"""Health of features without any label: how far they spread, and over how many dimensions."""

from typing import Any

from ssl_bench.evaluation import health
from ssl_bench.measures import Measure

WANG = 'Wang & Isola 2020'


def _of(name: str, title: str, function: Any, hint: str, source: str, digits: int, **more: Any) -> Measure:
  more = {'table': 'health', 'range': (0, None), **more}
  path = ('metrics', 'health', name)
  return Measure(name, path, title, function, hint=hint, source=source, digits=digits, **more)


MEASURES = (
  _of(
    'feature_std',
    'std × √d',
    lambda t: health.feature_std(t.features.test),
    'features of the encoder; collapsed below 0.1',
    'Chen & He 2021, figure 2; 1 is a uniform distribution on the sphere',
    2,
  ),
  _of(
    'rankme',
    'RankMe',
    lambda t: health.rankme(t.features.test),
    'effective rank of the features',
    'Garrido et al. 2023, equation 1',
    1,
  ),
  _of(
    'rankme_centered',
    'RankMe, centered',
    lambda t: health.rankme(t.features.test, centered=True),
    'effective rank of the features less their mean',
    'Garrido et al. 2023, equation 1, centered here',
    1,
    table='',
  ),
  _of(
    'alpha_req',
    'α of α-ReQ',
    lambda t: health.alpha_req(t.features.test),
    'decay of the spectrum of the features: eigenvalue j of their covariance falls like j^-α; 0 is flat',
    'Agrawal et al. 2022; the range of the fit is ours',
    2,
  ),
  _of(
    'lidar',
    'LiDAR',
    lambda t: health.lidar(t.views),
    'effective rank of the features in units of what augmentation does to them',
    'Thilak et al. 2023; 256 images and 10 views here',
    1,
  ),
  _of(
    'embedding_entropy',
    'embedding entropy',
    lambda t: health.embedding_entropy(t.features.test),
    'differential entropy of features on the sphere, nats; of one width only',
    'Kozachenko & Leonenko 1987',
    1,
    range=(None, None),
  ),
  _of(
    'alignment',
    'alignment',
    lambda t: health.alignment(*t.views[:2]),
    'mean squared distance of two strong views of an image; 0 where they are alike',
    f'{WANG}, equation 4',
    3,
    range=(0, 4),
  ),
  _of(
    'uniformity',
    'uniformity',
    lambda t: health.uniformity(t.features.test),
    'log of the mean Gaussian potential of pairs, in [-8, 0]; lower is more uniform, 0 is collapse',
    f'{WANG}, equation 5',
    2,
    range=(None, None),
  ),
  Measure(
    'collapsed',
    ('metrics', 'collapsed'),
    'collapsed',
    lambda t: bool(t.collapse.collapsed),
    hint='a feature is not finite, std × √d is below 0.1, half of the rows are zeros, or the centered RankMe '
    'is below 0.05 of the largest that there can be',
    values='flag',
  ),
  Measure(
    'collapse_reason',
    ('metrics', 'collapse_reason'),
    'why collapsed, or why not',
    lambda t: t.collapse.reason,
    hint='the sentence of that verdict',
    values='text',
  ),
)
