"""SimCSE: find a text's own second pass, under other dropout, among those of the batch."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, BadSetting

VERSION = 1


def simcse(encoder: net.Net, *, temperature: Annotated[float, POSITIVE] = 0.05) -> Method:
  """Gao et al., "SimCSE: Simple Contrastive Learning of Sentence Embeddings" (2021), without labels.

  Objective (eq. 4): the mean over the N texts i of a batch of -log [exp(cos(h_i, h'_i) / τ) / Σ_j
  exp(cos(h_i, h'_j) / τ)], where h and h' are two passes of the same texts, which differ by dropout only.
  The gradient flows through both.

  Args:
    temperature: τ (section 6: 0.05).

  Evaluated: the encoder's features, before the head (section 6: the MLP is kept for training only).
  Head: linear and tanh, as wide as the features (BERT's pooler, which the authors train).
  The net needs dropout, such as `net.dropout=0.1` (the paper: BERT's 0.1); without any, both passes are
  equal, and only the other texts teach.
  Deviations: the texts are those of the policy `weak`; `none` leaves them as they are, as in the paper.  The
  features are the mean over tokens, not the class token.  The encoder is not BERT's, trained before.
  """
  if encoder.kind != 'tokens':
    raise BadSetting('simcse reads texts and needs a net that reads them, such as net=sequence.')
  model = net.chain(encoder=encoder, projector=heads.projector(None, norm='none'))

  def init(key, views):
    return *model.init(key, views['text']['image']), ()

  def loss(state, views, key):
    texts = views['text']['image']
    twice = jnp.concatenate([texts, texts])
    out, stats = model.apply(state.params, state.stats, twice, train=True, key=key)
    first, second = jnp.split(normalize(jnp.tanh(out['projector'])), 2)
    scores = jnp.matmul(first, second.T, precision='highest') / temperature
    value = cross_entropy(scores, jnp.arange(len(scores))).mean()
    return value, Aux(stats, (), {'loss/contrastive': value})

  return Method({'text': View('unlabeled', 'weak')}, init, loss, encode=net.output(model, 'encoder'))
