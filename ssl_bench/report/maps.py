"""Maps: rows of features as places in a plane, by principal components or by t-SNE."""

from typing import Literal, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

MapBy = Literal['pca', 'tsne']
PERPLEXITY = 30.0  # a smooth count of neighbors that a row keeps; the papers use 5 to 50
SEED = 0


class Map(NamedTuple):
  """Places [N, 2] of rows, and of principal components the share of variance along each axis."""

  places: np.ndarray
  shares: tuple[float, float] | None


def principal(features: np.ndarray) -> Map:
  """Principal components (Pearson 1901) of rows [N, d], d ≥ 1; of each axis the largest weight is positive.

  >>> principal(np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]])).places[:, 0].tolist()
  [-2.0, 0.0, 2.0]
  """
  rows = np.asarray(features, np.float64)
  rows = rows - rows.mean(0)
  _, sizes, axes = np.linalg.svd(rows, full_matrices=False)
  axes, power = axes[:2], sizes**2
  axes = axes * np.where(np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1) < 0, -1, 1)
  places = np.zeros((len(rows), 2))
  places[:, : len(axes)] = rows @ axes.T
  shares = [*(power[:2] / max(power.sum(), np.finfo(float).tiny)), 0.0]
  return Map(places, (float(shares[0]), float(shares[1])))


def perplexity(rows: int) -> float:
  """That of a map of so many rows."""
  return min(PERPLEXITY, (rows - 1) / 3)


def neighborly(features: np.ndarray) -> Map:
  """t-SNE (van der Maaten and Hinton, JMLR 9, 2008) of rows [N, d], N ≥ 3, that are not all alike.

  Barnes and Hut's approximation (van der Maaten, JMLR 15, 2014), perplexity 30 or for few rows a third of
  them.  It begins with the principal components and takes one thread, so equal rows give equal places.  About
  3 s of one core for 1,000 rows.

  Example: `neighborly(features).places` is [N, 2].
  """
  from sklearn.manifold import TSNE  # the import takes a second

  start = principal(features).places
  rows = np.asarray(features, np.float64) / start[:, 0].std()
  start = 1e-4 * start / start[:, 0].std()
  found = TSNE(
    perplexity=perplexity(len(rows)),
    init=start.astype(np.float32),
    learning_rate='auto',
    random_state=SEED,
  )
  with threadpool_limits(1):  # threads would add in another order each time
    return Map(found.fit_transform(rows.astype(np.float32)), None)
