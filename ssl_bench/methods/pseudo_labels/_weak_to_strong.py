"""What FixMatch and its successors share: the views, the one forward pass, and the objective."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ssl_bench.contract import Belief, PseudoLabels, State, View, Views, concatenate
from ssl_bench.losses import cross_entropy
from ssl_bench.nets.core import Net

VIEWS = {
  'labeled': View('labeled', 'weak'),
  'weak': View('unlabeled', 'weak'),
  'strong': View('unlabeled', 'strong'),
}


class Logits(NamedTuple):
  """The logits of the three views."""

  labeled: jax.Array  # [labeled, classes]
  weak: jax.Array  # [unlabeled, classes]
  strong: jax.Array  # [unlabeled, classes]


def see(model: Net, state: State, views: Views, key: jax.Array) -> tuple[Logits, Any]:
  """The logits of all views from one pass, which therefore share BatchNorm's moments; and the new moments."""
  x, w, s = (views[v]['image'] for v in ('labeled', 'weak', 'strong'))
  out, stats = model.apply(state.params, state.stats, concatenate([x, w, s]), train=True, key=key)
  return Logits(*jnp.split(out['head'], [len(x), len(x) + len(w)])), stats


def objective(
  on: Logits, views: Views, belief: Belief, mask: jax.Array, weight: Any
) -> tuple[jax.Array, dict[str, jax.Array], PseudoLabels]:
  """mean H(y, p(labeled)) + weight · mean mask H(belief, p(strong)); also its terms, and the pseudo-labels.

  The second mean is over all unlabeled images, whether `mask`, bool [unlabeled], uses them or not.
  """
  labeled = cross_entropy(on.labeled, views['labeled']['label']).mean()
  unlabeled = weight * jnp.where(mask, cross_entropy(on.strong, belief.label), 0).mean()
  metrics = {
    'loss/supervised': labeled,
    'loss/unsupervised': unlabeled,
    'agreement': (on.strong.argmax(-1) == belief.label).mean(),
  }
  pseudo = PseudoLabels(views['weak']['index'], belief.label, belief.confidence, mask, belief.probs)
  return labeled + unlabeled, metrics, pseudo


# `objective` ends alike but does not call this: records hold a digest of the code that a method reaches.
def report(
  on: Logits, views: Views, belief: Belief, used: jax.Array, labeled: jax.Array, unlabeled: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array], PseudoLabels]:
  """What `objective` returns, of terms that a method has computed itself.

  Args:
    on: the logits of the three views.
    views: the views.
    belief: the pseudo-labels.
    used: which of them the unlabeled term uses, bool [unlabeled], or how much of each, float32 in [0, 1].
    labeled: the labeled term, a scalar.
    unlabeled: the unlabeled term, a scalar.
  """
  metrics = {
    'loss/supervised': labeled,
    'loss/unsupervised': unlabeled,
    'agreement': (on.strong.argmax(-1) == belief.label).mean(),
  }
  pseudo = PseudoLabels(views['weak']['index'], belief.label, belief.confidence, used, belief.probs)
  return labeled + unlabeled, metrics, pseudo


def corrected(logits: jax.Array, view: Mapping[str, Any]) -> jax.Array:
  """The logits [batch, classes] of a view from which `believe` makes pseudo-labels, held constant."""
  logits = jax.lax.stop_gradient(logits)
  return logits + view['log_prior'][None] if 'log_prior' in view else logits
