"""Oquab et al. (2023): a teacher's scores of images and of masked patches, each made even by itself.

A patch is one pixel of the stub, and `draws` says which are masked in the student's global views.  Evenness
is made of exponentials themselves, over all masked patches and no others.  Images are pushed from the
nearest other image in the same view, and so is that image from them.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers, _scores
from golden._scores import CHANGES as CHANGES
from golden._scores import SIDE as SIDE
from golden.msn import even

VERSION = 1
SMALL = {'hidden': 8, 'bottleneck': 3, 'out': 5, 'crops': 2, 'masking': (0.3, 0.8), 'block': 1, 'warmup': 0.0}
SOFT = SMALL | {'temperature': 0.5, 'teacher_temperature': 0.4}
RISING = {'first_temperature': 0.2, 'teacher_temperature': 0.5, 'warmup': 0.5}
CASES = {
  'two local crops': Case(loss=4.04223, settings=SOFT, rate=0.1),
  'sharp, all views masked': Case(loss=18.9111, settings=SMALL | {'masked': 1.0}, rate=0.02),
  'weights, a fast teacher, one iteration': Case(
    loss=7.4339, settings=SOFT | {'weight': 3.0, 'koleo': 0.5, 'ema_decay': 0.5, 'iterations': 1}, rate=0.05
  ),
  'before the warm-up': Case(loss=4.04473, settings=SOFT | RISING, step=0, rate=0.1),
  'into its end, global views only': Case(
    loss=4.04212, settings=SOFT | RISING | {'crops': 0}, step=8, rate=0.1
  ),
}
FLOWS = {
  'loss/distillation': Flow({'encoder', 'projector', 'last', 'mask_token'}, {'a', 'b', 'local'}),
  'loss/patches': Flow({'encoder', 'patch_projector', 'patch_last', 'mask_token'}, {'a', 'b'}),
  'loss/koleo': Flow({'encoder', 'mask_token'}, {'a', 'b'}),
}
OBSERVED: set[str] = set()
MEMORY = {'teacher'}
SETTINGS = SMALL | {
  'hidden': 16,
  'bottleneck': 8,
  'out': 12,
  'temperature': 0.5,
  'first_temperature': 0.4,
  'teacher_temperature': 0.5,
  'warmup': 0.3,
  'koleo': 0.01,
}
NUMBERS = {
  'temperature': 0.2,
  'teacher_temperature': 0.1,
  'first_temperature': 0.1,
  'warmup': 0.9,
  'ema_decay': 0.5,
  'weight': 2.0,
  'koleo': 1.0,
}


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
  temperature=0.1,
  teacher_temperature=0.07,
  first_temperature=0.04,
  warmup=0.3,
  iterations=3,
  weight=1.0,
  koleo=0.1,
  masked=0.5,
  **settings,
):
  del held, settings
  n, batches, mask = len(views['a']['image']), _layers.by_size(views), draws['mask'] > 0
  assert mask.any(1).sum() <= int(2 * n * masked)
  scores, patches, features, pull, stats = _scores.see(params, stats, batches, mask)
  teacher, moments = memory['teacher']
  taught, patches_taught, _, _, _ = _scores.see(teacher, moments, batches[:1], train=False)

  sharp = _scores.risen(step, steps, first_temperature, teacher_temperature, warmup)
  targets = even(np.exp(taught / sharp), iterations)
  wanted = np.zeros_like(patches)
  wanted[mask] = even(np.exp(patches_taught[mask] / sharp), iterations)

  seen, d_scores = _scores.across(
    [scores[i : i + n] for i in range(0, len(scores), n)], [targets[:n], targets[n:]], temperature
  )
  hidden, d_patches = _scores.within(patches, wanted, mask, temperature)
  spread, d_features = 0.0, np.zeros_like(features)
  for i in (0, n):
    value, d_features[i : i + n] = crowding(features[i : i + n])
    spread += value
  terms = {'loss/distillation': seen, 'loss/patches': weight * hidden, 'loss/koleo': koleo * spread}
  grads = {
    'loss/distillation': pull(d_scores, 0 * patches, 0 * features),
    'loss/patches': pull(0 * scores, weight * d_patches, 0 * features),
    'loss/koleo': pull(0 * scores, 0 * patches, koleo * d_features),
  }
  return Golden(terms, grads, stats, {'teacher': (teacher, moments)})


def crowding(features):
  """−log of the distance to the nearest other row, of unit lengths, and its gradient in both."""
  units, into_units = _layers.unit(features)
  n, value, d = len(units), 0.0, np.zeros_like(units)
  for i in range(n):
    others = [j for j in range(n) if j != i]
    j = min(others, key=lambda j: ((units[i] - units[j]) ** 2).sum())
    apart = units[i] - units[j]
    distance = np.sqrt((apart**2).sum())
    value -= np.log(distance) / n
    d[i] -= apart / distance**2 / n
    d[j] += apart / distance**2 / n
  return value, into_units(d)


def update(params, stats, memory, *, step, steps, ema_decay=0.992, **settings):
  return _scores.update(params, stats, memory, step=step, steps=steps, ema_decay=ema_decay)
