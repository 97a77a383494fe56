"""CLIP: match each image with its caption among those of the batch, and each caption with its image."""

from typing import Annotated

import jax.numpy as jnp
import numpy as np

from ssl_bench.contract import Method
from ssl_bench.losses import cross_entropy
from ssl_bench.methods.contrastive._pairs import matched
from ssl_bench.nets import core as net
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

  def terms_of(cosine, scale):
    logits = jnp.exp(scale['log']) * cosine
    same = jnp.arange(len(logits))
    return {
      'loss/image_to_text': cross_entropy(logits, same).mean() / 2,
      'loss/text_to_image': cross_entropy(logits.T, same).mean() / 2,
    }

  def update(state):
    log = jnp.minimum(state.params['scale']['log'], jnp.log(LARGEST))
    return state._replace(params={**state.params, 'scale': {'log': log}})

  start = {'log': -jnp.log(jnp.asarray(temperature, 'float32'))}
  return matched(encoder, text_encoder, prompts, out=out, scale=start, terms_of=terms_of, update=update)
