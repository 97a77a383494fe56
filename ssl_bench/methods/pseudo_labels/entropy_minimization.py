"""Entropy minimization: predictions on unlabeled images should be sure, whatever they say."""

from typing import Annotated

import jax

from ssl_bench.contract import Aux, Method, View, use_all
from ssl_bench.losses import cross_entropy, soft_cross_entropy
from ssl_bench.methods._schedules import linear_ramp
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def entropy_minimization(
  encoder: net.Net,
  classes: int,
  steps: float,
  *,
  weight: Annotated[float, Range(0)] = 0.1,
  ramp: Annotated[float, POSITIVE] = 0.4,
) -> Method:
  """Grandvalet and Bengio, "Semi-supervised Learning by Entropy Minimization" (2005).

  Objective: mean H(y, p(w(x))) + α(t) · mean −Σ_c p_c log p_c with p = p(w(u)).  Nothing is held constant.

  Args:
    weight: of the entropy at the end of the ramp (the authors' code of UDA, on CIFAR-10: ent_min_coeff, 0.1).
    ramp: the part of training over which α grows linearly from 0 (as for Pseudo-Label: 0.4).

  Evaluated: the network; under `with_ema` its average.
  BatchNorm: two passes; both use their batch's moments, and the running ones come from the labeled pass only.
  Deviations: the paper trains logistic regression on the sum over all images and anneals its factor; here
  are means over batches of a deep network, and a ramp.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), ()

  def loss(state, views, key):
    x, u = views['labeled']['image'], views['unlabeled']['image']
    on_x, stats = model.apply(state.params, state.stats, x, train=True, key=jax.random.fold_in(key, 0))
    on_u, _ = model.apply(state.params, state.stats, u, train=True, key=jax.random.fold_in(key, 1))
    probs = jax.nn.softmax(on_u['head'])
    labeled = cross_entropy(on_x['head'], views['labeled']['label']).mean()
    unsure = weight * linear_ramp(state.step, ramp * steps) * soft_cross_entropy(on_u['head'], probs).mean()
    pseudo = use_all(views['unlabeled']['index'], jax.lax.stop_gradient(probs))
    metrics = {'loss/supervised': labeled, 'loss/entropy': unsure}
    return labeled + unsure, Aux(stats, (), metrics, pseudo)

  views = {'labeled': View('labeled', 'weak'), 'unlabeled': View('unlabeled', 'weak')}
  return Method(views, init, loss, encode=net.output(model, 'encoder'), predict=net.output(model, 'head'))
