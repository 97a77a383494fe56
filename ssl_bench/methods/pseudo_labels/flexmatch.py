"""FlexMatch: FixMatch with lower thresholds for the classes that are learned more slowly."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, believe
from ssl_bench.methods.pseudo_labels._weak_to_strong import VIEWS, objective, see
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import UNIT, Range

VERSION = 1


def flexmatch(
  encoder: net.Net,
  classes: int,
  examples: int,
  held: float,
  *,
  threshold: Annotated[float, UNIT] = 0.95,
  weight: Annotated[float, Range(0)] = 1.0,
) -> Method:
  """Zhang et al., "FlexMatch: Boosting Semi-Supervised Learning with Curriculum Pseudo Labeling" (2021).

  FixMatch with a threshold per class: low where few images are yet believed to be of the class.

  Objective (section 3): mean H(y, p(w(x))) + weight · mean 1[max q ≥ T(ŷ)] H(ŷ, p(s(u))), with
  q = p(w(u)) held constant and ŷ = argmax q.  The second mean is over all unlabeled images.

  Thresholds: T(c) = τ · β(c) / (2 − β(c)), the convex mapping, with β(c) = σ(c) / max(max σ, N − Σ σ), the
  warm-up.  σ(c) counts the images of the unlabeled set whose latest confident pseudo-label is c, and
  N − Σ σ those that never had one.  Under federated training N is the number of a client's own images.

  Memory: the latest confident pseudo-label of each of the N unlabeled images, `classes` where there is
  none yet; after a step, those of its batch with max q ≥ τ are written.  τ itself decides here, not
  T(c), as in the authors' code, who say that it is meant so (TorchSSL, issues 41, 66 and 73).

  Args:
    threshold: confidence in [0, 1] that counts as learned (τ, section 4: 0.95), the upper bound of T(c).
    weight: of the unlabeled term (λ, section 4: 1).

  Evaluated: the network; under `with_ema` its average, as in the paper.
  One forward pass sees labeled, weak and strong images together, so BatchNorm's moments are shared
  (TorchSSL's code, and FixMatch's).
  Deviations: max q ≥ T as in the authors' code, where the paper has >, so before anything is
  learned, when all T(c) = 0, every image is used in both.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    return *model.init(key, views['labeled']['image']), {'learned': jnp.full(examples, classes, 'int32')}

  def loss(state, views, key):
    on, stats = see(model, state, views, key)
    belief = believe(on.weak, views['weak'])
    count = jnp.bincount(state.memory['learned'], length=classes + 1)[:classes]
    beta = count / jnp.maximum(count.max(), held - count.sum())
    mask = (belief.confidence >= threshold * (beta / (2 - beta))[belief.label]) & belief.keep
    value, metrics, pseudo = objective(on, views, belief, mask, weight)
    at = jnp.where(belief.confidence >= threshold, pseudo.index, examples)  # past the end: dropped
    memory = {'learned': state.memory['learned'].at[at].set(belief.label.astype('int32'), mode='drop')}
    return value, Aux(stats, memory, metrics | {'learned': count.sum() / held}, pseudo)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  return Method(VIEWS, init, loss, encode=encode, predict=predict, believes='weak')
