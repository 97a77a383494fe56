"""Zhou et al. (2022): DINO's loss pair by pair, and a teacher's scores of patches that the student misses.

A patch is one pixel of the stub, and `draws` says which are masked in the student's global views.  Both
centers are means over the batch, that of patches over all patches, masked or not, and move after the loss.
"""

from golden import Case, Flow, Golden, _layers, _scores
from golden._scores import CHANGES as CHANGES
from golden._scores import SIDE as SIDE

VERSION = 1
SMALL = {'hidden': 8, 'bottleneck': 3, 'out': 5, 'crops': 2, 'masking': (0.3, 0.8), 'warmup': 0.0}
SOFT = SMALL | {'temperature': 0.5, 'teacher_temperature': 0.4, 'patch_temperature': 0.3}
RISING = {'first_temperature': 0.1, 'teacher_temperature': 0.3, 'patch_temperature': 0.5, 'warmup': 0.5}
CASES = {
  'one head, soft targets': Case(loss=1.96719, settings=SOFT),
  'sharp targets, few views masked': Case(loss=2.84798, settings=SMALL | {'masked': 0.3}, rate=0.02),
  'fast teacher and centers, patches count more': Case(
    loss=5.33711,
    settings=SOFT | {'ema_decay': 0.5, 'center_decay': 0.1, 'weight': 3.0, 'masked': 1.0},
    rate=0.1,
  ),
  'before the warm-up': Case(loss=1.58982, settings=SOFT | RISING, step=0),
  'into its end': Case(loss=1.86211, settings=SOFT | RISING, step=8),
  'a last layer of their own, global views only': Case(
    loss=2.81977, settings=SOFT | {'shared': False, 'crops': 0}
  ),
}
FLOWS = {
  'loss/distillation': Flow({'encoder', 'projector', 'last', 'mask_token'}, {'a', 'b', 'local'}),
  'loss/patches': Flow({'encoder', 'projector', 'last', 'mask_token'}, {'a', 'b'}),
}
OBSERVED: set[str] = set()
MEMORY = {'teacher', 'center', 'patch_center'}
SETTINGS = {'hidden': 16, 'bottleneck': 8, 'out': 12, 'crops': 2, 'warmup': 0.3}
NUMBERS = {
  'temperature': 0.2,
  'teacher_temperature': 0.1,
  'patch_temperature': 0.1,
  'first_temperature': 0.05,
  'warmup': 0.5,
  'ema_decay': 0.5,
  'center_decay': 0.5,
  'weight': 2.0,
  'masked': 1.0,
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
  patch_temperature=0.07,
  first_temperature=0.04,
  warmup=0.0375,
  center_decay=0.9,
  weight=1.0,
  **settings,
):
  del held, settings
  n, batches, mask = len(views['a']['image']), _layers.by_size(views), draws['mask']
  scores, patches, features, pull, stats = _scores.see(params, stats, batches, mask)
  teacher, moments = memory['teacher']
  taught, patches_taught, _, _, _ = _scores.see(teacher, moments, batches[:1], train=False)

  sharp = _scores.risen(step, steps, first_temperature, teacher_temperature, warmup)
  targets = _layers.softmax((taught - memory['center']) / sharp)
  sharp = _scores.risen(step, steps, first_temperature, patch_temperature, warmup)
  wanted = _layers.softmax((patches_taught - memory['patch_center']) / sharp)

  seen, d_scores = _scores.across(
    [scores[i : i + n] for i in range(0, len(scores), n)], [targets[:n], targets[n:]], temperature
  )
  hidden, d_patches = _scores.within(patches, wanted, mask, temperature)
  terms = {'loss/distillation': seen, 'loss/patches': weight * hidden}
  grads = {
    'loss/distillation': pull(d_scores, 0 * patches, 0 * features),
    'loss/patches': pull(0 * scores, weight * d_patches, 0 * features),
  }
  move = lambda old, new: center_decay * old + (1 - center_decay) * new
  memory = {
    'teacher': (teacher, moments),
    'center': move(memory['center'], taught.mean(0)),
    'patch_center': move(memory['patch_center'], patches_taught.mean((0, 1))),
  }
  return Golden(terms, grads, stats, memory)


def update(params, stats, memory, *, step, steps, ema_decay=0.996, **settings):
  return _scores.update(params, stats, memory, step=step, steps=steps, ema_decay=ema_decay)
