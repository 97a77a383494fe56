"""The objective that the Π-model and Mean Teacher share: the labels, and agreement of two predictions."""

from typing import Any

import jax

from ssl_bench.contract import PseudoLabels, use_all
from ssl_bench.losses import cross_entropy, squared_error


def objective(
  logits: jax.Array, labels: jax.Array, student: jax.Array, target: jax.Array, weight: Any, index: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array], PseudoLabels]:
  """mean H(y, p(x)) + weight · mean ‖student − target‖² / classes; also its terms, and pseudo-labels.

  Args:
    logits: on the labeled images [labeled, classes].
    labels: int32 [labeled].
    student: predictions on a view of the unlabeled images, probabilities [unlabeled, classes].
    target: the predictions that they should agree with, held constant, [unlabeled, classes].
    weight: of the agreement.
    index: the positions of these images in the unlabeled set, int32 [unlabeled].
  """
  supervised = cross_entropy(logits, labels).mean()
  consistency = weight * squared_error(student, target).mean()
  pseudo = use_all(index, target)
  metrics = {
    'loss/supervised': supervised,
    'loss/consistency': consistency,
    'agreement': (student.argmax(-1) == pseudo.label).mean(),
  }
  return supervised + consistency, metrics, pseudo
