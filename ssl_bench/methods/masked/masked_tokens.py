"""Masked tokens: predict the hidden tokens of a text from the others (BERT)."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.nets.core import MASK, PAD, VOCABULARY
from ssl_bench.settings.signature import UNIT, BadSetting, Range

VERSION = 1


def masked_tokens(
  encoder: net.Net,
  *,
  rate: Annotated[float, Range(0, 1, above=True)] = 0.15,
  mask: Annotated[float, UNIT] = 0.8,
  random: Annotated[float, UNIT] = 0.5,
) -> Method:
  """Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding" (2019).

  Objective (the masked language model): the mean, over chosen places, of the cross-entropy between the token
  that stood there and what is predicted from the text as shown: a chosen place shows the mask (80 %), a
  random token (10 %) or its own token (10 %).

  Args:
    rate: share of a text's tokens that are chosen, rounded, at least one (the paper: 15 %).
    mask: share of the chosen places that show the mask (80 %).
    random: share of the other chosen places that show a random token (a half: 10 % of all).

  Evaluated: the encoder's features of whole texts, with nothing hidden.
  Deviations: no next-sentence prediction.  A random token is that of a random place in the batch, not any of
  the vocabulary: most of the 256 bytes stand in no text, and would give themselves away.  One linear layer
  predicts, in place of a hidden layer and the transposed embeddings.
  """
  if encoder.kind != 'tokens':
    raise BadSetting('masked_tokens hides tokens and needs a net that reads them, such as net=sequence.')
  model = net.chain(encoder=encoder, head=heads.linear(VOCABULARY))

  def init(key, views):
    return *model.init(key, views['text']['image']), ()

  def loss(state, views, key):
    text = flat(views['text']['image'])
    drawn = draw(key, views, rate=rate, mask=mask, random=random)
    shown, chosen = drawn['shown'], drawn['chosen'].astype('float32')
    key = jax.random.fold_in(key, 4)
    out, stats = model.apply(state.params, state.stats, shown, train=True, key=key, tokens=True)
    logits = out['head'].reshape(-1, VOCABULARY)
    mean = lambda x: (x.reshape(chosen.shape).astype('float32') * chosen).sum() / chosen.sum()
    value = mean(cross_entropy(logits, text.reshape(-1)))
    right = mean(logits.argmax(-1) == text.reshape(-1))
    return value, Aux(stats, (), {'loss/masked': value, 'masked_accuracy': right})

  return Method({'text': View('unlabeled', 'weak')}, init, loss, encode=net.output(model, 'encoder'))


def flat(tokens):
  """int32 [B, L]."""
  return jnp.asarray(tokens, 'int32').reshape(len(tokens), -1)


def draw(key, views, *, rate: float, mask: float, random: float):
  """Which places are chosen, bool [B, L], and the texts as they are shown, int32 [B, L]."""
  text = flat(views['text']['image'])
  keys = [jax.random.fold_in(key, i) for i in range(4)]
  length = (text != PAD).sum(1, keepdims=True).astype('float32')
  order = jnp.where(text == PAD, 2.0, jax.random.uniform(keys[0], text.shape))
  rank = jnp.argsort(jnp.argsort(order, 1), 1)
  chosen = (rank.astype('float32') < jnp.maximum(1, jnp.round(rate * length))) & (text != PAD)
  row = jax.random.randint(keys[1], text.shape, 0, len(text))
  place = jnp.floor(jax.random.uniform(keys[2], text.shape) * length[row, 0]).astype('int32')
  u = jax.random.uniform(keys[3], text.shape)
  shown = jnp.where(u < mask, MASK, jnp.where(u < mask + (1 - mask) * random, text[row, place], text))
  return {'chosen': chosen, 'shown': jnp.where(chosen, shown, text)}
