"""Self-training: a classifier labels what it is sure of, and learns from these labels as from given ones."""

from typing import Annotated, Any

import jax
import jax.numpy as jnp

from ssl_bench.contract import Method, Teacher
from ssl_bench.methods.classical._discriminant import fit, wrapper
from ssl_bench.settings.signature import UNIT, Range

VERSION = 1


def self_training(
  classes: int,
  examples: int,
  stored: Any,
  teacher: Teacher | None = None,
  *,
  threshold: Annotated[float, UNIT] = 0.75,
  rounds: Annotated[int, Range(0, 1000)] = 10,
  shrinkage: Annotated[float, Range(0, 1, above=True)] = 0.5,
) -> Method:
  """Yarowsky, "Unsupervised Word Sense Disambiguation Rivaling Supervised Methods" (1995).

  There is no network and no gradient.  In each round a classifier learns from all labels that there are; each
  unlabeled image whose most probable class is more probable than the threshold gets that class as its label,
  and keeps it.  Then the classifier learns once more.  It looks at pixels or, where the config has a teacher,
  at the teacher's features of unit length.

  Objective: the classifier is linear discriminant analysis with a shrunken covariance
  (`ssl_bench.methods.classical._discriminant.fit`), in closed form.

  Args:
    threshold: of the probability, in [0, 1] (scikit-learn's SelfTrainingClassifier: 0.75).
    rounds: how often images get labels (scikit-learn: 10); 0 is the classifier of the given labels.
    shrinkage: of the covariance towards a multiple of the identity, in (0, 1].

  Evaluated: the last classifier.  The features are the pixels, or the teacher's.
  BatchNorm: none.
  Deviations: the paper's classifier is a list of decisions, and labels may be taken back; here they stay, as
  in scikit-learn, whose SelfTrainingClassifier around LinearDiscriminantAnalysis(solver='lsqr') labels the
  same images alike.
  """

  def learn(features, labels):

    def turn(_, labels):
      log_probs = fit(features, labels, classes, shrinkage).log_probs(features)
      sure = (labels < 0) & (jnp.exp(log_probs.max(1)) > threshold)
      return jnp.where(sure, log_probs.argmax(1).astype('int32'), labels)

    return [fit(features, jax.lax.fori_loop(0, rounds, turn, labels), classes, shrinkage)]

  return wrapper(learn, 1, classes, examples, stored, teacher)
