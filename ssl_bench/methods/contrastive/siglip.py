"""SigLIP: tell of each image and each caption of the batch, by itself, whether they belong together."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.contract import Method
from ssl_bench.methods.contrastive._pairs import matched
from ssl_bench.nets import core as net
from ssl_bench.settings.signature import POSITIVE

VERSION = 1


def siglip(
  encoder: net.Net,
  text_encoder: net.Net,
  prompts: np.ndarray,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  bias: float = -10.0,
  out: Annotated[int, POSITIVE] = 64,
) -> Method:
  """Zhai et al., "Sigmoid Loss for Language Image Pre-Training" (2023).

  Objective (section 3.2, algorithm 1): the mean over images i of -Σ_j log σ(z_ij (exp(t) cos_ij + b)), where
  j runs over all texts of the batch, cos_ij is that of image and text, and z_ij is 1 for the image's own text
  and -1 for the others.

  Args:
    temperature: where t starts: exp(-t) (the paper: t' = log 10); then t is learned.
    bias: where b starts (the paper: -10, so that the many negatives do not dominate at first); then b is
      learned.
    out: size of the space that images and texts share.

  Evaluated: the image encoder's features, before the linear map into the shared space; the classifier is
  zero-shot, as CLIP's: the bias is that of all classes and changes no choice.
  False negatives: other images of the batch whose captions say the same are negatives, as in CLIP.
  Deviations: the text encoder is any net for tokens; the one here takes the mean over a text's bytes.
  """

  def terms_of(cosine, scale):
    logits = jnp.exp(scale['log']) * cosine + scale['bias']
    sign = 2 * jnp.eye(len(logits), dtype='float32') - 1
    return {'loss/pairs': -jax.nn.log_sigmoid(sign * logits).sum(1).mean()}

  start = {'log': -jnp.log(jnp.asarray(temperature, 'float32')), 'bias': bias}
  return matched(encoder, text_encoder, prompts, out=out, scale=start, terms_of=terms_of)
