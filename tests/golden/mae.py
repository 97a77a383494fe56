"""He et al. (2021): mean squared error of masked patches, drawn by a transformer that is written out here.

A patch is one pixel of the stub.  `draws` is an order of the patches, of which the first are visible; the
decoder is given all of them back in their places, and only then are the masked ones looked at.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers, _transformer

VERSION = 1
SIDE = 2
SMALL = {'dim': 4, 'depth': 1, 'heads': 2}
CASES = {
  'normalized': Case(loss=2.68921, settings=SMALL),
  'plain, half masked': Case(loss=2.51284, settings=SMALL | {'normalized': False, 'masking': 0.5}),
}
FLOWS = {'loss/reconstruction': Flow({'encoder', 'decoder'}, {'image'})}
OBSERVED: set[str] = set()
MEMORY: set[str] = set()
SETTINGS = {'dim': 8, 'depth': 1, 'heads': 2}
NUMBERS: dict[str, float] = {}
CHANGES = {'net': {'name': 'vit', 'dim': 8, 'depth': 1, 'heads': 2}}


def positions(side, dim):
  """Sines and cosines of the column, then of the row, for each place row by row."""
  rates = 10000.0 ** (-np.arange(dim // 4) / (dim // 4))
  rows = []
  for place in range(side**2):
    row, column = divmod(place, side)
    rows.append(np.concatenate([f(x * rates) for x in (column, row) for f in (np.sin, np.cos)]))
  return np.array(rows)


def objective(
  params, held, stats, memory, views, *, step, steps, draws, dim, depth, heads, normalized=True, masking=0.75
):
  del held, step, steps
  images, order, p = views['image']['image'], draws['order'], params['decoder']
  patches = images.reshape(len(images), SIDE**2, -1)
  visible = round(SIDE**2 * (1 - masking))
  every = np.arange(len(images))[:, None]

  pixels = patches[every, order[:, :visible]]
  flat, into_encoder, moments = _layers.embed(
    params['encoder'], stats['encoder'], pixels.reshape(-1, pixels.shape[-1])
  )
  seen = flat.reshape(len(images), visible, -1)
  tokens, see = _layers.mix(seen, order[:, :visible])

  inner, into_first = _transformer.dense(tokens, p['Dense_0'])
  x = np.tile(p['mask_token'], (len(images), 1 + SIDE**2, 1))
  x[:, 0] = inner[:, 0]
  x[every, 1 + order[:, :visible]] = inner[:, 1:]
  x[:, 1:] += positions(SIDE, dim)
  pulls = []
  for i in range(depth):
    x, pull = _transformer.block(x, p[f'Block_{i}'], heads)
    pulls.append((f'Block_{i}', pull))
  x, pull = _transformer.layer_norm(x, p['LayerNorm_0'])
  pulls.append(('LayerNorm_0', pull))
  x, pull = _transformer.dense(x, p['Dense_1'])
  pulls.append(('Dense_1', pull))

  goal = patches
  if normalized:
    goal = goal - goal.mean(-1, keepdims=True)
    goal = goal / np.sqrt(patches.var(-1, ddof=1, keepdims=True) + 1e-6)
  masked = np.ones((len(images), SIDE**2, 1))
  masked[every, order[:, :visible]] = 0
  wrong, total = masked * (x[:, 1:] - goal), masked.sum() * goal.shape[-1]

  d, grads = np.zeros_like(x), {}
  d[:, 1:] = 2 * wrong / total
  for name, pull in reversed(pulls):
    d, grads[name] = pull(d)
  grads['mask_token'] = (masked * d[:, 1:]).sum((0, 1))
  d = np.concatenate([d[:, :1], d[every, 1 + order[:, :visible]]], 1)
  d, grads['Dense_0'] = into_first(d)
  d = see(d)
  encoder = into_encoder(d.reshape(-1, d.shape[-1]))
  value = {'loss/reconstruction': (wrong**2).sum() / total}
  grads = {'encoder': encoder, 'decoder': grads}
  return Golden(value, {'loss/reconstruction': grads}, {**stats, 'encoder': moments}, memory)
