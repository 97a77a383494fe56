"""Zerveas et al. (2021), section 3.2: the squared error of hidden values; `draws` says which they are."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
KIND = 'series'
CASES = {
  'as in the paper': Case(loss=0.625162, settings={}),
  'half hidden, one by one': Case(loss=0.536471, settings={'masking': 0.5, 'span': 1.0}),
}
FLOWS = {'loss/reconstruction': Flow({'encoder', 'head'}, {'series'})}
OBSERVED = {'series'}
MEMORY: set[str] = set()
SETTINGS: dict[str, float] = {}
NUMBERS = {'masking': 0.5, 'span': 1.5}
CHANGES = {'dataset': 'fake_series', 'net': {'name': 'resnet1d', 'width': 4}}


def objective(params, held, stats, memory, views, *, step, steps, draws, **settings):
  del held, step, steps, settings
  series, hidden = views['series']['image'], draws['hidden'].astype(bool)
  n, length, channels = series.shape
  shown = np.where(hidden, 0, series)
  flat, into_encoder, moments = _layers.embed(
    params['encoder'], stats['encoder'], shown.reshape(-1, channels)
  )
  points, see = _layers.mix(flat.reshape(n, length, -1))
  drawn, into_head = _layers.dense(points[:, 1:].reshape(n * length, -1), params['head']['Dense_0'])
  wrong = hidden * (drawn.reshape(series.shape) - series)
  d, head = into_head(2 * wrong.reshape(n * length, -1) / hidden.sum())
  d = see(np.concatenate([np.zeros((n, 1, d.shape[-1])), d.reshape(n, length, -1)], 1))
  grads = {'encoder': into_encoder(d.reshape(n * length, -1)), 'head': {'Dense_0': head}}
  value = {'loss/reconstruction': (wrong**2).sum() / hidden.sum()}
  return Golden(value, {'loss/reconstruction': grads}, {**stats, 'encoder': moments}, memory)
