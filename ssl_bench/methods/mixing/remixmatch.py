"""ReMixMatch: MixMatch with aligned labels, strong views anchored to a weak one, and turned images."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.contract import Aux, Method, View, use_all
from ssl_bench.losses import cross_entropy, soft_cross_entropy
from ssl_bench.methods._queue import push
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.methods._turns import TURNS, check_square, turn_each
from ssl_bench.methods._views import strong_views
from ssl_bench.methods.mixing._mixtures import draw as draw
from ssl_bench.methods.mixing._mixtures import mixed
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1
FLOOR = 1e-6  # added to both marginals


def remixmatch(
  encoder: net.Net,
  classes: int,
  shape: tuple[int, ...],
  steps: float,
  *,
  weight: Annotated[float, Range(0)] = 1.5,
  anchoring: Annotated[float, Range(0)] = 0.5,
  rotation: Annotated[float, Range(0)] = 0.5,
  temperature: Annotated[float, POSITIVE] = 0.5,
  alpha: Annotated[float, POSITIVE] = 0.75,
  ramp: Annotated[float, POSITIVE] = 0.015625,
  strong: Annotated[int, Range(1, 16)] = 2,
  window: Annotated[int, POSITIVE] = 128,
) -> Method:
  """Berthelot et al., "ReMixMatch: Semi-Supervised Learning with Distribution Alignment and …" (2019).

  The label of all views of an image, weak and strong, is q ∝ (p(w(u)) · p̃_x / p̃_u)^(1/T), held constant:
  distribution alignment, sharpening, and augmentation anchoring.  Labeled images and all these views are
  mixed as in `mixmatch`, rows and labels alike.

  Objective (the authors' code): mean H(y', p(x')) + weight(t) · mean H(q', p(u')) + anchoring(t) · mean H(q,
  p(s_1(u))) + rotation · mean H(k, r(s_1(u) turned k times)), where x' are the mixtures in the places of the
  labeled images, u' those in the places of the views, and s_1 the first strong view as it is.  weight(t) and
  anchoring(t) grow linearly from 0.

  Memory: p̃_x, the mean label of the labeled batches so far, this one among them; and the means of p(w(u))
  over each of the latest `window` batches, even at the start, whose own mean is p̃_u.  This batch enters them
  after the step.

  Args:
    weight: of the mixtures of unlabeled views at the end of the ramp (the authors' code: 1.5).
    anchoring: of the first strong view at the end of the ramp (the authors' code: 0.5).
    rotation: of the term of orientations (the authors' code: 0.5; 2 on CIFAR-10 with 40 labels).
    temperature: of the sharpening (T; the authors' code: 0.5).
    alpha: of the Beta distribution (the authors' code: 0.75).
    ramp: the part of training over which both weights grow (the authors' code: 16,384 of 2^20 steps, 1/64).
    strong: number of strong views (K; the authors' runs: 8, and 1 with 40 labels; TorchSSL and USB: 2).
    window: how many batches p̃_u is a mean over (the authors' code: 128).

  Evaluated: the network; under `with_ema` its average.
  BatchNorm: the mixtures go through the network in K + 2 passes that are interleaved: every pass holds the
  same part of the labeled places and of each view's.  The running moments come from the last of them (the
  authors' code); the passes for the label, the first strong view and the turned images move none.
  Deviations: strong views are RandAugment's where the config says so, not CTAugment's, as in TorchSSL and
  USB; every (K + 2)th row makes a pass where the authors' code exchanges blocks of rows; p̃_x is the mean of
  the labels drawn so far, where the authors' code reads the labeled set's from a file.
  """
  check_square(shape, 'remixmatch')
  model, passes = net.chain(encoder=encoder, head=heads.linear(classes)), strong + 2
  turned = net.chain(encoder=encoder, rotation=heads.linear(TURNS))
  looks = {'labeled': View('labeled', 'weak'), 'weak': View('unlabeled', 'weak'), **strong_views(strong)}

  def init(key, views):
    images = views['labeled']['image']
    parts = [net.init(key, images) for net in (turned, model)]  # the same encoder twice
    params, stats = (more | own for more, own in zip(*parts))
    even = jnp.full((window, classes), 1 / classes, 'float32')
    return params, stats, {'labeled': even[0], 'unlabeled': even}

  def loss(state, views, key):
    x, w, *more = (views[name]['image'] for name in looks)
    keys = [jax.random.fold_in(key, i) for i in range(3 + passes)]
    forward = lambda net, x, key: net.apply(state.params, state.stats, x, train=True, key=key)
    belief = jax.lax.stop_gradient(jax.nn.softmax(forward(model, w, keys[0])[0]['head']))
    label = jax.nn.one_hot(views['labeled']['label'], classes)
    old, count = state.memory['labeled'], state.step.astype('float32') + 1
    marginal = old + (label.mean(0) - old) / count
    ratio = (marginal + FLOOR) / (state.memory['unlabeled'].mean(0) + FLOOR)
    guess = jax.nn.softmax((jnp.log(belief) + jnp.log(ratio)[None]) / temperature)
    drawn = draw(key, views, alpha=alpha)

    images = mixed(jnp.concatenate([x, w, *more]), drawn)
    labels = mixed(jnp.concatenate([label, *[guess] * (1 + strong)]), drawn)
    parts = [np.arange(i, len(images), passes) for i in range(passes)]
    seen = [forward(model, images[part], k) for part, k in zip(parts, keys[3:])]
    logits = jnp.concatenate([on['head'] for on, _ in seen])[np.argsort(np.concatenate(parts))]
    each = soft_cross_entropy(logits, labels)
    upright, (images, turns) = forward(model, more[0], keys[1])[0]['head'], turn_each(more[0])
    around = forward(turned, images, keys[2])[0]['rotation']
    rise = linear_ramp(state.step, ramp * steps)
    terms = {
      'loss/supervised': each[: len(x)].mean(),
      'loss/unsupervised': weight * rise * each[len(x) :].mean(),
      'loss/anchoring': anchoring * rise * soft_cross_entropy(upright, guess).mean(),
      'loss/rotation': rotation * cross_entropy(around, turns).mean(),
    }
    unlabeled = push(state.memory['unlabeled'], belief.mean(0, keepdims=True))
    memory = {'labeled': marginal, 'unlabeled': unlabeled}
    pseudo = use_all(views['weak']['index'], guess)
    return sum(terms.values()), Aux({**state.stats, **seen[-1][1]}, memory, terms, pseudo)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(looks, init, loss, encode=encode, predict=predict, kinds=('image',))
