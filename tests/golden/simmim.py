"""Xie et al. (2021): mean absolute error of masked pixels, read off the tokens by one linear layer.

A patch is one pixel of the stub, and `draws` says which are masked: there the learned token stands for the
embedding.  Nothing flows from a visible patch's own output.
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SIDE = 2
CASES = {
  'most of an image': Case(loss=0.471441, settings={'block': 1}),
  'little of it': Case(loss=0.665899, settings={'block': 1, 'masking': 0.2}),
}
FLOWS = {'loss/reconstruction': Flow({'encoder', 'head', 'mask_token'}, {'image'})}
OBSERVED: set[str] = set()
MEMORY: set[str] = set()
SETTINGS = {'block': 1}
NUMBERS: dict[str, float] = {}
CHANGES = {'net': {'name': 'vit', 'dim': 8, 'depth': 1, 'heads': 2}}


def objective(params, held, stats, memory, views, *, step, steps, draws, block, masking=0.6):
  del held, step, steps, block
  images = views['image']['image']
  pixels, mask = images.reshape(-1, images.shape[-1]), draws['mask'].reshape(-1)
  assert (draws['mask'].sum(-1) == np.ceil(4 * masking)).all()
  tokens, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], pixels)
  tokens = np.where(mask[:, None], params['mask_token'], tokens)
  tokens, see = _layers.mix(tokens.reshape(len(images), SIDE**2, -1))
  tokens = tokens[:, 1:].reshape(len(pixels), -1)
  drawn, into_head = _layers.dense(tokens, params['head']['Dense_0'])
  wrong = mask[:, None] * (drawn - pixels)
  total = mask.sum() * pixels.shape[-1]
  d, head = into_head(np.sign(wrong) / total)
  d = d.reshape(len(images), SIDE**2, -1)
  d = see(np.concatenate([0 * d[:, :1], d], 1)).reshape(len(pixels), -1)
  grads = {
    'encoder': into_encoder(~mask[:, None] * d),
    'head': {'Dense_0': head},
    'mask_token': (mask[:, None] * d).sum(0),
  }
  value = {'loss/reconstruction': np.abs(wrong).sum() / total}
  return Golden(value, {'loss/reconstruction': grads}, {**stats, 'encoder': moments}, memory)
