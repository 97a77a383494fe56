"""The log of training: sums kept on the device, fetched and turned into means once per interval."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ssl_bench import contract as m


def measure(log: m.Log, hidden, classes: int, step) -> dict[str, Any]:
  """What one step adds to the log; here, and only here, pseudo-labels meet the hidden labels."""
  metrics = {k: jnp.asarray(v, 'float32') for k, v in log.metrics.items()}
  good = jnp.isfinite(metrics['loss']) & jnp.isfinite(metrics['grad_norm'])
  bad = jnp.where(good, -1, step).astype('int32')
  measured = {'metrics': metrics, 'count': jnp.ones((), 'int32'), 'bad_step': bad}
  if log.pseudo is None:
    return measured
  index, label, _, mask, *_ = log.pseudo
  truth, mask = hidden[index], mask.astype('float32')
  known = (truth >= 0).astype('float32')
  count = lambda at, weight: jnp.zeros(classes, 'float32').at[at].add(weight * known, mode='drop')
  return {
    **measured,
    'pseudo': {
      'seen': count(truth, jnp.ones_like(mask)),  # by true class
      'kept': count(truth, mask),
      'claimed': count(label, mask),  # by pseudo-label
      'correct': count(label, mask * (label == truth)),
    },
  }


def empty(measured) -> dict[str, Any]:
  """Totals of nothing, from the shapes of what one step adds."""
  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), measured)
  return {**zeros, 'bad_step': jnp.full((), -1, 'int32')}


def add(totals, measured):
  """Sums, and the first step whose loss or gradient was not finite."""
  added = jax.tree.map(jnp.add, totals, measured)
  first = jnp.where(totals['bad_step'] >= 0, totals['bad_step'], measured['bad_step'])
  return {**added, 'bad_step': first}


def means(seen, step: int) -> tuple[dict[str, Any], int]:
  """The means since the last log, as plain numbers, and the first step that was not finite (-1: none)."""
  count = max(1, int(seen['count']))
  metrics: dict[str, Any] = {'step': step}
  metrics |= {name: float(total) / count for name, total in seen['metrics'].items()}
  if 'pseudo' in seen:
    metrics |= pseudo_labels(seen['pseudo'])
  return metrics, int(seen['bad_step'])


def pseudo_labels(counts: dict[str, np.ndarray]) -> dict[str, Any]:
  """Precision, coverage and skew of pseudo-labels; None where there were none.

  By class there are precision and coverage, and which share of the pseudo-labels (`labeled_by_class`) and of
  the images seen (`seen_by_class`) is of each class.  Skew is half the sum of the absolute differences of
  these two, their total variation distance: the least share of pseudo-labels that would have to be of another
  class for both to be alike.
  """

  def ratio(a, b):
    return float(a) / float(b) if b > 0 else None

  seen, kept, claimed, correct = (counts[k] for k in ('seen', 'kept', 'claimed', 'correct'))
  of_labels, of_images = ([ratio(one, found.sum()) for one in found] for found in (claimed, seen))
  skew = sum(abs(a - b) for a, b in zip(of_labels, of_images) if a is not None and b is not None) / 2
  return {
    'pseudo/precision': ratio(correct.sum(), claimed.sum()),
    'pseudo/coverage': ratio(kept.sum(), seen.sum()),
    'pseudo/skew': skew if claimed.sum() > 0 and seen.sum() > 0 else None,
    'pseudo/precision_by_class': [ratio(a, b) for a, b in zip(correct, claimed)],
    'pseudo/coverage_by_class': [ratio(a, b) for a, b in zip(kept, seen)],
    'pseudo/labeled_by_class': of_labels,
    'pseudo/seen_by_class': of_images,
  }
