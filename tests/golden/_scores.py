"""Scores of images and of their patches in float64, for methods that distill both: values, pullbacks."""

import numpy as np

from golden import _layers

SIDE = 2
PATCHES = SIDE**2
CHANGES = {
  'augment__local': 'none',
  'net': {'name': 'vit', 'dim': 8, 'depth': 1, 'heads': 2, 'init': 'xavier'},
}


def see(params, stats, batches, mask=None, train=True):
  """Scores of images [views · batch, out], of global patches [2 · batch, patches, out], features; pullback.

  The pullback takes the gradients in these three to those in the parameters.
  """
  features, patches, pulls, moments = [], None, [], stats['encoder']
  for i, images in enumerate(batches):
    pixels = images.reshape(-1, images.shape[-1])
    if train:
      x, into_encoder, moments = _layers.embed(params['encoder'], moments, pixels)
    else:
      x, into_encoder = as_evaluated(params['encoder'], moments, pixels), None
    hidden = np.zeros((len(x), 1), bool)
    if mask is not None and i == 0:
      hidden = mask.reshape(-1, 1) > 0
      x = np.where(hidden, params['mask_token'], x)
    tokens, into_tokens = _layers.mix(x.reshape(len(images), PATCHES, -1))
    features.append(tokens[:, 0])
    patches = tokens[:, 1:] if i == 0 else patches
    pulls.append((into_tokens, into_encoder, hidden))
  features = np.concatenate(features)
  scores, into_features = cosines(params, features, '')
  flat, into_patches = cosines(params, patches.reshape(-1, patches.shape[-1]), 'patch_')

  def pull(d_scores, d_patches, d_features):
    d, grads = into_features(d_scores)
    d = d + d_features
    into, more = into_patches(d_patches.reshape(flat.shape))
    grads = _layers.add(grads, more)
    token, encoder, at = 0.0, [], 0
    for i, (into_tokens, into_encoder, hidden) in enumerate(pulls):
      n = len(hidden) // PATCHES
      d_tokens = np.zeros((n, 1 + PATCHES, d.shape[-1]))
      d_tokens[:, 0] = d[at : at + n]
      at += n
      if i == 0:
        d_tokens[:, 1:] = into.reshape(n, PATCHES, -1)
      d_x = into_tokens(d_tokens).reshape(len(hidden), -1)
      token = token + (hidden * d_x).sum(0)
      encoder.append(into_encoder(~hidden * d_x))
    return {**grads, 'encoder': _layers.add(*encoder), 'mask_token': token}

  return scores, flat.reshape(*patches.shape[:2], -1), features, pull, {**stats, 'encoder': moments}


def cosines(params, x, prefix):
  """Of projections to the rows of a last layer; what the patches' head has by itself begins with `patch_`."""
  projector, last = (prefix + part if prefix + part in params else part for part in ('projector', 'last'))
  y, into_projector, _ = _layers.perceptron(x, params[projector], {}, _layers.gelu)
  z, into_unit = _layers.unit(y)
  rows, into_rows = _layers.unit(params[last])

  def pull(d):
    d_x, own = into_projector(into_unit(d @ rows))
    return d_x, {projector: own, last: into_rows(d.T @ z)}

  return z @ rows.T, pull


def as_evaluated(params, stats, pixels):
  """Embeddings normalized by the running moments, where there are any."""
  x = pixels @ params['kernel']
  if not stats:
    return x
  moments = stats['batch_stats']
  return (x - moments['mean']) / np.sqrt(moments['var'] + _layers.EPSILON)


def across(student, targets, temperature):
  """Cross-entropy of each target with every other view, pair by pair, and its gradient; lists of views."""
  pairs = [(t, v) for t in range(len(targets)) for v in range(len(student)) if t != v]
  value, d = 0.0, [np.zeros_like(s) for s in student]
  for t, v in pairs:
    wrong, slope = cross_entropy(student[v], targets[t], temperature)
    value += wrong.mean() / len(pairs)
    d[v] += slope / len(wrong) / len(pairs)
  return value, np.concatenate(d)


def within(patches, targets, mask, temperature):
  """Cross-entropy of masked patches, image by image, and its gradient; an image without any adds nothing."""
  value, d = 0.0, np.zeros_like(patches)
  for i, row in enumerate(mask):
    for patch in np.flatnonzero(row):
      wrong, slope = cross_entropy(patches[i, patch], targets[i, patch], temperature)
      value += wrong / row.sum() / len(mask)
      d[i, patch] = slope / row.sum() / len(mask)
  return value, d


def cross_entropy(scores, target, temperature):
  wrong = -(target * _layers.log_softmax(scores / temperature)).sum(-1)
  return wrong, (_layers.softmax(scores / temperature) - target) / temperature


def risen(step, steps, first, last, warmup):
  return first + (last - first) * step / (warmup * steps) if step < warmup * steps else last


def update(params, stats, memory, *, step, steps, ema_decay, **settings):
  """After step k the decay is 1 − (1 − λ)(cos(π(k − 1)/K) + 1)/2; the mask token has no teacher."""
  del stats, settings
  decay = 1 - (1 - ema_decay) * (np.cos(np.pi * min((step - 1) / steps, 1)) + 1) / 2
  teacher, moments = memory['teacher']
  own = {part: params[part] for part in teacher}
  teacher = _layers.add(_layers.scale(decay, teacher), _layers.scale(1 - decay, own))
  return params, {**memory, 'teacher': (teacher, moments)}
