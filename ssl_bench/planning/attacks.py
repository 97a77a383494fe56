"""The check of a plan's attacks on privacy: each needs data on which it says something."""

from typing import TYPE_CHECKING

from ssl_bench import augment
from ssl_bench.kinds import kind_of
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.planning import Plan

OTHERWISE = ('shift', 'mismatch', 'imbalance', 'anomaly', 'held_out')  # stress that makes test images others


def check_attacks(plan: 'Plan') -> None:
  """Raises `BadSetting` where an attack has nothing to attack, or training images differ from test images."""
  asked = plan.config.evaluate.privacy
  for name in asked:
    if fault := CHECKS[name](plan):
      raise BadSetting(f'{fault}; leave {name} out of evaluate.privacy.')
  stress = plan.config.stress
  for kind in OTHERWISE if asked and stress else ():
    if getattr(stress, kind) is not None:
      raise BadSetting(
        f'Under stress.{kind} test images differ from those of training, which an attack would take for '
        'what it looks for; leave evaluate.privacy out.'
      )


def _membership(plan: 'Plan') -> str | None:
  config, dataset = plan.config, plan.dataset
  if dataset.graph is not None:
    return f'Training sees all nodes of {dataset.name}, so none is left to tell from them'
  policy = config.augment['strong']
  if augment.resolve(policy, dataset.channels, dataset.kind) == 'none':
    return f'augment.strong={policy} makes views that are all alike'
  return None


def _attributes(plan: 'Plan') -> str | None:
  if plan.dataset.train_groups is None:
    return f'{plan.dataset.name} does not say of its examples whom they are from, such as a speaker'
  return None


def _inversion(plan: 'Plan') -> str | None:
  if plan.dataset.kind != 'image':
    return f'Inversion is for images, and {plan.dataset.name} has {kind_of(plan.dataset.kind).plural}'
  return None


CHECKS = {'membership': _membership, 'attributes': _attributes, 'inversion': _inversion}
