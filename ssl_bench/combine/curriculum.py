"""Curriculum labeling: use the most confident pseudo-labels first, and the others in stages."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.combine._memory import with_memory
from ssl_bench.contract import Method
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def curriculum(
  method: Method,
  examples: int,
  held: float,
  steps: float,
  *,
  stages: Annotated[int, POSITIVE] = 5,
  ramp: Annotated[float, Range(0, 1, above=True)] = 1.0,
) -> Method:
  """Cascante-Bonilla et al., "Curriculum Labeling: Revisiting Pseudo-Labeling …" (2021).

  In stage k of K + 1, k = 0 … K, only the share k / K of the unlabeled images, those with the highest
  confidence, is used: none at first, all in the end (the paper: percentiles in steps of 20).

  Memory: the latest confidence of each unlabeled image, 0 before the first.  An image is used if its
  remembered confidence is at least the quantile 1 − k / K of all remembered ones; under federated training,
  of those of the client's own images.

  Args:
    stages: K, after the one without pseudo-labels (the paper: 5, for steps of 20 %).
    ramp: the part of training that the stages share equally; the last one goes on after it.

  Evaluated: what the method evaluates.
  Deviations: the network goes on where the paper restarts it in every stage, so that mistakes of early stages
  can last; labels are renewed in every step, not once a stage; a method's own threshold applies as well (the
  paper has none: threshold 0).
  On the digits (experiments/combinators.yaml, three pairs, 40 labels) it is not separable from FixMatch:
  +0.1 ± 3.4 points, paired, and +2.3 ± 11.7 where classes are imbalanced 10 to 1.
  """

  def guide(own, state):
    risen = (state.step * (stages + 1)).astype('float32') / (ramp * steps)
    stage = jnp.minimum(jnp.floor(risen), stages)
    left_out = examples - jnp.round(stage / stages * held).astype('int32')
    ranked = jnp.append(jnp.sort(own['confidence']), jnp.inf)
    return {'keep': own['confidence'] >= ranked[left_out]}

  def learn(own, state, views, pseudo):
    del state, views
    return {'confidence': own['confidence'].at[pseudo.index].set(pseudo.confidence)}

  return with_memory(method, {'confidence': jnp.zeros(examples)}, learn, guide=guide)
