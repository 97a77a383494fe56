"""Out-of-fold probabilities: each example's classes, said by probes that were fitted without its fold."""

import warnings

import numpy as np
from threadpoolctl import threadpool_limits

from ssl_bench.data.checking.thumbnails import SIDE, chunks

FOLDS = 5
WAVES = 1000  # random Fourier features
AXES = 50  # principal directions before them
L2 = (1e-2, 1e-3, 1e-4)  # penalties of the mean loss, of which the first fold's mean NLL chooses
ITERATIONS = 60


def out_of_fold(features: np.ndarray, labels: np.ndarray, classes: int, *, waves: bool) -> np.ndarray:
  """Probabilities, float64 [N, classes], of features [N, D] by stratified cross-validation in five folds.

  The probe is multinomial logistic regression on features of one scale; with `waves`, on random Fourier
  features of their principal directions, which stand for a Gaussian kernel (Rahimi and Recht, NIPS 2007) and
  are what pixels need.  A class that is in no other fold gets probability 0.
  """
  rows = _scaled(features)
  rows = _waves(rows) if waves else rows
  fold = folds_of(labels)
  probs = np.zeros((len(labels), classes))
  with threadpool_limits(1, 'blas'):  # several only wait where other processes work
    penalties: tuple[float, ...] = L2
    for number in range(FOLDS):
      train, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
      if not len(train) or not len(held):
        continue
      tried = [_predict(rows[train], labels[train], rows[held], classes, l2) for l2 in penalties]
      worth = [np.log(np.maximum(one[np.arange(len(held)), labels[held]], 1e-9)).mean() for one in tried]
      probs[held] = tried[int(np.argmax(worth))]
      penalties = (penalties[int(np.argmax(worth))],)
  return probs


def folds_of(labels: np.ndarray) -> np.ndarray:
  """The fold of each example, int [N]: a class's examples are dealt out in random order."""
  rng = np.random.Generator(np.random.PCG64(0))
  fold = np.zeros(len(labels), np.int64)
  for label in np.unique(labels):
    places = rng.permutation(np.flatnonzero(labels == label))
    fold[places] = (np.arange(len(places)) + rng.integers(FOLDS)) % FOLDS
  return fold


def pixels(images: np.ndarray) -> np.ndarray:
  """float32 [N, D] of uint8 images [N, H, W, C]: their values, in color, on at most 32×32 pixels."""
  step = -(-max(images.shape[1:3]) // SIDE)
  small = [images[part, ::step, ::step].reshape(len(images[part]), -1) for part in chunks(len(images))]
  return np.concatenate(small).astype(np.float32)


def _predict(train: np.ndarray, labels: np.ndarray, held: np.ndarray, classes: int, l2: float) -> np.ndarray:
  """Probabilities [N, classes] of the held-out rows."""
  from sklearn.exceptions import ConvergenceWarning
  from sklearn.linear_model import LogisticRegression

  present, found = np.unique(labels), np.zeros((len(held), classes))
  if len(present) == 1:
    found[:, present] = 1
    return found
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', ConvergenceWarning)  # to stop early is enough here
    probe = LogisticRegression(C=1 / (l2 * len(train)), max_iter=ITERATIONS, tol=1e-3).fit(train, labels)
  found[:, present] = probe.predict_proba(held)
  return found


def _scaled(features: np.ndarray) -> np.ndarray:
  """Features as float32 [N, D] of mean 0 and, all together, deviation 1."""
  features = features.reshape(len(features), -1).astype(np.float32)
  features = features - features.mean(0)
  return features / (features.std() or 1)


def _waves(rows: np.ndarray) -> np.ndarray:
  """sqrt(2 / WAVES) cos(rows w + b), float32 [N, WAVES], of the first principal directions of rows [N, D].

  The kernel's width is the median distance of pairs of rows.
  """
  rng = np.random.Generator(np.random.PCG64(0))
  axes = np.linalg.eigh((rows.T @ rows).astype(np.float64))[1]
  projected = rows @ axes[:, ::-1][:, :AXES].astype(np.float32)
  i, j = rng.integers(len(rows), size=(2, 2000))
  width = np.median(np.linalg.norm(projected[i] - projected[j], axis=1)) or 1.0
  directions = rng.standard_normal((projected.shape[1], WAVES)).astype(np.float32) * np.float32(1.5 / width)
  phases = rng.uniform(0, 2 * np.pi, WAVES).astype(np.float32)
  return np.cos(projected @ directions + phases)
