"""GCE: a loss of labeled images between cross-entropy and absolute error, which wrong labels move less."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Method
from ssl_bench.losses import cross_entropy
from ssl_bench.methods.supervision._labeled import learned_by
from ssl_bench.nets import core as net
from ssl_bench.settings.signature import Range

VERSION = 1


def gce(encoder: net.Net, classes: int, *, power: Annotated[float, Range(0, 1, above=True)] = 0.7) -> Method:
  """Zhang and Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels"
  (2018).

  Objective (eq. 6): the mean of (1 - p_y^power) / power, where p_y is the probability of the given label of a
  labeled image.  It becomes cross-entropy as the power goes to 0 and absolute error at 1; its gradient is
  that of cross-entropy times p_y^power, so labels that the network does not believe move it less.

  Args:
    power: q of the paper, which takes 0.7 in all its experiments.

  Evaluated: the one network there is.
  Deviations: none; the truncated loss of section 3.3 is not here.
  """

  def value_of(logits, labels):
    # of p^q = exp(-q H), so that no gradient is infinite where p is 0
    return (-jnp.expm1(-power * cross_entropy(logits, labels)) / power).mean()

  return learned_by(value_of, encoder, classes)
