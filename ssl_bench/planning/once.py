"""What is found of a structure once, for all trials that share it."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  from ssl_bench.planning import Plan
  from ssl_bench.planning.structure import Structure


def once_per_structure(find: 'Callable[[Plan], str | None]') -> 'Callable[[Plan], str | None]':
  """A function of a plan that is called again only for a plan of another structure."""
  found: dict[Structure, str | None] = {}

  @wraps(find)
  def first(plan: 'Plan') -> str | None:
    if plan.structure not in found:
      found[plan.structure] = find(plan)
    return found[plan.structure]

  return first
