"""FixMatch under a combinator, from the papers' equations, in float64; and the combinator's memory.

A combinator is a pair of functions: `guide(own, *, step, steps, …) -> (log_prior [classes], keep [examples])`
before the loss, and `learn(own, probs, confidence, label, views, *, step, …) -> own` after it.
"""

import numpy as np

from golden import _layers


def fixmatch(params, stats, views, log_prior, keep, *, threshold, weight):
  """Terms, gradients, statistics, and (probs, corrected confidence, label, mask) of the weak view."""
  x, w, s = (views[name]['image'] for name in ('labeled', 'weak', 'strong'))
  cuts = [len(x), len(x) + len(w)]
  logits, pull, after = _layers.classify(params, stats, np.concatenate([x, w, s]))
  on_x, on_w, on_s = np.split(logits, cuts)
  q = _layers.softmax(on_w)
  aligned = q * np.exp(log_prior)
  aligned = aligned / aligned.sum(-1, keepdims=True)
  target, confidence = aligned.argmax(-1), aligned.max(-1)
  mask = (confidence >= threshold) & keep[views['weak']['index']]
  labeled, d_x = _layers.cross_entropy(on_x, views['labeled']['label'])
  unlabeled, d_s = _layers.cross_entropy(on_s, target, mask)
  none = np.zeros_like(logits)
  grads = {
    'loss/supervised': pull(np.concatenate([d_x, none[cuts[0] :]])),
    'loss/unsupervised': pull(np.concatenate([none[: cuts[1]], weight * d_s])),
  }
  terms = {'loss/supervised': labeled, 'loss/unsupervised': weight * unlabeled}
  return terms, grads, after, (q, confidence, target, mask)


class DistributionAlignment:
  """Berthelot et al. (2020), section 3.2: q · p(y) / p̃(y), normalized."""

  @staticmethod
  def guide(own, *, step, steps, target, examples, **settings):
    classes = len(own['beliefs'])
    marginal = own['labels'] if target == 'labeled' else np.full(classes, 1 / classes)
    return np.log((marginal + 1e-6) / (own['beliefs'] + 1e-6)), np.ones(examples, bool)

  @staticmethod
  def learn(own, probs, confidence, label, views, *, step, decay, **settings):
    slow = min(decay, (1 + step) / (10 + step))
    seen = np.eye(probs.shape[1])[views['labeled']['label']].mean(0)
    return {
      'beliefs': slow * own['beliefs'] + (1 - slow) * probs.mean(0),
      'labels': slow * own['labels'] + (1 - slow) * seen,
    }


class Curriculum:
  """Cascante-Bonilla et al. (2021): the surest share k / K of all images in stage k of K + 1."""

  @staticmethod
  def guide(own, *, step, steps, stages, ramp, examples, **settings):
    stage = min(step * (stages + 1) // (ramp * steps), stages)
    count = round(examples * stage / stages)
    confidence = own['confidence']
    threshold = sorted(confidence, reverse=True)[count - 1] if count else np.inf
    return np.zeros(1), confidence >= threshold

  @staticmethod
  def learn(own, probs, confidence, label, views, **settings):
    latest = own['confidence'].copy()
    for i, value in zip(views['weak']['index'], confidence):
      latest[i] = value
    return {'confidence': latest}


class ClassAwareSampling:
  """Wei et al. (2021): the pseudo-labels by which images are drawn; what is learned from them stays."""

  @staticmethod
  def guide(own, *, examples, **settings):
    return np.zeros(1), np.ones(examples, bool)

  @staticmethod
  def learn(own, probs, confidence, label, views, **settings):
    latest = own['label'].copy()
    for i, value in zip(views['weak']['index'], label):
      latest[i] = value
    return {'label': latest}

  @staticmethod
  def shares(labels, classes, power):
    """The probability of each image to be drawn first."""
    count = [sum(label == c for label in labels) for c in range(classes)]
    least = min(n for n in count if n)
    weights = np.array([(least / count[label]) ** power if label < classes else 1.0 for label in labels])
    return weights / weights.sum()
