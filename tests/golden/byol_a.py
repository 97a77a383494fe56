"""Niizumi et al. (2021), section III, on top of BYOL's objective; `draws` says what is mixed with what."""

import numpy as np

from golden import Case, Flow, byol

VERSION = 1
SMALL = {'hidden': 8, 'out': 4}
CASES = {
  'as published': Case(loss=2.27167, settings=SMALL),
  'well mixed, decay 0.5': Case(loss=2.28336, settings=SMALL | {'mixing': 0.9, 'ema_decay': 0.5}),
}
FLOWS = {'loss/prediction': Flow({'encoder', 'projector', 'predictor'}, {'a', 'b'})}
OBSERVED = {'a', 'b'}
MEMORY = {'target'}
SETTINGS = {'hidden': 16, 'out': 8}
NUMBERS = {'mixing': 0.2, 'ema_decay': 0.5}
CHANGES = {'dataset': 'fake_audio', 'optimizer__lr': 0.002, 'optimizer__momentum': 0.0}  # else rounding grows


def objective(params, held, stats, memory, views, *, draws, mixing=0.4, **settings):
  del mixing
  mixed = {}
  for name, view in views.items():
    power, share = np.exp(view['image']), np.asarray(draws[name]['share'], float)
    mixed[name] = np.log((1 - share[:, None]) * power + share[:, None] * power[draws[name]['other']])
  every = np.concatenate([mixed['a'], mixed['b']])
  seen = {name: {'image': (x - every.mean()) / every.std(ddof=1)} for name, x in mixed.items()}
  return byol.objective(params, held, stats, memory, seen, **settings)


def update(params, stats, memory, *, mixing=0.4, **settings):
  del mixing
  return byol.update(params, stats, memory, **settings)
