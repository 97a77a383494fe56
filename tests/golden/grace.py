"""Zhu et al. (2020), equations 1 and 2: each node of each view against all others of both views."""

import numpy as np

from golden import Case, Flow, Golden, _layers, _nodes

VERSION = 1
KIND = 'graph'
SMALL = {'hidden': 8, 'out': 3}
CASES = {
  'temperature 0.4': Case(loss=3.77048, settings=SMALL),
  'temperature 0.9': Case(loss=2.86348, settings=SMALL | {'temperature': 0.9}),
}
FLOWS = {'loss/contrastive': Flow({'encoder', 'projector'}, {'a', 'b'})}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16, 'out': 8}
NUMBERS = {'temperature': 0.2}
CHANGES = {'dataset': 'fake_graph', 'net': {'name': 'gcn', 'widths': [16, 8], 'norm': 'batch'}}
CHANGES['batch'] = {'whole': True}


def objective(params, held, stats, memory, views, *, step, steps, hidden, out, temperature=0.4):
  del held, step, steps, hidden, out
  units, pulls = {}, {}
  for name in ('a', 'b'):
    seen = _nodes.see(views[name]['image'])
    x, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], seen)
    z, into_projector, _ = _layers.perceptron(x, params['projector'], {}, _nodes.elu)
    units[name], pull_unit = _layers.unit(z)
    pulls[name] = (into_encoder, into_projector, pull_unit)
    stats = {**stats, 'encoder': moments}

  n = len(units['a'])
  value, d = 0.0, {name: np.zeros_like(u) for name, u in units.items()}
  for one, other in (('a', 'b'), ('b', 'a')):
    for i in range(n):
      u = units[one][i]
      between = np.exp(units[other] @ u / temperature)
      within = np.exp(units[one] @ u / temperature)
      within[i] = 0
      total = between.sum() + within.sum()
      value -= np.log(between[i] / total) / (2 * n)
      for name, weights in ((other, between / total), (one, within / total)):
        weights = weights - (np.arange(n) == i) * (name == other)
        scaled = weights / (2 * n * temperature)
        d[one][i] += scaled @ units[name]
        d[name] += scaled[:, None] * u

  grads = []
  for name, (into_encoder, into_projector, pull_unit) in pulls.items():
    dx, projector = into_projector(pull_unit(d[name]))
    grads.append({'encoder': into_encoder(dx), 'projector': projector})
  return Golden({'loss/contrastive': value}, {'loss/contrastive': _layers.add(*grads)}, stats, memory)
