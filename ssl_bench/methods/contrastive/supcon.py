"""SupCon: match the views of all labeled images of a class among all other views of the batch."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View, concatenate
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE

VERSION = 1
BASE = 0.07  # the temperature at which the authors' loss has no factor


def supcon(
  encoder: net.Net,
  classes: int,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  hidden: Annotated[int, POSITIVE] = 512,
  out: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Khosla et al., "Supervised Contrastive Learning" (2020).

  It learns from the labeled images only, and so from as many labels as the row says: its peer is
  `supervised`, not a method that sees the unlabeled set.  The published results have all labels.

  Objective (L_out, as in the authors' code): (τ/0.07) · mean_i mean_p −log
  [exp(z_i·z_p/τ) / Σ_a exp(z_i·z_a/τ)], over the 2N strong views i of N labeled images, where p runs over all
  other views of images of i's class, the other view of i's own image among them, and a over all views but i.
  Projections z have unit length; nothing is held constant.  And the cross-entropy of a linear classifier on
  the features of the same views, which are held constant there, so that it trains nothing else.

  Args:
    temperature: τ (the authors' CIFAR recipe: 0.1).
    hidden: width of the projector's hidden layer (the authors' code: that of the features).
    out: width of the projection (the authors' code: feat_dim, 128).

  Evaluated: the classifier on the encoder's features, before the projector.
  Projector: linear, ReLU, linear, no BatchNorm (the authors' code).
  Both views go through the network together, so BatchNorm's moments are those of the 2N images (the same).
  The mean over positives is outside the logarithm, L_out; solo-learn has their sum inside it, near L_in,
  which the paper finds worse.
  Deviations: the classifier is trained in the same steps, on strong views, where the paper trains it
  afterwards.  Where the labeled images are fewer than a batch, it holds some of them several times, with
  views of their own.
  """
  model = net.chain(encoder=encoder, projector=heads.projector(hidden, out, norm='none'))
  head = heads.linear(classes)

  def init(key, views):
    images = views['a']['image']
    params, stats = model.init(key, images)
    features = model.apply(params, stats, images, train=False)[0]['encoder']
    params['head'], stats['head'] = head.init(net.fold_name(key, 'head'), features)
    return params, stats, ()

  def loss(state, views, key):
    images = concatenate([views['a']['image'], views['b']['image']])
    label = jnp.concatenate([views['a']['label'], views['b']['label']])
    output, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    held = jax.lax.stop_gradient(output['encoder'])
    logits, stats['head'] = head.apply(state.params['head'], state.stats['head'], held, train=True)
    terms = {
      'loss/contrastive': contrast(normalize(output['projector']), label, temperature),
      'loss/classifier': cross_entropy(logits, label).mean(),
    }
    return sum(terms.values()), Aux(stats, (), terms)

  def predict(state, images):
    features = encode(state, images)
    return head.apply(state.params['head'], state.stats['head'], features, train=False)[0]

  encode = net.output(model, 'encoder')
  views = {'a': View('labeled', 'strong'), 'b': View('labeled', 'strong')}
  return Method(views, init, loss, encode=encode, predict=predict)


def contrast(z, label, temperature):
  """L_out of projections [2N, d] of unit length, with the authors' factor; each has a positive."""
  own = jnp.eye(len(label), dtype=bool)
  similarity = jnp.matmul(z, z.T, precision='highest') / temperature
  log_probs = jax.nn.log_softmax(jnp.where(own, -1e9, similarity))
  positive = (label[:, None] == label[None]) & ~own
  return -(temperature / BASE) * log_probs.mean(1, where=positive).mean()
