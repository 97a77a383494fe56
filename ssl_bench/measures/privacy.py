"""Privacy: what training gave away of its images, as a bound and as an attack."""

from typing import TYPE_CHECKING, Any

from ssl_bench.evaluate import scores
from ssl_bench.evaluate.privacy import membership_auc
from ssl_bench.measures import ABSENT, Measure, part_of

if TYPE_CHECKING:
  from ssl_bench.evaluate.trained import Trained


def _membership(t: 'Trained') -> Any:
  if not (t.has_classifier and t.fitted.program.uses_labels):
    return ABSENT
  members, others = t.train.logits, t.test.logits
  assert members is not None and others is not None
  known = t.labeled
  return membership_auc(
    scores.losses(members[known], t.dataset.given_labels[known]), scores.losses(others, t.dataset.test_labels)
  )


def _spent(name: str, title: str, hint: str, **more: Any) -> Measure:
  more = {'range': (0, None), **more}
  path, read = ('metrics', 'privacy', name), part_of('privacy', name)
  return Measure(f'privacy_{name}', path, title, read, hint=hint, **more)


MEASURES = (
  Measure(
    'epsilon',
    ('metrics', 'privacy', 'epsilon'),
    'ε',
    part_of('privacy', 'epsilon'),
    hint='bound, at δ, on what the trained parameters tell of one image; not of the log, the evaluations or '
    'the choice of settings; ∞ is no bound',
    source='Abadi et al. 2016; composed by privacy loss distributions, Koskela et al. 2020',
    digits=2,
    better='lower',
    range=(0, None),
  ),
  _spent('stream', 'private stream', 'the private stream: the unit is one image of it', values='text'),
  _spent('unit', 'unit of privacy', 'in what two data sets may differ', values='text'),
  _spent('clip', 'clip', "norm to which one image's gradient is clipped"),
  _spent('noise', 'noise', 'standard deviation of the noise, in units of clip'),
  _spent('delta', 'δ', 'for which ε is stated', range=(0, 1)),
  _spent('sampling_rate', 'sampling rate', "probability of an image to be in a step's sample", range=(0, 1)),
  _spent('steps', 'private steps', 'steps that the bound is over', values='count', digits=0),
  _spent(
    'overflow',
    'overflow',
    'probability that a sample does not fit the padded batch, part of δ',
    range=(0, None),
  ),
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
