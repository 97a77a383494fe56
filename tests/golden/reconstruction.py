"""Cross-entropy and the squared error of reconstructed images, pixel by pixel, on one encoder.

`draws` is the noise on the unlabeled images.
"""

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'hidden': 4}
CASES = {
  'hardly any noise': Case(loss=2.06516, settings=SMALL | {'noise': 0.01}),
  'noisy images, other weight': Case(
    loss=3.72387, settings=SMALL | {'noise': 0.5, 'weight': 10.0}, rate=0.05
  ),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  # The noise on an image is no unit vector: it has a part of every image of the stub.
  'loss/reconstruction': Flow({'encoder', 'decoder'}, {'labeled', 'unlabeled'}),
}
OBSERVED = {'labeled'}
MEMORY: set[str] = set()
SETTINGS = {'hidden': 16}
NUMBERS = {'weight': 5.0, 'noise': 1.0}


def objective(params, held, stats, memory, views, *, step, steps, draws, weight=1.0, noise=0.5, hidden=256):
  del held, step, steps, hidden
  x, u, y = views['labeled']['image'], views['unlabeled']['image'], views['labeled']['label']
  logits, pull, after = _layers.classify(params, stats, x)
  labeled, d_logits = _layers.cross_entropy(logits, y)
  features, into_encoder, _ = _layers.embed(params['encoder'], stats['encoder'], u + noise * draws['noise'])
  drawn, into_decoder, _ = _layers.perceptron(features, params['decoder'], {})
  d_features, decoder = into_decoder(2 * weight * (drawn - u) / u.size)
  terms = {'loss/supervised': labeled, 'loss/reconstruction': weight * ((drawn - u) ** 2).sum() / u.size}
  grads = {
    'loss/supervised': pull(d_logits),
    'loss/reconstruction': {'encoder': into_encoder(d_features), 'decoder': decoder},
  }
  return Golden(terms, grads, {**stats, **after}, memory)
