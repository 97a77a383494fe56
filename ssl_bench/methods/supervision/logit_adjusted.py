"""Logit adjustment: cross-entropy of logits plus the log frequencies of classes, against imbalance."""

from typing import Annotated

import jax.numpy as jnp

from ssl_bench.contract import Method
from ssl_bench.losses import cross_entropy
from ssl_bench.methods.supervision._labeled import learned_by
from ssl_bench.nets import core as net
from ssl_bench.settings.signature import Range

VERSION = 1


def logit_adjusted(
  encoder: net.Net, classes: int, labeled_examples: int, *, temperature: Annotated[float, Range(0)] = 1.0
) -> Method:
  """Menon et al., "Long-tail Learning via Logit Adjustment" (2021).

  Objective (eq. 10): the mean cross-entropy of f(w(x)) + temperature · log π over labeled images, where π is
  the share of each class among the labeled images.  What is learned is then the classifier of balanced
  classes.

  Memory: the label of each labeled image, -1 until it is seen; π counts those that were seen, a class of
  which none was seen as one image.

  Args:
    temperature: τ of the paper, 1 in most of its experiments; 0 is cross-entropy.

  Evaluated: the network, without the adjustment.
  Deviations: π is counted while images are seen for the first time, which takes one pass; the paper knows it
  from the start.
  """

  def value_of(logits, labels, counts):
    known = jnp.maximum(counts, 1)
    prior = jnp.log(known / known.sum())
    return cross_entropy(logits + temperature * prior[None], labels).mean()

  return learned_by(value_of, encoder, classes, labeled_examples)
