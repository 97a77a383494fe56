"""VAT: a prediction should not change under the small perturbation that would change it most."""

from typing import Annotated, Literal

import jax
import jax.numpy as jnp

from ssl_bench.contract import DENSE, Aux, Method, View, use_all
from ssl_bench.losses import cross_entropy, soft_cross_entropy
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import ADDED, POSITIVE, Range

VERSION = 1


def vat(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  radius: Annotated[float, POSITIVE] = 6.0,
  weight: Annotated[float, Range(0)] = 0.3,
  entropy: Annotated[float, Range(0)] = 0.06,
  ramp: Annotated[float, POSITIVE] = 0.4,
  iterations: Annotated[int, POSITIVE] = 1,
  logits: Annotated[Literal['linear', 'normalized'], ADDED] = 'linear',
  moments: Annotated[Literal['labeled', 'unlabeled'], ADDED] = 'labeled',
  noises: Annotated[Literal['shared', 'own'], ADDED] = 'shared',
) -> Method:
  """Miyato et al., "Virtual Adversarial Training" (2018), with their entropy minimization (VAT + EntMin).

  Objective: mean H(y, p(w(x))) + α(t) · mean KL(q ‖ p(w(u) + r)) + entropy · mean H(p(w(u))), where
  q = p(w(u)) is held constant, and so is r, of length `radius`, where the divergence is largest.

  Direction (section 3.3): power iteration d ← H d / ‖H d‖ from a random d, with H the Hessian in r of the
  divergence at r = 0.  There it is Jᵀ (diag q − q qᵀ) J, with J the Jacobian of the logits in the images,
  so H d is a forward and a backward product.  The paper takes the difference of gradients at ξ d instead;
  the ξ = 1e-6 of FixMatch's code and TorchSSL is less than float32 resolves at a pixel, and half precision
  has nothing left of it, while the product is float32 between the passes and needs no ξ.

  Args:
    radius: L2 length of r over all pixels and channels of an image, pixels in [-1, 1] (ε; FixMatch's code: 6
      for 32×32×3).  On [0, 1] the same r has half the length; other sizes: in proportion to √(pixels).
    weight: of the divergence at the end of the ramp (FixMatch's code and TorchSSL: 0.3; the paper: 1).
    entropy: weight of the entropy, from the start (FixMatch's code and TorchSSL: 0.06).
    ramp: the part of training over which α grows linearly from 0 (FixMatch's code and TorchSSL: 0.4).
    iterations: of the power iteration (K, section 3.3: 1).
    logits: linear, or normalized by a BatchNorm of the last layer as well (the authors' code for MNIST,
      takerum/vat, models/fnn_mnist_semisup.py), which leaves no class without images in a batch.
    moments: the pass from which BatchNorm's running moments come; `unlabeled` stands for the authors' code
      for MNIST, which estimates them anew on the unlabeled images when training is over.
    noises: whether dropout and noise of the net are the same for u and u + r, so that the divergence is that
      of the perturbation alone, or the passes on u + r have their own, as in takerum/vat, where every pass
      draws anew; the direction is then that of the network under those.

  Evaluated: the network; under `with_ema` its average.
  BatchNorm: every pass uses its batch's moments; the running ones come from the labeled pass only
  (FixMatch's code), unless `moments` says otherwise.  The pixels of a batch are coupled by them, and H too.
  Deviations: the limit ξ → 0 of the paper's product; FixMatch's code has the divergence the other way
  round, KL(p(w(u) + r) ‖ q).
  """
  head = heads.projector(classes, last_norm='affine') if logits == 'normalized' else heads.linear(classes)
  model = net.chain(encoder=encoder, head=head)

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    x, u = views['labeled']['image'], views['unlabeled']['image']
    key_x, key_u = (jax.random.fold_in(key, i) for i in range(2))
    key_r = jax.random.fold_in(key, 3) if noises == 'own' else key_u

    def on(params, images):
      return model.apply(params, state.stats, images, train=True, key=key_r)[0]['head']

    on_x, after_x = model.apply(state.params, state.stats, x, train=True, key=key_x)
    out, after_u = model.apply(state.params, state.stats, u, train=True, key=key_u)
    on_u, stats = out['head'], after_u if moments == 'unlabeled' else after_x
    p = jax.nn.softmax(on_u)
    q = jax.lax.stop_gradient(p)
    held = jax.lax.stop_gradient(state.params)
    start = draw(key, views)['direction']
    direction = most_sensitive(lambda images: on(held, images), u, start, iterations)
    on_r = on(state.params, u + radius * direction)
    alpha = weight * linear_ramp(state.step, ramp * steps)
    labeled = cross_entropy(on_x['head'], views['labeled']['label']).mean()
    divergence = soft_cross_entropy(on_r, q) - soft_cross_entropy(jax.lax.stop_gradient(on_u), q)
    metrics = {
      'loss/supervised': labeled,
      'loss/adversarial': alpha * divergence.mean(),
      'loss/entropy': entropy * soft_cross_entropy(on_u, p).mean(),
    }
    return sum(metrics.values()), Aux(stats, (), metrics, use_all(views['unlabeled']['index'], q))

  views = {'labeled': View('labeled', 'weak'), 'unlabeled': View('unlabeled', 'weak')}
  return Method(
    views, init, loss, encode=net.output(model, 'encoder'), predict=net.output(model, 'head'), kinds=DENSE
  )


def draw(key, views):
  """The directions from which the power iteration starts, not yet of unit length."""
  return {'direction': jax.random.normal(jax.random.fold_in(key, 2), views['unlabeled']['image'].shape)}


def most_sensitive(predict, images, start, iterations):
  """Directions of unit length in which KL(predict(images) ‖ predict(images + r)) grows fastest at r = 0."""
  logits, forward = jax.linearize(predict, images)
  backward, q = jax.linear_transpose(forward, images), jax.nn.softmax(logits)
  direction = unit(start)
  for _ in range(iterations):
    change = forward(direction)
    (direction,) = backward(q * (change - (q * change).sum(-1, keepdims=True)))
    direction = unit(direction)
  return direction


def unit(x):
  """Images of unit length, or zero where they are; the largest pixel first, so that no square underflows."""
  axes = tuple(range(1, x.ndim))
  x = x / jnp.maximum(jnp.abs(x).max(axes, keepdims=True), 1e-37)
  return x * jax.lax.rsqrt(jnp.maximum(jnp.square(x).sum(axes, keepdims=True), 1e-12))
