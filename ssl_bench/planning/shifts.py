"""The check of a plan's shifts: each must exist for the kind of its data."""

from typing import TYPE_CHECKING

from ssl_bench.kinds import kind_of
from ssl_bench.settings.sections import SHIFTS
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.planning import Plan


def check_shifts(plan: 'Plan') -> None:
  """Raises `BadSetting` where a shift does not exist for the data, or nothing is classified."""
  dataset, asked = plan.dataset, plan.config.evaluate.shifts
  if asked and dataset.classes == 1:
    raise BadSetting(f'{dataset.name} has no labels to measure shifts by; leave evaluate.shifts out.')
  kind = kind_of(dataset.kind)
  there = [name for name, kinds in SHIFTS.items() if kind.name in kinds]
  for name in asked:
    if name not in there:
      rest = (
        f'choose from {", ".join(there)}' if there else 'there is none for them, leave evaluate.shifts out'
      )
      own = ' and '.join(kind_of(one).plural for one in SHIFTS[name])
      raise BadSetting(f'The shift {name} is for {own}, and {dataset.name} has {kind.plural}; {rest}.')
