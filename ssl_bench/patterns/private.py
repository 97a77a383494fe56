"""Differentially private SGD: a gradient estimator that clips each unit's gradient and adds noise to the sum.

Abadi et al., "Deep Learning with Differential Privacy" (2016), algorithm 1: every image is in a batch
independently with the same probability (Poisson sampling), gradients of single units are clipped to the norm
C, their sum gets Gaussian noise of standard deviation σC, and is divided by the batch that is expected.

The private stream is the labeled one where a method has it, else the unlabeled one, and the unit is one image
of it, added or removed.  A method with both streams takes each labeled image together with its share of
unlabeled images, which are public: what is protected is then which images are labeled, and how.

* ε covers all that training leaves behind: parameters, their average, teachers, the optimizer's state.  It
  does not cover the log, the evaluations, probes fitted on the training images, or the choice of settings.
* It holds for coins and noise that nobody else knows.  Here the seed stands in the record, so that a run can
  be repeated: who knows it can subtract the noise.  How many units there are is taken as known, and float32
  as exact.
* A unit's place in the padded batch, and with it its augmentation and its unlabeled images, depends on which
  others were drawn.  All places are alike in distribution, so this moves no other unit's share of the sum.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, StrictFloat

from ssl_bench.config import Config
from ssl_bench.evaluation import privacy
from ssl_bench.measures import Measure, of_pattern
from ssl_bench.pattern import Pattern, Table
from ssl_bench.settings.sections import LEAST, MOST, Section
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from jax.sharding import Mesh

  from ssl_bench.planning import Plan
  from ssl_bench.planning.structure import Structure


class Private(Section):
  """Differentially private SGD; ε comes out, at `delta`."""

  clip: StrictFloat = Field(1.0, ge=LEAST, le=MOST)  # norm to which the gradient of one unit is clipped
  noise: StrictFloat = Field(1.0, ge=0, le=MOST)  # its standard deviation, in units of `clip`; 0: no privacy
  delta: StrictFloat = Field(1e-5, gt=0, lt=1)


def numbers(settings: Private) -> dict[str, float]:
  return {'clip': settings.clip, 'noise': settings.noise}


def check_config(config: Config) -> None:
  """Training in one place, and without a teacher, whose ε would have to be added."""
  if 'private' in config.patterns and 'federated' in config.patterns:
    raise BadSetting('Private training happens in one place here; leave federated or private out.')
  if config.teacher:
    raise BadSetting('ε of a student or a teacher says nothing of both; leave teacher or private out.')
  if config.early_stop:
    raise BadSetting('ε is that of all steps, however early they stop; leave early_stop or private out.')


def check(plan: 'Plan') -> None:
  """A package that computes ε, a stream that is large enough, and a loss that is a sum over images."""
  from ssl_bench.patterns import _private_eligibility as eligibility
  from ssl_bench.patterns._private_steps import sample_of

  privacy.check_installed()
  sample = sample_of(plan)
  drawn, n, name = (sample[k] for k in ('expected', 'n', 'stream'))
  if drawn > n:
    raise BadSetting(f'A private step draws {drawn} of {n} {name} images on average; make the batch smaller.')
  if fault := eligibility.fault_of(plan):
    raise BadSetting(f'{plan.structure.method.name} {fault}')


def measure(plan: 'Plan', fitted: Any) -> dict[str, Any]:
  """ε and what it holds for."""
  from ssl_bench.patterns._private_steps import sample_of

  settings = plan.config.patterns['private'].model_dump()
  return privacy.spent(settings, sample_of(plan), plan.config.steps)


def _spent(name: str, title: str, hint: str, **more: Any) -> Measure:
  more = {'range': (0, None), **more}
  path, read = ('metrics', 'privacy', name), of_pattern('private', name)
  return Measure(f'privacy_{name}', path, title, read, hint=hint, **more)


MEASURES = (
  Measure(
    'epsilon',
    ('metrics', 'privacy', 'epsilon'),
    'ε',
    of_pattern('private', 'epsilon'),
    hint='bound, at δ, on what the trained parameters tell of one image; not of the log, the evaluations or '
    'the choice of settings; ∞ is no bound',
    source='Abadi et al. 2016; composed by privacy loss distributions, Koskela et al. 2020',
    digits=2,
    better='lower',
    range=(0, None),
    null='∞',
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
)


def drawer(structure: 'Structure', mesh: 'Mesh | None') -> Callable:
  """As `batch.drawer`, of a padded Poisson sample; imports JAX."""
  from ssl_bench.patterns import _private_steps

  return _private_steps.drawer(structure, mesh)


def estimator(structure: 'Structure', numbers: Mapping[str, Any]) -> Callable:
  """Stands where `jax.value_and_grad` stands: clips each unit's gradient and adds noise to the sum."""
  from ssl_bench.patterns import _private_steps

  return _private_steps.estimator(structure, numbers)


PATTERN = Pattern(
  'private',
  Private,
  numbers=numbers,
  check_config=check_config,
  check=check,
  drawer=drawer,
  estimator=estimator,
  measure=measure,
  measures=MEASURES,
  table=Table(
    'Private training',
    (
      'privacy_stream',
      'privacy_clip',
      'privacy_noise',
      'epsilon',
      'privacy_delta',
      'membership_auc',
      'encoder_membership_auc',
      'inversion_members_psnr',
    ),
  ),
  by_image=True,
)
