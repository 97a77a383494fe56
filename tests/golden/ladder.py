"""Rasmus et al. (2015), algorithm 1 and equation 2; gradients go through both paths as in the authors' code.

`draws` are standard normal numbers for every layer of both batches.  A pass gives a pullback that takes the
gradients in its logits, in its values before bias and in its moments, each by layer.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL, MOMENTUM = 1e-10, 0.9
ONE = {'widths': (3,), 'costs': (2.0, 0.7, 0.3)}
CASES = {
  'all layers': Case(loss=87.1022, settings=ONE, rate=0.01),
  'less noise in the layers': Case(loss=89.1258, settings=ONE | {'hidden_noise': 0.2}, rate=0.01),
  'less noise': Case(loss=88.1093, settings=ONE | {'noise': 0.1}, rate=0.01),
  'the top alone': Case(loss=13.2622, settings={'widths': (3,), 'costs': (0.0, 0.0, 0.5)}, rate=0.01),
  'two hidden layers': Case(
    loss=227.017, settings={'widths': (3, 5), 'costs': (0.0, 2.0, 0.1, 0.4)}, rate=0.01
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled', 'unlabeled'}),
  # The noise on the pixels is no unit vector: it has a part of every image of the stub.
  'loss/denoising': Flow(
    {'encoder', 'head', 'decoder_0', 'decoder_1', 'decoder_2'}, {'labeled', 'unlabeled'}
  ),
}
OBSERVED = {'unlabeled'}
MEMORY: set[str] = set()
SETTINGS = {'widths': (16,), 'costs': (1.0, 1.0, 1.0)}
NUMBERS = {'noise': 0.6}


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def standard(x, mean, var):
  """(x − mean) / √(var + 1e-10), and the pullback to x, mean and var."""
  deviation = np.sqrt(var + SMALL)
  y = (x - mean) / deviation
  return y, lambda dy: (dy / deviation, -dy.sum(0) / deviation, -(dy * y).sum(0) / (2 * deviation**2))


def over_batch(x):
  """Normalized by the batch's own moments; the pullback also takes gradients in those."""
  mean, var = x.mean(0), x.var(0)
  y, pull = standard(x, mean, var)

  def pull_all(dy, d_mean=0.0, d_var=0.0):
    dx, mean_too, var_too = pull(dy)
    return dx + (d_mean + mean_too) / len(x) + (d_var + var_too) * 2 * (x - mean) / len(x)

  return y, {'mean': mean, 'var': var}, pull_all


def names_of(params):
  inner = sorted((n for n in params if n.startswith('layer_')), key=lambda n: int(n.removeprefix('layer_')))
  return ['encoder', *inner, 'head']


def encode(params, images, noises):
  """Values of the layers, logits, moments, and the pullback (logits, {layer: values}, {layer: moments})."""
  names, values, moments, steps = names_of(params), [(images + 1) / 2 + noises[0]], {}, []
  h = values[0]
  for layer, name in enumerate(names, 1):
    own = params[name]
    z, moments[name], pull = over_batch(h @ own['kernel'])
    values.append(z + noises[layer])
    steps.append((name, h, pull, values[-1] + own['bias']))
    h = own['scale'] * steps[-1][-1] if name == 'head' else np.maximum(steps[-1][-1], 0)

  def pull_all(d, in_values=None, in_moments=None):
    grads = {}
    for layer in range(len(names), 0, -1):
      name, below, pull, a = steps[layer - 1]
      own = params[name]
      grads[name] = {'scale': (d * a).sum(0)} if name == 'head' else {}
      d = d * own['scale'] if name == 'head' else d * (a > 0)
      grads[name]['bias'] = d.sum(0)
      d = d + (in_values or {}).get(layer, 0.0)
      d = pull(d, *(in_moments or {}).get(layer, (0.0, 0.0)))
      grads[name]['kernel'] = below.T @ d
      d = d @ own['kernel'].T
    return grads

  return values, h, moments, pull_all


def denoise(a, z, u):
  """Equation 2, and the pullback to a, z and u."""
  s, t = sigmoid(a[1] * u + a[2]), sigmoid(a[6] * u + a[7])
  mu, v = a[0] * s + a[3] * u + a[4], a[5] * t + a[8] * u + a[9]

  def pull(d):
    d_mu, d_v = d * (1 - v), d * (z - mu)
    ds, dt = d_mu * a[0] * s * (1 - s), d_v * a[5] * t * (1 - t)
    rows = [d_mu * s, ds * u, ds, d_mu * u, d_mu, d_v * t, dt * u, dt, d_v * u, d_v]
    return np.array([row.sum(0) for row in rows]), d * v, ds * a[1] + d_mu * a[3] + dt * a[6] + d_v * a[8]

  return (z - mu) * v + mu, pull


def denoising(params, u, noises, costs):
  """The cost of all estimates and its gradient."""
  names, grads, total = names_of(params), {}, 0.0
  top = len(names)
  noisy, logits, _, into_noisy = encode(params, u, noises)
  clean, _, moments, into_clean = encode(params, u, [0.0] * (top + 1))
  p = _layers.softmax(logits)
  above, pulls = p, []
  for layer in range(top, -1, -1):
    if not any(costs[: layer + 1]):
      break
    own, below = params[f'decoder_{layer}'], above
    mixed, _, into_mixed = over_batch(below if layer == top else below @ own['kernel'])
    above, into_denoise = denoise(own['denoise'], noisy[layer], mixed)
    if layer:
      estimate, into_estimate = standard(above, **moments[names[layer - 1]])
    else:
      estimate, into_estimate = above, lambda d: (d, 0.0, 0.0)
    gap = estimate - clean[layer]
    total += costs[layer] * (gap**2).mean()
    pulls.append(
      (layer, own, below, into_mixed, into_denoise, into_estimate, 2 * costs[layer] * gap / gap.size)
    )

  d_above, in_noisy, in_clean, in_moments = 0.0, {}, {}, {}
  for layer, own, below, into_mixed, into_denoise, into_estimate, d in reversed(pulls):
    in_clean[layer] = -d
    through, *in_moments[layer] = into_estimate(d)
    d_a, in_noisy[layer], d_mixed = into_denoise(through + d_above)
    d_mixed = into_mixed(d_mixed)
    grads[f'decoder_{layer}'] = {'denoise': d_a}
    if layer < top:
      grads[f'decoder_{layer}']['kernel'] = below.T @ d_mixed
    d_above = d_mixed if layer == top else d_mixed @ own['kernel'].T
  d_logits = p * (d_above - (d_above * p).sum(-1, keepdims=True))
  of_noisy = into_noisy(d_logits, in_noisy)
  of_clean = into_clean(np.zeros_like(p), in_clean, in_moments)
  return total, _layers.add(grads, of_noisy, of_clean), moments


def objective(
  params,
  held,
  stats,
  memory,
  views,
  *,
  step,
  steps,
  draws,
  widths=None,
  costs=(1000, 10, 0.1, 0.1, 0.1, 0.1, 0.1),
  noise=0.3,
  hidden_noise=None,
):
  del held, step, steps, widths
  sizes = [noise] + [noise if hidden_noise is None else hidden_noise] * (len(costs) - 1)
  scaled = {view: [size * own[i] for i, size in enumerate(sizes)] for view, own in draws.items()}
  x, u = views['labeled']['image'], views['unlabeled']['image']
  _, logits, _, pull = encode(params, x, scaled['labeled'])
  supervised, d = _layers.cross_entropy(logits, views['labeled']['label'])
  total, grads, moments = denoising(params, u, scaled['unlabeled'], costs)
  none = [0.0] * len(costs)
  q = _layers.softmax(encode(params, u, none)[1])
  after = {
    name: {k: MOMENTUM * stats[name][k] + (1 - MOMENTUM) * moments[name][k] for k in ('mean', 'var')}
    for name in moments
  }
  return Golden(
    {'loss/supervised': supervised, 'loss/denoising': total},
    {'loss/supervised': pull(d), 'loss/denoising': grads},
    after,
    memory,
    (q.argmax(-1), q.max(-1), np.ones(len(q))),
  )
