"""Pseudo-labels: those that combinators can change, and those that are used as they are."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ssl_bench.contract.state import PseudoLabels


class Belief(NamedTuple):
  """Pseudo-labels of a batch, held constant, after the combinators' changes."""

  label: jax.Array  # int32 [batch]
  confidence: jax.Array  # float32 [batch]
  keep: Any  # bool [batch], or True: which of them may be used
  probs: jax.Array  # float32 [batch, classes], the network's own prediction


def believe(logits: jax.Array, view: Mapping[str, Any]) -> Belief:
  """Makes pseudo-labels from the logits [batch, classes] of a view.

  A combinator puts its changes into the view: its `log_prior` [classes] is added to the logits, and images
  outside its `keep` [batch] are not to be used.
  """
  logits = jax.lax.stop_gradient(logits)
  probs = jax.nn.softmax(logits)
  corrected = jax.nn.softmax(logits + view['log_prior'][None]) if 'log_prior' in view else probs
  return Belief(corrected.argmax(-1), corrected.max(-1), view.get('keep', True), probs)


def use_all(index: jax.Array, probs: jax.Array) -> PseudoLabels:
  """The most probable class of every image, none of them left out.  int32 [batch], [batch, classes]."""
  confidence = probs.max(-1)
  return PseudoLabels(index, probs.argmax(-1), confidence, jnp.ones_like(confidence))
