"""Privacy: what an attack learns of the training images."""

from typing import TYPE_CHECKING, Any

from ssl_bench.evaluation import scores
from ssl_bench.evaluation.privacy import membership_auc
from ssl_bench.measures import ABSENT, Measure

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained


def _membership(t: 'Trained') -> Any:
  if not (t.has_classifier and t.fitted.program.uses_labels):
    return ABSENT
  members, others = t.train.logits, t.test.logits
  assert members is not None and others is not None
  known = t.labeled
  return membership_auc(
    scores.losses(members[known], t.dataset.given_labels[known]), scores.losses(others, t.dataset.test_labels)
  )


MEASURES = (
  Measure(
    'membership_auc',
    ('metrics', 'membership_auc'),
    'membership AUC',
    _membership,
    hint='attack that tells labeled images from test images by their losses; 0.5 is a guess',
    source='Yeom et al. 2018, at every threshold',
    table='privacy',
    range=(0, 1),
  ),
)
