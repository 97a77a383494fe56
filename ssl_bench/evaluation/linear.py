"""The linear probe: one convex solver for every method's frozen features, its L2 chosen on validation.

Probes trained by SGD need a learning rate per method (published ones differ 200 times), which makes them a
comparison of tuning.  The optimum of a convex problem has no such setting.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from ssl_bench.evaluation.scores import accuracy, nll, softmax
from ssl_bench.settings.signature import BadSetting

Array = NDArray[np.float64]
Labels = NDArray[np.integer]

SMALL = 2**24  # feature values up to which one BLAS thread is at least as fast as two that share busy cores

L2_GRID = tuple(float(f'{10.0**e:.2g}') for e in np.arange(1, -5.5, -0.5))  # 10, 3.2, 1, … 1e-5


class Tried(NamedTuple):
  """One point of the grid and what it gives on the validation part."""

  l2: float
  validation_nll: float
  validation_accuracy: float


class Moments(NamedTuple):
  """Mean [D] and standard deviation [D] of features; 1 for one that varies by no more than rounding."""

  mean: Array
  std: Array


class Probe(NamedTuple):
  """Multinomial logistic regression on (features - mean) / std.

  weights [D, C], bias [C], mean [D], std [D]; l2 is the chosen penalty, path what each penalty gave.
  """

  weights: Array
  bias: Array
  mean: Array
  std: Array
  l2: float
  path: tuple[Tried, ...] = ()

  def logits(self, features: ArrayLike) -> Array:
    """Logits [N, C] of features [N, D]."""
    weights = self.weights / self.std[:, None]
    return np.asarray(features, np.float64) @ weights + (self.bias - self.mean @ weights)


def linear_probe(
  train_features: ArrayLike,
  train_labels: ArrayLike,
  validation_features: ArrayLike,
  validation_labels: ArrayLike,
  classes: int,
  *,
  grid: Sequence[float] = L2_GRID,
  standardize_on: ArrayLike | Moments | None = None,
) -> Probe:
  """The probe of least validation NLL among those with l2 in `grid`; of equal ones the strongest l2.

  Minimizes mean NLL + l2 / 2 ||weights||^2 (bias not penalized) over train_features [N, D], which is
  scikit-learn's LogisticRegression(C=1 / (N l2)).  NLL chooses because it is a proper score without ties; the
  accuracy of a small validation part is a step function that leaves half of the grid tied.  The grid is
  walked from strong to weak and left where validation NLL has risen twice in a row.

  Features are standardized on `standardize_on` [M, D], e.g. the whole training part where only a few of its
  images are labeled, or by its `moments`; on train_features if it is None.  A feature that does not vary
  there is only centered.

  A class without a training image gets zero weights and bias -log(N + 1).  The other logits have mean zero,
  so such a class is never predicted and yet its NLL is finite.

  Raises BadSetting if the training or validation part is empty, ValueError if a feature is not finite.
  """
  features, labels = np.asarray(train_features, np.float64), np.asarray(train_labels)
  if not len(labels) or not len(np.asarray(validation_labels)):
    raise BadSetting('The linear probe needs labeled training and validation images; give both parts some.')
  on = features if standardize_on is None else standardize_on
  mean, std = on if isinstance(on, Moments) else moments(on)
  features = (features - mean) / std
  if not np.isfinite(features).all():
    raise ValueError('the linear probe needs finite features.')

  best, path = None, []
  with _few_threads(features):
    for l2, weights, bias in fit_path(features, labels, classes, sorted(grid, reverse=True)):
      probe = Probe(weights, bias, mean, std, l2)
      logits = probe.logits(validation_features)
      path.append(Tried(l2, nll(logits, validation_labels), accuracy(logits, validation_labels)))
      tried = [one.validation_nll for one in path]
      if best is None or tried[-1] < min(tried[:-1]):
        best = probe
      if len(tried) > 2 and tried[-3] < tried[-2] < tried[-1]:
        break
  assert best is not None
  return best._replace(path=tuple(path))


def fit_path(
  features: Array, labels: Labels, classes: int, grid: Sequence[float]
) -> Iterator[tuple[float, Array, Array]]:
  """Yields (l2, weights [D, C], bias [C]) along a grid from strong to weak, each the next one's warm start.

  Two changes of variables leave the optimum where it is and make L-BFGS quick: the penalty does not see a
  rotation, so the variables are those of the principal directions, with N < D only the N that features [N, D]
  span; each is scaled by the square root of the Hessian's diagonal at the warm start, which is most of the
  Hessian there.
  """
  present, targets = np.unique(labels, return_inverse=True)
  axes = _directions(features)
  inputs = np.column_stack([features @ axes, np.ones(len(features))])
  penalized = np.append(np.ones(axes.shape[1]), 0)[:, None]

  solution = np.zeros((inputs.shape[1], len(present)))
  for l2 in grid:
    penalty = l2 * penalized
    scale = _scale(solution, inputs, penalty)
    found = optimize.minimize(
      objective,
      (solution / scale).ravel(),
      args=(inputs, targets, penalty, scale),
      jac=True,
      method='L-BFGS-B',
      options={'maxiter': 2000, 'maxfun': 4000, 'maxcor': 20, 'ftol': 0, 'gtol': 1e-7},
    )
    solution = found.x.reshape(solution.shape) * scale
    weights, bias = np.zeros((features.shape[1], classes)), np.full(classes, -np.log(len(labels) + 1))
    weights[:, present] = axes @ solution[:-1]
    bias[present] = solution[-1] - solution[-1].mean()
    yield l2, weights, bias


def objective(
  parameters: Array,
  inputs: Array,
  targets: Labels,
  penalty: Array,
  scale: Array | float = 1.0,
) -> tuple[float, Array]:
  """Mean NLL + sum_d penalty_d ||w_d||^2 / 2 with w = scale * parameters [D, C] (raveled), and its gradient.

  inputs [N, D], targets [N], penalty [D, 1], scale [D, C].
  """
  n = len(targets)
  weights = parameters.reshape(inputs.shape[1], -1) * scale
  logits = inputs @ weights
  logits -= logits.max(-1, keepdims=True)
  own = logits[np.arange(n), targets]
  probs = np.exp(logits, out=logits)
  total = probs.sum(-1, keepdims=True)
  shrunk = penalty * weights
  loss = (np.log(total[:, 0]) - own).mean() + (shrunk * weights).sum() / 2
  probs /= total
  probs[np.arange(n), targets] -= 1
  gradient = (inputs.T @ probs / n + shrunk) * scale
  return float(loss), gradient.ravel()


def _few_threads(features: Array) -> AbstractContextManager:
  """One BLAS thread for a small problem, whose thousands of tiny products would only wait for busy cores."""
  from threadpoolctl import threadpool_limits

  return threadpool_limits(1 if features.size < SMALL else None, 'blas')


def moments(features: ArrayLike) -> Moments:
  """The moments of features [N, D], by which a probe standardizes; rounding is float32's."""
  features = np.asarray(features, np.float64)
  mean, std = features.mean(0), features.std(0)
  return Moments(mean, np.where(std > 1e-6 * np.abs(mean), std, 1.0))


def _scale(weights: Array, inputs: Array, penalty: Array) -> Array:
  """[D, C]: one over the square root of the Hessian's diagonal at `weights`."""
  probs = softmax(inputs @ weights)
  curvature = (inputs**2).T @ (probs * (1 - probs)) / len(inputs) + penalty
  return 1 / np.sqrt(np.maximum(curvature, 1e-12))


def _directions(features: Array) -> Array:
  """The principal directions of features [N, D], orthonormal columns [D, min(N, D)]."""
  n, width = features.shape
  if n < width:
    return np.linalg.svd(features, full_matrices=False)[2].T
  return np.linalg.eigh(features.T @ features)[1]
