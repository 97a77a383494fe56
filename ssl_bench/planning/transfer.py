"""The check of a plan's transfer: each set must be there, have labels, and be read by the trial's net."""

from typing import TYPE_CHECKING

from ssl_bench import data
from ssl_bench.data.conform import check_conform
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.planning import Plan

SETTING = 'evaluate.transfer'


def check_transfer(plan: 'Plan') -> None:
  """Raises `BadSetting` where a set is not there, has no labels, or no form that the net reads."""
  for name in plan.config.evaluate.transfer:
    other = data.load(name)
    if other.classes == 1:
      raise BadSetting(f'{SETTING}: {name} has no labels to fit a probe with; leave it out.')
    check_conform(other, plan.dataset, SETTING)
