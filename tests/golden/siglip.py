"""Zhai et al. (2023), algorithm 1, pair by pair; the text encoder is a matrix."""

import numpy as np

from golden import Case, Flow, Golden
from golden.clip import CHANGES as CHANGES
from golden.clip import side

VERSION = 1
CASES = {
  'about one': Case(loss=3.26516, settings={'out': 3}),
  'another space, negatives far': Case(loss=37.3475, settings={'out': 5}, bias=-20.0),
}
PARTS = {'encoder', 'projector', 'text_encoder', 'text_projector', 'scale'}
FLOWS = {'loss/pairs': Flow(PARTS, {'pair'})}
OBSERVED = {'pair'}
MEMORY: set[str] = set()
SETTINGS = {'out': 8}
NUMBERS = {'temperature': 0.3, 'bias': -2.0}


def objective(params, held, stats, memory, views, *, step, steps, **settings):
  del held, step, steps, settings
  images, into_images, moments = side(params, stats, '', views['pair']['image'])
  texts, into_texts, text_moments = side(params, stats, 'text_', views['pair']['caption'])
  factor, bias = np.exp(params['scale']['log']), params['scale']['bias']
  n, value, d = len(images), 0.0, np.zeros((len(images), len(texts)))
  for i in range(n):
    for j in range(n):
      sign = 1 if i == j else -1
      score = sign * (factor * (images[i] * texts[j]).sum() + bias)
      value += np.log1p(np.exp(-score)) / n
      d[i, j] = -sign / (1 + np.exp(score)) / n
  grads = {
    **into_images(factor * d @ texts),
    **into_texts(factor * d.T @ images),
    'scale': {'log': factor * (d * (images @ texts.T)).sum(), 'bias': d.sum()},
  }
  new = {**stats, **moments, **text_moments}
  return Golden({'loss/pairs': value}, {'loss/pairs': grads}, new, memory)
