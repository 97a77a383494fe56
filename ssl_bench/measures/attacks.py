"""Attacks on a trained encoder: membership, attributes and inversion, as `evaluate.privacy` asks for them.

Beside each stands what the same attack finds on the encoder before training; see `evaluation.attacks`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ssl_bench.measures import ABSENT, Measure

if TYPE_CHECKING:
  from ssl_bench.evaluation.trained import Trained

LIU = 'Liu et al. 2021, by a threshold on the mean similarity'
SONG = 'Song & Shmatikov 2020, by the linear probe of the protocol'
DOSOVITSKIY = 'Dosovitskiy & Brox 2016 for the idea; the decoder is ridge regression'
CARLINI = 'Carlini et al. 2022, for the number'
WHO = {  # whose reconstructions -> how a hint says it
  'members': 'of training images from their features',
  'others': 'of test images from their features',
  'untrained': 'of training images from their features before training',
  'mean': 'of training images by the mean validation image',
}
ERRORS: dict[str, dict[str, Any]] = {
  'mse': {'hint': 'mean squared error, pixels in [0, 1],', 'digits': 4, 'better': 'higher', 'range': (0, 1)},
  'psnr': {'hint': 'peak signal-to-noise ratio', 'unit': 'dB', 'digits': 1, 'better': 'lower'},
  'ssim': {'hint': 'mean structural similarity', 'better': 'lower', 'range': (-1, 1)},
}


def _of(
  attack: str, name: str, title: str, value: 'Callable[[Any], Any]', path: tuple[str, ...] = (), **more: Any
) -> Measure:
  """A row of an attack, whose value is read from what the attack found."""

  def function(t: 'Trained') -> Any:
    found = getattr(t.attacks, attack)
    return ABSENT if found is None else value(found)

  return Measure(name, ('metrics', 'attacks', attack, *(path or (name,))), title, function, **more)


def _membership(name: str, title: str, value: 'Callable[[Any], Any]', **more: Any) -> Measure:
  more = {'source': LIU, 'range': (0, 1), **more}
  return _of('membership', f'encoder_membership_{name}', title, value, (name,), **more)


def _attribute(name: str, title: str, value: 'Callable[[Any], Any]', **more: Any) -> Measure:
  more = {'source': SONG, 'range': (0, 1), 'unit': '%', 'digits': -1, **more}
  return _of('attributes', f'attribute_{name}', title, value, (name,), **more)


def _inversion(who: str, error: str) -> Measure:
  more = {'source': DOSOVITSKIY, **ERRORS[error]}
  hint = f'{more.pop("hint")} {WHO[who]}, by a linear decoder fitted on validation images'
  if who == 'mean':
    hint, more['better'] = f'{ERRORS[error]["hint"]} {WHO[who]}', None
  title = f'inversion, {error.upper()}' + {'members': '', 'others': ' of test images'}.get(who, f', {who}')
  shown = 'privacy' if error != 'mse' and who in ('members', 'untrained') else ''
  value = lambda found: getattr(found[who], error)
  return _of(
    'inversion', f'inversion_{who}_{error}', title, value, (who, error), hint=hint, table=shown, **more
  )


MEASURES = (
  _membership(
    'auc',
    'encoder membership AUC',
    lambda found: found.trained.auc,
    hint='attack that tells training examples from test examples by how alike their views are to the '
    'encoder; 0.5 is a guess',
    table='privacy',
  ),
  _membership(
    'auc_interval',
    'interval of the encoder membership AUC',
    lambda found: found.trained.auc_interval,
    hint='95 % interval of it over examples; null below 3 members',
    source='DeLong et al. 1988',
    values='interval',
  ),
  _membership(
    'tpr',
    'encoder membership TPR at 1 % FPR',
    lambda found: found.trained.tpr,
    unit='%',
    digits=1,
    hint='share of training examples that the attack finds where it accuses at most 1 % of the others; 1 % '
    'is a guess; null below 100 others',
    source=CARLINI,
    table='privacy',
    better='lower',
  ),
  _membership(
    'auc_untrained',
    'encoder membership AUC, untrained',
    lambda found: found.untrained.auc,
    hint='the AUC of the same attack on the encoder before training, which knows no example: what it is off '
    '0.5 is the split',
    table='privacy',
  ),
  _membership(
    'auc_untrained_interval',
    'interval of the encoder membership AUC, untrained',
    lambda found: found.untrained.auc_interval,
    hint='95 % interval of it over examples',
    source='DeLong et al. 1988',
    values='interval',
  ),
  _membership(
    'members',
    'members attacked',
    lambda found: found.members,
    hint='training examples that the attack is tried on, and as many test examples',
    values='count',
    digits=0,
    range=(0, None),
  ),
  _membership(
    'stream',
    'stream of the members',
    lambda found: found.stream,
    hint='the unlabeled stream, or the labeled one where training saw no other',
    values='text',
    range=(None, None),
  ),
  _attribute(
    'balanced',
    'group inferred',
    lambda found: found.trained.balanced,
    hint='balanced accuracy of a linear probe that tells the group of a test example, such as its speaker, '
    'from its features',
    table='privacy',
    better='lower',
  ),
  _attribute(
    'balanced_interval',
    'interval of the group inferred',
    lambda found: found.trained.balanced_interval,
    hint='95 % interval of it over test examples; null below 3',
    source='Efron 1979, percentile bootstrap',
    values='interval',
    unit='',
    digits=3,
  ),
  _attribute(
    'chance',
    'group inferred, by chance',
    lambda found: found.trained.chance,
    hint='balanced accuracy of a guess: one over the number of groups of the test part',
    table='privacy',
  ),
  _attribute(
    'untrained',
    'group inferred, untrained',
    lambda found: found.untrained.balanced,
    hint='balanced accuracy of the same probe on the encoder before training',
    table='privacy',
  ),
  _attribute(
    'accuracy',
    'group inferred, plain accuracy',
    lambda found: found.trained.accuracy,
    hint='share of test examples whose group the probe tells',
    better='lower',
  ),
  _attribute(
    'majority',
    'group inferred, majority',
    lambda found: found.trained.majority,
    hint='plain accuracy of always naming the largest group of the training part',
  ),
  *(_inversion(who, error) for error in ('psnr', 'ssim', 'mse') for who in WHO),
)
