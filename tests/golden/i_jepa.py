"""Assran et al. (2023): smooth L1 between a predictor's tokens of target blocks and a target network's.

A patch is one pixel of the stub.  `draws` says which patches are context and which are targets; a context
that is not seen gives nothing, and only the targets of its own block stand beside it in the predictor.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers, _transformer
from golden.mae import positions

VERSION = 1
SIDE = 2
SMALL = {'dim': 4, 'depth': 1, 'heads': 2, 'blocks': 2}
CASES = {
  'two blocks': Case(loss=1.6347, settings=SMALL, rate=0.1),
  'one block, fast target': Case(loss=1.65398, settings=SMALL | {'blocks': 1, 'ema_decay': 0.5}),
  'late': Case(loss=1.6347, settings=SMALL, step=17, rate=0.1),
}
FLOWS = {'loss/prediction': Flow({'encoder', 'predictor'}, {'image'})}
OBSERVED: set[str] = set()
MEMORY = {'target'}
SETTINGS = {'dim': 8, 'depth': 1, 'heads': 2, 'blocks': 2}
NUMBERS = {'ema_decay': 0.5}
CHANGES = {'net': {'name': 'vit', 'dim': 8, 'depth': 1, 'heads': 2, 'init': 'xavier'}}


def objective(
  params, held, stats, memory, views, *, step, steps, draws, blocks, dim, depth, heads, **settings
):
  del held, step, steps, settings
  images, context, targets = views['image']['image'], draws['context'], draws['targets']
  n, places, p = len(images), SIDE**2, params['predictor']
  pixels = images.reshape(n * places, -1)

  flat, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], pixels)
  weight = _layers.PLACES * context
  embedded = flat.reshape(n, places, -1)
  tokens = embedded + np.einsum('np,npd->nd', weight, embedded)[:, None]

  target, old = memory['target']
  whole, _, after = _layers.embed(target['encoder'], old['encoder'], pixels)
  goal = _layers.mix(whole.reshape(n, places, -1))[0][:, 1:]
  goal = (goal - goal.mean(-1, keepdims=True)) / np.sqrt(goal.var(-1, keepdims=True) + 1e-5)

  inner, into_first = _transformer.dense(tokens, p['Dense_0'])
  here = positions(SIDE, dim)
  total = targets.sum() * goal.shape[-1]
  value, grads, d_inner = 0.0, {}, np.zeros_like(inner)
  for b in range(blocks):
    x = np.concatenate([inner + here, np.tile(p['mask_token'] + here, (n, 1, 1))], 1)
    seen = np.concatenate([context, targets[:, b]], 1) > 0
    pulls = []
    for i in range(depth):
      x, pull = _transformer.block(x, p[f'Block_{i}'], heads, seen)
      pulls.append((f'Block_{i}', pull))
    x, pull = _transformer.layer_norm(x[:, places:], p['LayerNorm_0'])
    y, into_last = _transformer.dense(x, p['Dense_1'])
    wrong = targets[:, b, :, None] * (y - goal)
    value += np.where(abs(wrong) < 1, wrong**2 / 2, abs(wrong) - 0.5).sum() / total
    d, own = into_last(np.clip(wrong, -1, 1) / total)
    own = {'Dense_1': own}
    d, own['LayerNorm_0'] = pull(d)
    d = np.concatenate([np.zeros_like(d), d], 1)
    for name, pull in reversed(pulls):
      d, own[name] = pull(d)
    own['mask_token'] = d[:, places:].sum((0, 1))
    d_inner += d[:, :places]
    grads = _layers.add(grads, own) if grads else own

  d, grads['Dense_0'] = into_first(d_inner)
  d = d + weight[..., None] * d.sum(1, keepdims=True)
  grads = {'encoder': into_encoder(d.reshape(n * places, -1)), 'predictor': grads}
  memory = {'target': (target, {'encoder': after})}
  terms = {'loss/prediction': value}
  return Golden(terms, {'loss/prediction': grads}, {**stats, 'encoder': moments}, memory)


def update(params, stats, memory, *, step, steps, ema_decay=0.996, **settings):
  """After step i of n the decay is m + (1 − m) (i − 1) / n: m at the first, and never above 1."""
  del stats, settings
  target, moments = memory['target']
  decay = ema_decay + (1 - ema_decay) * min(1, (step - 1) / steps)
  own = {'encoder': params['encoder']}
  target = _layers.add(_layers.scale(decay, target), _layers.scale(1 - decay, own))
  return params, {**memory, 'target': (target, moments)}
