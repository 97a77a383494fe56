"""The linear probe: one convex solver for every method's frozen features, its L2 chosen on validation.

Probes trained by SGD need a learning rate per method (published ones differ 200 times), which makes them a
comparison of tuning.  The optimum of a convex problem has no such setting.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from ssl_bench.evaluation.scores import accuracy, nll, softmax
from ssl_bench.settings.signature import BadSetting

Array = NDArray[np.float64]
Labels = NDArray[np.integer]
Held = tuple[NDArray, NDArray]  # features and labels of the validation part

SMALL = 2**24  # feature values up to which one BLAS thread is at least as fast as two that share busy cores
LARGE = 2**20  # feature values from which the grid is walked roughly before the best of it is solved
ROUGH, EXACT = 1e-4, 1e-7  # largest entry of the gradient where a solution ends
CLOSE = 10  # a rough score is taken to be wrong by at most so many times what solving has changed

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

  held = np.asarray(validation_features), np.asarray(validation_labels)
  with _few_threads(features):
    problem = _Problem(features, labels, classes, mean, std)
    walk = _rough_walk if features.size >= LARGE else _walk
    return walk(problem, sorted(grid, reverse=True), held)


def _walk(problem: '_Problem', grid: Sequence[float], held: Held) -> Probe:
  """The best probe of the grid, each of which is solved."""
  best, path = None, []
  for l2, solution in problem.path(grid):
    probe = problem.probe(solution, l2)
    path.append(_try(probe, held))
    tried = [one.validation_nll for one in path]
    if best is None or tried[-1] < min(tried[:-1]):
      best = probe
    if len(tried) > 2 and tried[-3] < tried[-2] < tried[-1]:
      break
  assert best is not None
  return best._replace(path=tuple(path))


def _rough_walk(problem: '_Problem', grid: Sequence[float], held: Held) -> Probe:
  """The same of a large problem, most of whose grid is solved roughly, in float32.

  Those with the best scores are solved, the best first, until the next one is worse by ten times as much as
  solving has changed any score.
  """
  starts, path = {}, []
  for l2, solution in problem.rough().path(grid, ROUGH):
    starts[l2] = solution
    path.append(_try(problem.probe(solution, l2), held))
    tried = [one.validation_nll for one in path]
    if len(tried) > 2 and tried[-3] < tried[-2] < tried[-1]:
      break
  solved: dict[float, tuple[Tried, Probe]] = {}
  error, least = 0.0, np.inf
  for rough in sorted(path, key=lambda one: one.validation_nll):
    if rough.validation_nll - CLOSE * error > least:
      break
    probe = problem.probe(problem.solve(rough.l2, starts[rough.l2]), rough.l2)
    exact = _try(probe, held)
    solved[rough.l2] = exact, probe
    error, least = (
      max(error, abs(exact.validation_nll - rough.validation_nll)),
      min(least, exact.validation_nll),
    )
  _, best = min(solved.values(), key=lambda done: (done[0].validation_nll, -done[0].l2))
  return best._replace(path=tuple(solved[one.l2][0] if one.l2 in solved else one for one in path))


def _try(probe: Probe, held: Held) -> Tried:
  features, labels = held
  logits = probe.logits(features)
  return Tried(probe.l2, nll(logits, labels), accuracy(logits, labels))


def fit_path(
  features: Array, labels: Labels, classes: int, grid: Sequence[float]
) -> Iterator[tuple[float, Array, Array]]:
  """Yields (l2, weights [D, C], bias [C]) along a grid from strong to weak, each solved from the last."""
  problem = _Problem(features, labels, classes)
  for l2, solution in problem.path(grid):
    yield l2, *problem.weights(solution)


class _Problem:
  """Minimizing mean NLL + l2 / 2 ||weights||^2 over features [N, D].

  Two changes of variables leave the optimum where it is and make L-BFGS quick: the penalty does not see a
  rotation, so the variables are those of the principal directions, with N < D only the N that the features
  span; each is scaled by the square root of the Hessian's diagonal at the warm start, which is most of the
  Hessian there.
  """

  def __init__(
    self, features: Array, labels: Labels, classes: int, mean: ArrayLike = 0.0, std: ArrayLike = 1.0
  ) -> None:
    self.classes, self.mean, self.std = classes, np.asarray(mean), np.asarray(std)
    self.present, self.targets = np.unique(labels, return_inverse=True)
    self.axes = _directions(features)
    self.inputs = np.column_stack([features @ self.axes, np.ones(len(features))])
    self.penalized = np.append(np.ones(self.axes.shape[1]), 0)[:, None]

  def rough(self) -> '_Problem':
    """The same problem in float32, of half the size; its solutions are solutions of this one."""
    found = copy(self)
    found.inputs = self.inputs.astype(np.float32)
    return found

  def path(self, grid: Sequence[float], tolerance: float = EXACT) -> Iterator[tuple[float, Array]]:
    """Yields (l2, solution) along a grid from strong to weak, each the next one's warm start."""
    solution = np.zeros((self.inputs.shape[1], len(self.present)))
    for l2 in grid:
      solution = self.solve(l2, solution, tolerance)
      yield l2, solution

  def solve(self, l2: float, start: Array, tolerance: float = EXACT) -> Array:
    """The solution for one penalty: weights of the principal directions and the bias, [1 + directions, C]."""
    penalty = l2 * self.penalized
    scale = _scale(start, self.inputs, penalty)
    found = scipy.optimize.minimize(
      objective,
      (start / scale).ravel(),
      args=(self.inputs, self.targets, penalty, scale),
      jac=True,
      method='L-BFGS-B',
      options={'maxiter': 2000, 'maxfun': 4000, 'maxcor': 20, 'ftol': 0, 'gtol': tolerance},
    )
    return found.x.reshape(start.shape) * scale

  def weights(self, solution: Array) -> tuple[Array, Array]:
    """weights [D, C] and bias [C] of all classes."""
    weights = np.zeros((len(self.axes), self.classes))
    bias = np.full(self.classes, -np.log(len(self.targets) + 1))
    weights[:, self.present] = self.axes @ solution[:-1]
    bias[self.present] = solution[-1] - solution[-1].mean()
    return weights, bias

  def probe(self, solution: Array, l2: float) -> Probe:
    return Probe(*self.weights(solution), self.mean, self.std, l2)


def objective(
  parameters: Array,
  inputs: Array,
  targets: Labels,
  penalty: Array,
  scale: Array | float = 1.0,
) -> tuple[float, Array]:
  """Mean NLL + sum_d penalty_d ||w_d||^2 / 2 with w = scale * parameters [D, C] (raveled), and its gradient.

  inputs [N, D], float64 or float32, targets [N], penalty [D, 1], scale [D, C].
  """
  n = len(targets)
  weights = parameters.reshape(inputs.shape[1], -1) * scale
  logits = inputs @ weights.astype(inputs.dtype, copy=False)
  logits -= logits.max(-1, keepdims=True)
  own = logits[np.arange(n), targets]
  probs = np.exp(logits, out=logits)
  total = probs.sum(-1, keepdims=True)
  shrunk = penalty * weights
  loss = (np.log(total[:, 0]) - own).mean(dtype=np.float64) + (shrunk * weights).sum() / 2
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
  curvature = (inputs**2).T @ (probs * (1 - probs)).astype(inputs.dtype, copy=False) / len(inputs) + penalty
  return 1 / np.sqrt(np.maximum(curvature, 1e-12))


def _directions(features: Array) -> Array:
  """The principal directions of features [N, D], orthonormal columns [D, min(N, D)]."""
  n, width = features.shape
  if n < width:
    return np.linalg.svd(features, full_matrices=False)[2].T
  return np.linalg.eigh(features.T @ features)[1]
