"""MixMatch: sharpen averaged predictions into labels, and learn from mixtures of all images."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench.contract import DENSE, Aux, Method, View, use_all
from ssl_bench.losses import soft_cross_entropy, squared_error
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.methods.mixing._mixtures import draw as draw
from ssl_bench.methods.mixing._mixtures import mixed
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1
PASSES = 3  # labeled images and two views of the unlabeled ones


def mixmatch(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  weight: Annotated[float, Range(0)] = 100.0,
  temperature: Annotated[float, POSITIVE] = 0.5,
  alpha: Annotated[float, POSITIVE] = 0.5,
  ramp: Annotated[float, POSITIVE] = 0.015625,
) -> Method:
  """Berthelot et al., "MixMatch: A Holistic Approach to Semi-Supervised Learning" (2019).

  The label of both weak views of an image is the sharpened mean of the predictions on them,
  q ∝ ((p(a) + p(b)) / 2)^(1/T), held constant (eq. 6 and 7).  Row i of labeled
  images and views together is mixed with row π(i), images and labels alike, π a permutation of all rows:
  λ · i + (1 − λ) · π(i) with λ = max(l, 1 − l) and l ~ Beta(α, α), one for each row (eq. 8 to 11).

  Objective (eq. 3 to 5): mean H(y', p(x')) + weight(t) · mean ‖p(u') − q'‖² / classes, where x' are the
  mixtures in the places of the labeled images, u' those in the places of the views.

  Args:
    weight: of the unlabeled term at the end of the ramp (λ_U; the paper's code: 100).
    temperature: of the sharpening (T, section 3.5: 0.5).
    alpha: of the Beta distribution (α; the paper's code: 0.5, section 3.5: 0.75).
    ramp: the part of training over which the weight grows linearly from 0 (the paper's code: 16,384 of
      2^20 steps, 1/64; TorchSSL and USB: 0.4).

  Evaluated: the network; under `with_ema` its average, as in the paper.
  BatchNorm: the mixtures go through the network in three passes that are interleaved: every pass holds a
  third of the labeled places and a third of each view's, so all are normalized by moments of the same
  mix.  The running moments come from the first of them (the paper's code); the guesses have a pass for
  each view, which moves none.
  Deviations: every third row makes a pass where the paper's code exchanges blocks of rows, which allows any
  ratio of unlabeled to labeled images and, as rows are in random order, holds the same number of each.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    x, a, b = (views[name]['image'] for name in ('labeled', 'a', 'b'))
    keys = [jax.random.fold_in(key, i) for i in range(2 + PASSES)]

    def forward(images, key):
      out, stats = model.apply(state.params, state.stats, images, train=True, key=key)
      return out['head'], stats

    on_a, on_b = (jax.nn.softmax(forward(images, k)[0]) for images, k in zip((a, b), keys))
    belief = jax.lax.stop_gradient((on_a + on_b) / 2)
    guess = jax.nn.softmax(jnp.log(belief) / temperature)
    drawn = draw(key, views, alpha=alpha)

    images = mixed(jnp.concatenate([x, a, b]), drawn)
    labels = mixed(jnp.concatenate([jax.nn.one_hot(views['labeled']['label'], classes), guess, guess]), drawn)
    parts = [np.arange(i, len(images), PASSES) for i in range(PASSES)]
    seen = [forward(images[part], k) for part, k in zip(parts, keys[2:])]
    logits = jnp.concatenate([on for on, _ in seen])[np.argsort(np.concatenate(parts))]
    labeled = soft_cross_entropy(logits[: len(x)], labels[: len(x)]).mean()
    rise = weight * linear_ramp(state.step, ramp * steps)
    unlabeled = rise * squared_error(jax.nn.softmax(logits[len(x) :]), labels[len(x) :]).mean()
    metrics = {'loss/supervised': labeled, 'loss/unsupervised': unlabeled}
    return labeled + unlabeled, Aux(seen[0][1], (), metrics, use_all(views['a']['index'], belief))

  views = {'labeled': View('labeled', 'weak'), 'a': View('unlabeled', 'weak'), 'b': View('unlabeled', 'weak')}
  return Method(
    views, init, loss, encode=net.output(model, 'encoder'), predict=net.output(model, 'head'), kinds=DENSE
  )
