"""The clients of federated training: which images each holds, dealt evenly or with uneven classes.

Like the labeled subset, the deal follows sha256 digests, so it depends on no library's random numbers.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaincinv

from ssl_bench.data.split import by_hash
from ssl_bench.settings.signature import BadSetting, parse_call

TRIES = 1000
EVENLY = 'iid'


class Shares(NamedTuple):
  """Positions sorted by client: those of client c follow those of client c - 1."""

  images: np.ndarray  # int32 [n], every position of the unlabeled stream
  sizes: np.ndarray  # int32 [clients], the number of each client's images
  labeled: np.ndarray  # int32 [labels], the labeled positions
  labels: np.ndarray  # int32 [clients], the number of each client's labeled images


def holdings(shares: Shares) -> dict[str, Any]:
  """Shares as arrays for a device: all positions by client, and each client's first place and count."""
  first = lambda sizes: np.cumsum(sizes, dtype=np.int32) - sizes
  each = {'images': shares.sizes, 'first_image': first(shares.sizes)}
  each |= {'labels': shares.labels, 'first_label': first(shares.labels)}
  return {'images': shares.images, 'each': each}


def blank(n: int, clients: int) -> Shares:
  """Shares of n images with the right shapes and types; all values are zero."""
  none = np.zeros(clients, np.int32)
  return Shares(np.zeros(n, np.int32), none, none[:0], none)


def parse_split(text: str) -> float | None:
  """The concentration α of `'dirichlet(0.3)'`, or None for `'iid'`; raises `BadSetting`."""
  advice = 'write iid or dirichlet(0.3), with a concentration from 0.01 up.'
  try:
    name, values, named = parse_call(text)
  except BadSetting:
    raise BadSetting(f'federated.split cannot be {text!r}; {advice}') from None
  if name == EVENLY and not (values or named):
    return None
  value = values[0] if name == 'dirichlet' and len(values) == 1 and not named else None
  if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.01 <= value < float('inf'):
    raise BadSetting(f'federated.split cannot be {text!r}; {advice}')
  return float(value)


def deal(
  labels: np.ndarray,
  classes: int,
  *,
  clients: int,
  split: str,
  seed: int,
  extra: int = 0,
  labeled: np.ndarray | None = None,
  least: int = 1,
) -> Shares:
  """Deals all images to the clients.

  `iid`: the clients take turns with the images in random order, the labeled ones first: their numbers of
  images differ by at most one, and so do their numbers of labels.  `dirichlet(α)`: the images of each class
  are cut into shares drawn from a symmetric Dirichlet distribution over the clients, so that both classes
  and sizes differ; α → 0 gives a class to one client, α → ∞ deals it evenly (the split of Yurochkin et al.,
  "Bayesian Nonparametric Federated Learning of Neural Networks", 2019).  It is drawn again until every
  client has enough images and labels.

  Args:
    labels: int32 [n], all labels of the training part, in 0 … classes - 1.
    classes: the number of classes.
    clients: the number of clients, at least 1.
    split: 'iid' or 'dirichlet(α)'.
    seed: of the deal.
    extra: the number of unlabeled images after the training part; they have no class and are dealt evenly.
    labeled: positions whose labels training sees, each on the client that holds the image; None where
      training sees no label, so that the deal does not depend on them.
    least: the fewest images of a client, since an unlabeled batch may not hold an image twice.

  Raises `BadSetting` where a client would have too few images or, with `labeled`, no labeled one.
  """
  alpha, n = parse_split(split), len(labels) + extra
  with_labels = labeled is not None
  pool = np.asarray(labeled if with_labels else [], np.int32)
  if clients * least > n:
    raise BadSetting(
      f'{clients} clients cannot hold {least} of {n} images each, one unlabeled batch; '
      'make federated.clients or the batch smaller.'
    )
  if with_labels and len(pool) < clients:
    raise BadSetting(
      f'{len(pool)} labels are too few for {clients} clients, of which each needs one; '
      'make federated.clients smaller or labels larger.'
    )
  order = np.array(sorted(range(n), key=lambda i: by_hash(seed, 'client', i)), np.int32)
  owner = np.empty(n, np.int32)
  if alpha is None:
    owner[np.concatenate([pool, order[~np.isin(order, pool)]])] = np.arange(n) % clients
  else:
    owner[order[order >= len(labels)]] = np.arange(extra) % clients
  order = order[order < len(labels)]
  queues = [order[labels[order] == c] for c in range(classes)]
  for turn in range(TRIES):
    for c, queue in enumerate(queues):
      if alpha is not None:
        words = [by_hash(seed, 'share', turn, c, j) for j in range(clients)]
        owner[queue] = _cut(len(queue), alpha, words)
    shares = _shares(owner, pool, clients)
    if shares.sizes.min() >= least and (not with_labels or shares.labels.min() >= 1):
      return shares
  raise BadSetting(
    f'No deal of {split} in {TRIES} gives each of {clients} clients {least} images, one unlabeled batch'
    f'{", and a labeled one" if with_labels else ""}; '
    'make federated.clients or the batch smaller, or α larger.'
  )


def _cut(n: int, alpha: float, words: list[bytes]) -> np.ndarray:
  """The client of each of n images, int [n], ascending: one Dirichlet draw, from a digest per client.

  Gamma variables by their quantile function, normalized; the floor replaces a variable that underflows.
  """
  uniform = np.array([(int.from_bytes(word[:8], 'big') + 0.5) / 2**64 for word in words])
  draw = np.maximum(gammaincinv(alpha, uniform), 1e-300)
  ends = np.rint(np.cumsum(draw / draw.sum()) * n)
  return np.searchsorted(ends[:-1], np.arange(n), side='right')


def _shares(owner: np.ndarray, pool: np.ndarray, clients: int) -> Shares:
  """The shares of owners [n]: images in ascending order, labeled ones in the order of the draw."""
  count = lambda owners: np.bincount(owners, minlength=clients).astype(np.int32)
  by_client = lambda owners: np.argsort(owners, kind='stable')
  images = by_client(owner).astype(np.int32)
  return Shares(images, count(owner), pool[by_client(owner[pool])], count(owner[pool]))
