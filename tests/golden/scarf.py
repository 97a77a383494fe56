"""Bahri et al. (2022), algorithm 1: every row against all corrupted rows; `draws` has these."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 8, 'out': 3}
CASES = {
  'as in the paper': Case(loss=1.58464, settings=SMALL),
  'few columns, temperature 0.2': Case(
    loss=2.20775, settings=SMALL | {'corruption': 0.3, 'temperature': 0.2}
  ),
}
FLOWS = {'loss/contrastive': Flow({'encoder', 'projector'}, {'row'})}
OBSERVED = {'row'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16, 'out': 8}
NUMBERS = {'corruption': 0.2, 'temperature': 0.2}
# In a narrower net a row may have no feature above zero, and a projection of length zero.
CHANGES = {'dataset': 'fake_table', 'net': {'name': 'mlp', 'widths': [16, 32]}}


def objective(
  params, held, stats, memory, views, *, step, steps, draws, hidden, out, corruption=0.6, temperature=1.0
):
  del held, step, steps, hidden, out, corruption
  rows = np.concatenate([views['row']['image'], draws['shown']])
  projections, pull, stats = _layers.project(params, stats, rows)
  z, pull_unit = _layers.unit(projections)
  a, b = np.split(z, 2)
  value, d = _layers.cross_entropy(a @ b.T / temperature, np.arange(len(a)))
  grads = pull(pull_unit(np.concatenate([d @ b, d.T @ a]) / temperature))
  return Golden({'loss/contrastive': value}, {'loss/contrastive': grads}, stats, memory)
