"""Radford et al. (2021), their pseudocode, row by row and column by column; the text encoder is a matrix."""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
LARGEST = 100.0
CASES = {
  'about one': Case(loss=1.3153, settings={'out': 3}),
  'another space': Case(loss=1.49572, settings={'out': 5, 'temperature': 0.5}),
  'a scale above 100 is clipped': Case(loss=38.7355, settings={'out': 3}, bias=60.0),
}
PARTS = {'encoder', 'projector', 'text_encoder', 'text_projector', 'scale'}
FLOWS = {name: Flow(PARTS, {'pair'}) for name in ('loss/image_to_text', 'loss/text_to_image')}
OBSERVED = {'pair'}
MEMORY: set[str] = set()
SETTINGS = {'out': 8}
NUMBERS = {'temperature': 0.3}
CHANGES = {
  'dataset': 'fake_captions',
  'text_net': {'name': 'sequence', 'dim': 8, 'depth': 1, 'heads': 2},
}


def objective(params, held, stats, memory, views, *, step, steps, **settings):
  del held, step, steps, settings
  images, into_images, moments = side(params, stats, '', views['pair']['image'])
  texts, into_texts, text_moments = side(params, stats, 'text_', views['pair']['caption'])
  scale = np.exp(params['scale']['log'])
  cosine = images @ texts.T
  n = len(cosine)
  values, pulls = {}, {}
  for name, turned in (('loss/image_to_text', False), ('loss/text_to_image', True)):
    value, d = 0.0, np.zeros_like(cosine)
    for i in range(n):
      row = scale * (cosine[:, i] if turned else cosine[i])
      value -= _layers.log_softmax(row)[i] / n / 2
      change = (_layers.softmax(row) - np.eye(n)[i]) / n / 2
      d[(slice(None), i) if turned else i] = change
    values[name] = value
    pulls[name] = {
      **into_images(scale * d @ texts),
      **into_texts(scale * d.T @ images),
      'scale': {'log': (d * cosine).sum() * scale},
    }
  return Golden(values, pulls, {**stats, **moments, **text_moments}, memory)


def side(params, stats, prefix, inputs):
  """Unit vectors of one kind of inputs: encoder, linear map without a bias, length one."""
  encoder, projector = f'{prefix}encoder', f'{prefix}projector'
  features, into_encoder, moments = _layers.embed(params[encoder], stats[encoder], inputs)
  mapped, into_projector = _layers.dense(features, params[projector]['Dense_0'])
  unit, pull_unit = _layers.unit(mapped)

  def pull(d):
    d, kernel = into_projector(pull_unit(d))
    return {encoder: into_encoder(d), projector: {'Dense_0': kernel}}

  return unit, pull, {encoder: moments}


def update(params, stats, memory, *, step, steps, **settings):
  del stats, step, steps, settings
  return {**params, 'scale': {'log': np.minimum(params['scale']['log'], np.log(LARGEST))}}, memory
