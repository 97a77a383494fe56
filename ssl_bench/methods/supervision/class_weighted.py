"""Class-balanced loss: cross-entropy in which images of small classes weigh more, against imbalance."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Method
from ssl_bench.losses import cross_entropy
from ssl_bench.methods.supervision._labeled import learned_by
from ssl_bench.nets import core as net
from ssl_bench.settings.signature import Range

VERSION = 1


def class_weighted(
  encoder: net.Net,
  classes: int,
  labeled_examples: int,
  *,
  beta: Annotated[float, Range(0, 1, below=True)] = 0.9999,
) -> Method:
  """Cui et al., "Class-Balanced Loss Based on Effective Number of Samples" (2019).

  Objective (eq. 3 and section 4): the mean of w_y H(y, p(w(x))) over labeled images, where w_c is
  (1 - beta) / (1 - beta^n_c), one over the effective number of the n_c labeled images of class c, scaled so
  that the weights of all classes sum to their number.

  Memory: the label of each labeled image, -1 until it is seen; n_c counts those that were seen, a class of
  which none was seen as one image.

  Args:
    beta: 0 weighs all classes alike, near 1 a class weighs one over its number of images (the paper's values:
      0.9, 0.99, 0.999 and 0.9999).

  Evaluated: the one network there is.
  Deviations: n_c is counted while images are seen for the first time, which takes one pass; the paper knows
  it from the start.
  """

  def value_of(logits, labels, counts):
    log = jnp.log(jnp.maximum(jnp.float32(beta), 1e-30))
    effective = jnp.expm1(jnp.maximum(counts, 1) * log) / jnp.expm1(log)
    weight = 1 / effective
    weight = weight * classes / weight.sum()
    return (weight[labels] * cross_entropy(logits, labels)).mean()

  return learned_by(value_of, encoder, classes, labeled_examples)
