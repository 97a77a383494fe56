"""CLIP: match each image with its caption among those of the batch, and each caption with its image."""

from typing import Annotated

import jax.numpy as jnp
import numpy as np

from ssl_bench.contract import Aux, Method, View
from ssl_bench.losses import cross_entropy, normalize
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.nets.core import fold_name
from ssl_bench.settings.signature import POSITIVE

VERSION = 1
LARGEST = 100.0  # the scale of the logits, one over the temperature, stays at or below this


def clip(
  encoder: net.Net,
  text_encoder: net.Net,
  prompts: np.ndarray,
  *,
  temperature: Annotated[float, POSITIVE] = 0.07,
  out: Annotated[int, POSITIVE] = 64,
) -> Method:
  """Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021).

  Objective (the paper's pseudocode): (H(images → texts) + H(texts → images)) / 2, where H is the
  cross-entropy of picking the i-th text of the batch for its i-th image, or the reverse, and the logits are
  exp(t) · cos(image, text).

  Args:
    temperature: where t starts: exp(-t) (the paper's: 0.07, from Wu et al. 2018); then t is learned.
    out: size of the space that images and texts share.

  Evaluated: the image encoder's features, before the linear map into the shared space, as the paper's linear
  probes.  The classifier is zero-shot: cosines to the mean of the unit embeddings of a class's prompts, made
  unit length (the paper's ensemble over prompts); prompts are in phrasings that no caption has.
  The temperature is clipped as in the paper, so that exp(t) is at most 100: the parameter itself, after each
  step, so that its gradient never dies.
  False negatives: other images of the batch whose captions say the same, or are the very same text, are
  negatives, as in the paper.  With 10 classes these are a tenth of the batch, and the loss stays high.
  Deviations: the text encoder is any net for tokens; the one here takes the mean over a text's bytes, not the
  last token of a causal transformer.
  """
  image = net.chain(encoder=encoder, projector=heads.linear(out, bias=False))
  text = net.chain(text_encoder=text_encoder, text_projector=heads.linear(out, bias=False))

  def init(key, views):
    seen = views['pair']
    params, stats = image.init(key, seen['image'])
    text_params, text_stats = text.init(fold_name(key, 'text'), seen['caption'])
    scale = {'scale': {'log': -jnp.log(jnp.asarray(temperature, 'float32'))}}
    return {**params, **text_params, **scale}, {**stats, **text_stats}, ()

  sides = {'image': (image, 'projector'), 'text': (text, 'text_projector')}

  def see(state, inputs, kind, **how):
    """Unit vectors of inputs, and the statistics after them."""
    model, last = sides[kind]
    output, stats = model.apply(state.params, state.stats, inputs, **how)
    return normalize(output[last]), stats

  def scores(state, images, texts):
    cosine = jnp.matmul(images, texts.T, precision='highest')
    return jnp.exp(state.params['scale']['log']) * cosine

  def loss(state, views, key):
    seen = views['pair']
    images, stats = see(state, seen['image'], 'image', train=True, key=key)
    texts, text_stats = see(state, seen['caption'], 'text', train=True, key=fold_name(key, 'text'))
    logits = scores(state, images, texts)
    same = jnp.arange(len(logits))
    terms = {
      'loss/image_to_text': cross_entropy(logits, same).mean() / 2,
      'loss/text_to_image': cross_entropy(logits.T, same).mean() / 2,
    }
    return sum(terms.values()), Aux({**stats, **text_stats}, (), terms)

  def update(state):
    log = jnp.minimum(state.params['scale']['log'], jnp.log(LARGEST))
    return state._replace(params={**state.params, 'scale': {'log': log}})

  def embed(state, inputs, kind):
    return see(state, inputs, kind, train=False)[0]

  def predict(state, images):
    classes, ways, length = prompts.shape
    named = embed(state, jnp.asarray(prompts).reshape(classes * ways, length), 'text')
    named = normalize(named.reshape(classes, ways, -1).mean(1))
    return scores(state, embed(state, images, 'image'), named)

  views = {'pair': View('unlabeled', 'weak')}
  encode = net.output(image, 'encoder')
  return Method(views, init, loss, encode=encode, predict=predict, update=update, embed=embed)
