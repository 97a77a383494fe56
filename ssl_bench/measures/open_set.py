"""Open set: how well unknown classes are told from known ones, under the stress `mismatch`."""

from typing import TYPE_CHECKING, Any

from ssl_bench.data.stress import mismatched_classes
from ssl_bench.evaluation import open_set
from ssl_bench.measures import ABSENT, Measure, part_of

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

LIU = 'Liu et al. 2020'
SCORES = {  # name -> what it is, and its source
  'confidence': ('the largest probability', 'Hendrycks & Gimpel 2017'),
  'energy': ('the logarithm of the summed exponentials of all logits', LIU),
}


def _of(score: str) -> tuple[Measure, Measure]:
  hint, source = SCORES[score]
  same: dict[str, Any] = {'table': 'open_set', 'range': (0, 1)}
  return (
    Measure(
      f'open_set_{score}_auroc',
      ('metrics', 'open_set', f'{score}_auroc'),
      f'AUROC of unknown classes, {score}',
      part_of('open_set', f'{score}_auroc'),
      hint='probability that a test image of a known class scores higher than one of a class without labels; '
      f'the score is {hint}; 0.5 is a guess',
      source=source,
      better='higher',
      **same,
    ),
    Measure(
      f'open_set_{score}_fpr',
      ('metrics', 'open_set', f'{score}_fpr'),
      f'unknown at 95 % known, {score}',
      part_of('open_set', f'{score}_fpr'),
      unit='%',
      digits=1,
      hint='share of the unknown test images that pass a threshold which 95 % of the known ones pass (FPR at '
      f'95 % TPR); the score is {hint}',
      source=LIU,
      better='lower',
      **same,
    ),
  )


def _pseudo_labeled(t: 'Trained') -> Any:
  """The share of the unknown unlabeled images of the last log interval that got a pseudo-label."""
  stress, last = t.config.stress, t.last_log
  if stress is None or stress.mismatch is None or 'pseudo/seen_by_class' not in last:
    return ABSENT
  known = mismatched_classes(stress.mismatch, t.dataset.classes, t.config.split_seed).labeled
  unknown = [c for c in range(t.dataset.classes) if c not in known]
  seen = [share or 0.0 for share in last['pseudo/seen_by_class']]
  return open_set.share_kept(last['pseudo/coverage_by_class'], seen, unknown)


MEASURES = (
  *(row for score in SCORES for row in _of(score)),
  Measure(
    'open_set_pseudo_labeled',
    ('metrics', 'open_set', 'pseudo_labeled'),
    'unknown that got a pseudo-label',
    _pseudo_labeled,
    unit='%',
    digits=1,
    hint='share of the unlabeled images of unknown classes that got a pseudo-label, each of them wrong, over '
    'the last log interval only; null where there was none of them',
    table='open_set',
    better='lower',
    range=(0, 1),
  ),
  Measure(
    'open_set_images',
    ('metrics', 'open_set', 'count'),
    'unknown test images',
    part_of('open_set', 'count'),
    hint='test images of classes without labels, to be told from the test part',
    values='count',
    digits=0,
    table='open_set',
  ),
)
