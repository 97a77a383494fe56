"""Pairs of image and caption: both encoders into one space, and the zero-shot classifier that they make."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.contract import Aux, Method, Update, View, stay
from ssl_bench.losses import normalize
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.nets.core import fold_name


def matched(
  encoder: net.Net,
  text_encoder: net.Net,
  prompts: np.ndarray,
  *,
  out: int,
  scale: Mapping[str, Any],
  terms_of: Callable[[jax.Array, Any], dict[str, jax.Array]],
  update: Update = stay,
) -> Method:
  """The method that learns from the cosines between the images and the captions of a batch.

  Args:
    encoder: of images.
    text_encoder: of captions.
    prompts: uint8 [classes, prompts, L], the names of the classes as tokens.
    out: size of the space that images and texts share; a linear map without a bias leads into it.
    scale: where the learned parameters of the scores start; `log`, whose exponential is the factor of
      cosines, is among them.
    terms_of: (cosines [images, captions], these parameters) -> terms of the loss.
    update: of the method.

  The classifier's logits are exp(log) · cos between an image and a class: the mean of the unit embeddings of
  its prompts, made unit length.
  """
  image = net.chain(encoder=encoder, projector=heads.linear(out, bias=False))
  text = net.chain(text_encoder=text_encoder, text_projector=heads.linear(out, bias=False))

  def init(key, views):
    seen = views['pair']
    params, stats = image.init(key, seen['image'])
    text_params, text_stats = text.init(fold_name(key, 'text'), seen['caption'])
    learned = {'scale': {name: jnp.asarray(value, 'float32') for name, value in scale.items()}}
    return {**params, **text_params, **learned}, {**stats, **text_stats}, ()

  sides = {'image': (image, 'projector'), 'text': (text, 'text_projector')}

  def see(state, inputs, kind, **how):
    """Unit vectors of inputs, and the statistics after them."""
    model, last = sides[kind]
    output, stats = model.apply(state.params, state.stats, inputs, **how)
    return normalize(output[last]), stats

  def cosines(images, texts):
    return jnp.matmul(images, texts.T, precision='highest')

  def loss(state, views, key):
    seen = views['pair']
    images, stats = see(state, seen['image'], 'image', train=True, key=key)
    texts, text_stats = see(state, seen['caption'], 'text', train=True, key=fold_name(key, 'text'))
    terms = terms_of(cosines(images, texts), state.params['scale'])
    return sum(terms.values()), Aux({**stats, **text_stats}, (), terms)

  def embed(state, inputs, kind):
    return see(state, inputs, kind, train=False)[0]

  def predict(state, images):
    classes, ways, length = prompts.shape
    named = embed(state, jnp.asarray(prompts).reshape(classes * ways, length), 'text')
    named = normalize(named.reshape(classes, ways, -1).mean(1))
    return jnp.exp(state.params['scale']['log']) * cosines(embed(state, images, 'image'), named)

  views = {'pair': View('unlabeled', 'weak')}
  encode = net.output(image, 'encoder')
  return Method(views, init, loss, encode=encode, predict=predict, update=update, embed=embed)
