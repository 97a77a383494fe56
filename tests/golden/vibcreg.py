"""Lee and Aune (2021): whitening by Newton's iterations, group by group, then three terms, by dimension.

With Y = P³ S the pullback of an iteration is that of a product of four matrices.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 4, 'groups': 2, 'layers': 2}
CASES = {
  'two groups of two': Case(loss=162.787, settings=SMALL, rate=0.02),
  'one group, three layers': Case(
    loss=154.821,
    settings=SMALL
    | {'out': 3, 'groups': 1, 'layers': 3, 'hidden': 12, 'iterations': 3, 'invariance': 3.0, 'variance': 2.0},
    rate=0.02,
  ),
  'groups of one': Case(loss=35.4479, settings=SMALL | {'groups': 4, 'covariance': 1.0}, rate=0.02),
}
PARTS = {'encoder', 'projector', 'whitening'}
FLOWS = {
  'loss/invariance': Flow(PARTS, {'a', 'b'}),
  'loss/variance': Flow(PARTS, {'a', 'b'}),
  'loss/covariance': Flow({'encoder', 'projector'}, {'a', 'b'}),
}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
GENTLE = {'invariance': 1.0, 'variance': 1.0, 'covariance': 8.0}
SETTINGS = GENTLE | {'hidden': 64, 'out': 8, 'groups': 2, 'layers': 2}
NUMBERS = {'invariance': 5.0, 'variance': 5.0, 'covariance': 20.0}
CHANGES = {'augment__strong': 'crop(1)'}  # equal views would leave nothing to the invariance


def objective(
  params, held, stats, memory, views, *, step, steps,
  out, groups=64, iterations=5, invariance=25.0, variance=25.0, covariance=200.0, **settings,
):  # fmt: skip
  del held, step, steps, settings
  scale, z, pulls = params['whitening']['scale'], {}, {}
  for name in 'ab':
    projection, into_network, stats = _layers.project(params, stats, views[name]['image'])
    white, pull_white = whiten(projection, groups, iterations)
    z[name] = scale * white

    def pull(d, into_network=into_network, pull_white=pull_white, white=white):
      return {**into_network(pull_white(d * scale)), 'whitening': {'scale': (d * white).sum(0)}}

    pulls[name] = pull

  difference = z['a'] - z['b']
  terms = {'loss/invariance': invariance * (difference**2).mean()}
  terms |= {'loss/variance': 0.0, 'loss/covariance': 0.0}
  slope = 2 * invariance * difference / difference.size
  grads = {
    'loss/invariance': [pulls['a'](slope), pulls['b'](-slope)],
    'loss/variance': [],
    'loss/covariance': [],
  }
  for name, x in z.items():
    n = len(x)
    centered = x - x.mean(0)
    d_variance, d_covariance = np.zeros_like(x), np.zeros_like(x)
    units, pull_units = _layers.unit(centered.T)
    d_units = np.zeros_like(units)
    for i in range(out):
      deviation = np.sqrt(x[:, i].var(ddof=1) + 1e-4)
      if deviation < 1:
        terms['loss/variance'] += variance * (1 - deviation) / out
        d_variance[:, i] = -variance * centered[:, i] / (n - 1) / deviation / out
      for j in range(out):
        if i != j:
          terms['loss/covariance'] += covariance * (units[i] @ units[j]) ** 2 / out**2
          d_units[i] += 4 * covariance * (units[i] @ units[j]) * units[j] / out**2
    d_covariance = pull_units(d_units).T
    grads['loss/variance'].append(pulls[name](d_variance))
    grads['loss/covariance'].append(pulls[name](d_covariance - d_covariance.mean(0)))
  return Golden(terms, {term: _layers.add(*each) for term, each in grads.items()}, stats, memory)


def whiten(z, groups, iterations):
  """z P / √(tr Σ) in each group of neighboring columns, and the pullback to z."""
  size = z.shape[1] // groups
  whitened, pulls = zip(*(whiten_group(z[:, i : i + size], iterations) for i in range(0, z.shape[1], size)))

  def pull(d):
    parts = np.split(d, groups, axis=1)
    return np.concatenate([pull(part) for pull, part in zip(pulls, parts)], 1)

  return np.concatenate(whitened, 1), pull


def whiten_group(z, iterations):
  n, size = z.shape
  x = z - z.mean(0)
  sigma = 1e-5 * np.eye(size) + x.T @ x / n
  trace = np.trace(sigma)
  s, roots = sigma / trace, [np.eye(size)]
  for _ in range(iterations):
    p = roots[-1]
    roots.append(1.5 * p - 0.5 * p @ p @ p @ s)
  whitened = x @ roots[-1] / np.sqrt(trace)

  def pull(d):
    d_x = d @ roots[-1].T / np.sqrt(trace)
    d_trace = -(d * whitened).sum() / 2 / trace
    d_p, d_s = x.T @ d / np.sqrt(trace), np.zeros_like(s)
    for p in reversed(roots[:-1]):
      d_y = -0.5 * d_p
      d_s += (p @ p @ p).T @ d_y
      d_p = 1.5 * d_p + d_y @ (p @ p @ s).T + p.T @ d_y @ (p @ s).T + (p @ p).T @ d_y @ s.T
    d_trace -= (d_s * s).sum() / trace
    d_sigma = d_s / trace + d_trace * np.eye(size)
    d_x = d_x + x @ (d_sigma + d_sigma.T) / n
    return d_x - d_x.mean(0)

  return whitened, pull
