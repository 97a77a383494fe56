"""Co-training: two classifiers, each on half of the features, label images for each other."""

from typing import Annotated, Any

import jax
import jax.numpy as jnp

from ssl_bench.contract import Method, Teacher
from ssl_bench.methods.classical._discriminant import fit, wrapper
from ssl_bench.settings.signature import POSITIVE, Range

VERSION = 1


def co_training(
  classes: int,
  examples: int,
  stored: Any,
  teacher: Teacher | None = None,
  *,
  growth: Annotated[int, POSITIVE] = 1,
  rounds: Annotated[int, Range(0, 1000)] = 30,
  shrinkage: Annotated[float, Range(0, 1, above=True)] = 0.5,
) -> Method:
  """Blum and Mitchell, "Combining Labeled and Unlabeled Data with Co-Training" (1998), table 1.

  There is no network and no gradient.  Each of two classifiers looks at half of the features: of pixels, at
  the upper or the lower half of an image.  In each round both learn from all labels that there are, and give
  labels to the images that they are surest of, up to `growth` of each class.  The prediction is the product
  of both probabilities.  Where the config has a teacher, its features of unit length are cut in two.

  Objective: the classifiers are linear discriminant analysis with a shrunken covariance
  (`ssl_bench.methods.classical._discriminant.fit`), in closed form.

  Args:
    growth: images of each predicted class that a classifier labels in a round, at most (the paper: 1 positive
      and 3 negative ones of two classes).
    rounds: how often images get labels (the paper: k, 30); 0 is the product of both classifiers of the given
      labels.
    shrinkage: of the covariance towards a multiple of the identity, in (0, 1].

  Evaluated: both classifiers together.  The features are the pixels, or the teacher's.
  BatchNorm: none.
  Deviations: the paper's classifiers are naive Bayes, and choose from a pool of 75 unlabeled examples that is
  filled up each round; here they choose from all.  An image that both would label gets the first one's label.
  A teacher's features have no two natural views (Nigam and Ghani 2000 cut such features at random).
  """

  def learn(features, labels):
    upper = jnp.arange(features.shape[1]) < features.shape[1] // 2
    both = lambda labels: [fit(features, labels, classes, shrinkage, half) for half in (upper, ~upper)]

    def turn(_, labels):
      for one in both(labels):
        labels = surest(one.log_probs(features), labels, growth)
      return labels

    return both(jax.lax.fori_loop(0, rounds, turn, labels))

  return wrapper(learn, 2, classes, examples, stored, teacher)


def surest(log_probs, labels, growth):
  """Labels [n] after the `growth` images of each predicted class that are surest have got theirs."""
  predicted = log_probs.argmax(1).astype('int32')
  chosen = jnp.arange(log_probs.shape[1])[None] == predicted[:, None]
  others = jax.nn.logsumexp(jnp.where(chosen, -jnp.inf, log_probs), 1)
  sure = jnp.where(labels < 0, log_probs.max(1) - others, -jnp.inf)  # log odds tell 1 - 1e-9 from 1
  order = jnp.lexsort((-sure, predicted))  # by class, and in it from the surest
  at = jnp.arange(len(labels))
  first = jnp.searchsorted(predicted[order], jnp.arange(log_probs.shape[1]))
  place = jnp.zeros_like(at).at[order].set(at - first[predicted[order]])
  return jnp.where((place < growth) & (labels < 0), predicted, labels)
