"""Ladder network: a decoder removes the noise of every layer, guided by the layer above."""

import math
from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import DENSE, Aux, Method, View, use_all
from ssl_bench.losses import cross_entropy
from ssl_bench.settings.signature import ADDED, BadSetting, Range

VERSION = 1
SMALL = 1e-10  # added to a variance
MOMENTUM = 0.9  # share of the old value in the running moments
# The ten vectors of the denoising function at the start: μ(u) = 0 · σ(u) + 0 · u, v(u) = 0.
START = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)


def ladder(
  classes: int,
  shape: tuple[int, ...],
  *,
  widths: Annotated[tuple[int, ...], Range(1, 65536)] = (1000, 500, 250, 250, 250),
  costs: Annotated[tuple[float, ...], Range(0)] = (1000.0, 10.0, 0.1, 0.1, 0.1, 0.1, 0.1),
  noise: Annotated[float, Range(0)] = 0.3,
  hidden_noise: Annotated[float | None, Range(0), ADDED] = None,
) -> Method:
  """Rasmus et al., "Semi-Supervised Learning with Ladder Networks" (2015), of perceptrons.

  Objective (algorithm 1): mean H(y, p̃(x)) + Σ_l costs[l] · mean (ẑ_l − z_l)², with p̃ the prediction under
  noise; z_l, the unlabeled images' values at layer l without noise, normalized over the batch (z_0: pixels in
  [0, 1]); and ẑ_l the decoder's estimate from z̃_l, the values with noise, and the estimate above, normalized
  by the moments of the layer without noise.  Gradients reach both paths, as in the authors' code.

  Denoising (equation 2, the authors' `gauss`): ẑ = (z̃ − μ(u)) v(u) + μ(u), with μ and v of the form
  a σ(b u + c) + d u + e, one set for each unit; u is the estimate above times a matrix, at the top the
  prediction, normalized over the batch.

  Args:
    widths: units of the hidden layers, ReLU (the authors' code for MNIST: 1000, 500, 250, 250, 250).
    costs: of pixels, of each hidden layer and of the logits; the decoder ends at the lowest that is not 0
      (the authors' code, MNIST, 100 labels: 1000, 10, 0.1, …; the Γ-model: 0, …, 0, 0.5).
    noise: deviation of the normal noise on pixels in [0, 1] and on every layer's normalized values, the
      logits' too (the authors' code: 0.3).
    hidden_noise: deviation on every layer's values, where it is not that on the pixels (the authors' README,
      1,000 labels: 0.2 beside 0.3 on the pixels).

  The network is the method's own: what the config says under `net` has no part in it.
  Evaluated: the network without noise; under `with_ema` its average.
  BatchNorm: labeled and unlabeled images are normalized apart, each over its batch; the running moments are
  those of the unlabeled images without noise, where the authors' code takes the labeled ones'.
  Deviations: that, and the running variance is the biased one.
  """
  sizes = (math.prod(shape), *widths, classes)
  top = len(sizes) - 1
  if len(costs) != len(sizes):
    raise BadSetting(
      f'ladder: costs must hold {len(sizes)} numbers, not {len(costs)}: of the pixels, of {len(widths)} '
      'hidden layers and of the logits.'
    )
  on_layers = noise if hidden_noise is None else hidden_noise
  lowest = next((layer for layer, cost in enumerate(costs) if cost), top + 1)
  names = ('encoder', *(f'layer_{layer}' for layer in range(2, top)), 'head')[-top:]

  def init(key, views):
    del views
    params, keys = {}, jax.random.split(key, 2 * top + 1)
    for layer, name in enumerate(names, 1):
      rows, columns = sizes[layer - 1 : layer + 1]
      params[name] = {'kernel': random(keys[layer], rows, columns), 'bias': jnp.zeros(columns)}
    params['head']['scale'] = jnp.ones(classes)
    for layer in range(lowest, top + 1):
      own = {'denoise': jnp.tile(jnp.array(START)[:, None], (1, sizes[layer]))}
      if layer < top:
        own['kernel'] = random(keys[top + 1 + layer], sizes[layer + 1], sizes[layer])
      params[f'decoder_{layer}'] = own
    stats = {name: {'mean': jnp.zeros(n), 'var': jnp.ones(n)} for name, n in zip(names, sizes[1:])}
    return params, stats, ()

  def encode(params, images, noises=None, stats=None):
    """Values of every layer before bias and activation, features, logits, and the batch's moments."""
    h = (images.reshape(len(images), -1) + 1) / 2
    h = h if noises is None else h + noise * noises[0]
    values, moments, features = [h], {}, h
    for layer, name in enumerate(names, 1):
      own, features = params[name], h
      z = h @ own['kernel']
      moments[name] = {'mean': z.mean(0), 'var': z.var(0)} if stats is None else stats[name]
      z = standard(z, **moments[name])
      z = z if noises is None else z + on_layers * noises[layer]
      values.append(z)
      h = z + own['bias'][None]
      h = own['scale'][None] * h if layer == top else jax.nn.relu(h)
    return values, features, h, moments

  def errors(params, noisy, prediction, clean, moments):
    """The mean squared error of each estimate that costs something, from the top down."""
    above = prediction
    for layer in range(top, lowest - 1, -1):
      own = params[f'decoder_{layer}']
      u = above if layer == top else above @ own['kernel']
      above = denoised(own['denoise'], noisy[layer], standard(u, u.mean(0), u.var(0)))
      estimate = standard(above, **moments[names[layer - 1]]) if layer else above
      yield costs[layer] * jnp.square(estimate - clean[layer]).mean()

  def loss(state, views, key):
    x, u, noises = (
      views['labeled']['image'],
      views['unlabeled']['image'],
      draw(key, views, classes, widths=widths),
    )
    _, _, on_x, _ = encode(state.params, x, noises['labeled'])
    noisy, _, on_noisy, _ = encode(state.params, u, noises['unlabeled'])
    clean, _, on_u, moments = encode(state.params, u)
    prediction = jax.nn.softmax(on_noisy)
    metrics = {
      'loss/supervised': cross_entropy(on_x, views['labeled']['label']).mean(),
      'loss/denoising': jnp.float32(sum(errors(state.params, noisy, prediction, clean, moments))),
    }
    moved = jax.tree.map(lambda old, new: MOMENTUM * old + (1 - MOMENTUM) * new, state.stats, moments)
    pseudo = use_all(views['unlabeled']['index'], jax.nn.softmax(on_u))
    return sum(metrics.values()), Aux(jax.lax.stop_gradient(moved), (), metrics, pseudo)

  look = lambda part: lambda state, images: encode(state.params, images, stats=state.stats)[part]
  views = {'labeled': View('labeled', 'weak'), 'unlabeled': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=look(1), predict=look(2), kinds=DENSE)


def draw(key, views, classes, *, widths):
  """Standard normal noise for every layer of both batches, the pixels' first."""

  def noises(salt, images):
    sizes = (math.prod(images.shape[1:]), *widths, classes)
    keys = jax.random.split(jax.random.fold_in(key, salt), len(sizes))
    return {layer: jax.random.normal(k, (len(images), n)) for layer, (k, n) in enumerate(zip(keys, sizes))}

  return {name: noises(salt, views[name]['image']) for salt, name in enumerate(('labeled', 'unlabeled'))}


def random(key, rows, columns):
  """A matrix of variance 1 / rows."""
  return jax.random.normal(key, (rows, columns)) / math.sqrt(rows)


def standard(z, mean, var):
  return (z - mean[None]) * jax.lax.rsqrt(var + SMALL)[None]


def denoised(a, z, u):
  """(z − μ(u)) v(u) + μ(u); `a`: the ten vectors [10, units] of μ and v."""
  a = a[:, None]
  mean = a[0] * jax.nn.sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
  share = a[5] * jax.nn.sigmoid(a[6] * u + a[7]) + a[8] * u + a[9]
  return (z - mean) * share + mean
