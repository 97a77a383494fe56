"""Kingma et al. (2014), the bound of model M1, with one draw of z for each image.

`draws` is the noise of z.  Pixels are moved from [-1, 1] to [0, 1].
"""

import numpy as np

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'latent': 2, 'hidden': 4}
CASES = {
  'as published': Case(loss=6.64473, settings=SMALL, rate=0.01),
  'counts of 16, more latent variables': Case(
    loss=71.1518, settings={'latent': 5, 'hidden': 4, 'trials': 16.0}, rate=1e-3
  ),
}
FLOWS = {
  'loss/reconstruction': Flow({'encoder', 'posterior', 'decoder'}, {'unlabeled'}),
  'loss/divergence': Flow({'encoder', 'posterior'}, {'unlabeled'}),
}
OBSERVED = {'unlabeled'}
MEMORY: set[str] = set()
SETTINGS = {'latent': 4, 'hidden': 16}
NUMBERS = {'trials': 4.0}
CHANGES = {'optimizer__lr': 1e-3}


def objective(params, held, stats, memory, views, *, step, steps, draws, latent=50, hidden=500, trials=1.0):
  del held, step, steps, hidden
  u, n = views['unlabeled']['image'], len(views['unlabeled']['image'])
  features, into_encoder, moments = _layers.embed(params['encoder'], stats['encoder'], u)
  seen, into_posterior = _layers.dense(features, params['posterior']['Dense_0'])
  mean, deviation = seen[:, :latent], np.exp(seen[:, latent:] / 2)
  logits, into_decoder, _ = _layers.perceptron(mean + deviation * draws['noise'], params['decoder'], {})
  p, wanted = 1 / (1 + np.exp(-logits)), (u + 1) / 2

  def pull(d_mean, d_deviation):
    d, posterior = into_posterior(np.concatenate([d_mean, d_deviation * deviation / 2], 1))
    return {'encoder': into_encoder(d), 'posterior': {'Dense_0': posterior}}

  d_z, decoder = into_decoder(trials * (p - wanted) / n)
  terms = {
    'loss/reconstruction': -trials * (wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).sum() / n,
    'loss/divergence': ((mean**2 + deviation**2 - 1) / 2 - np.log(deviation)).sum() / n,
  }
  grads = {
    'loss/reconstruction': {**pull(d_z, d_z * draws['noise']), 'decoder': decoder},
    'loss/divergence': pull(mean / n, (deviation - 1 / deviation) / n),
  }
  return Golden(terms, grads, {**stats, 'encoder': moments}, memory)
