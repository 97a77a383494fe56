"""The optimizer of a config: checks its section, reads schedules, builds the optax transformation.

Every number may be traced, so schedules are functions of the step.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssl_bench import plugins
from ssl_bench.optim.schedules._shared import part_of
from ssl_bench.settings.signature import (
  LARGEST,
  BadSetting,
  bind,
  check,
  fits_single,
  parse_call,
  settings_of,
  short,
  suggest,
)

NO_CLIP = float('inf')


class Schedule(NamedTuple):
  """The factor of a rate over a run."""

  factor: Callable  # (step, steps) -> factor where nothing is frozen
  frozen: float  # part of the run at whose start parameters stand still

  def __call__(self, step, steps):
    return jnp.where(jnp.asarray(step, 'float32') < frozen_steps(self, steps), 0.0, self.factor(step, steps))


def frozen_steps(schedule: Schedule, steps):
  """The number of steps, from the first, at which nothing moves."""
  return jnp.round(schedule.frozen * steps)


def get(name: Any) -> Callable:
  """The factory of an optimizer; raises `BadSetting` for an unknown name."""
  return plugins.get('optimizers', name)


def parse_schedule(text: str) -> Schedule:
  """The schedule that `'cosine(7/16)'` or `'cosine(7/16, frozen=0.01)'` says; raises `BadSetting`."""
  name, values, named = parse_call(text)
  factory = plugins.get('schedules', name)
  frozen = named.pop('frozen', 0)
  known = [*settings_of(factory), 'frozen']
  for key in named:
    if key not in known:
      raise BadSetting(f'schedule {short(text)} has no setting {short(key)}; {suggest(key, known)}')
  if values and known == ['frozen']:
    raise BadSetting(f'schedule {short(text)}: {name} takes no settings; write {name} alone.')
  try:
    factor = factory(**bind(factory, values, named))
    return Schedule(factor, part_of(frozen, f'{name}(frozen=0.01)'))
  except BadSetting as error:
    raise BadSetting(f'schedule {short(text)}: {error}') from None


def check_optimizer(tree: Mapping[str, Any]) -> dict[str, Any]:
  """An optimizer's section with every default written out; `clip` and `groups` belong to all of them."""
  name = tree.get('name')
  factory, where = get(name), f'optimizer {name}'
  if missing := [k for k in ('lr', 'schedule') if k not in settings_of(factory)]:
    raise BadSetting(f'{where} must have a setting {missing[0]}; every optimizer has lr and schedule.')
  given = {k: v for k, v in tree.items() if k not in ('name', 'clip', 'groups')}
  known = [*settings_of(factory), 'clip', 'groups']
  for key in given:
    if key not in known:
      raise BadSetting(f'{where} has no setting {short(key)}; {suggest(key, known)}')
  base = check(factory, given, where)
  parse_schedule(base['schedule'])
  clip = tree.get('clip')
  number = isinstance(clip, (int, float)) and not isinstance(clip, bool)
  if clip is not None and not (number and 0 < clip <= LARGEST and fits_single(clip)):
    raise BadSetting(f'{where}: clip must be a number above 0 or null, not {short(clip)}.')
  groups = {}
  own = {} if tree.get('groups') is None else tree['groups']
  if not isinstance(own, Mapping) or not all(
    isinstance(group, str) and group and isinstance(changes, Mapping) for group, changes in own.items()
  ):
    raise BadSetting(f'{where}: groups must be of the form {{head: {{lr: 0.1}}}}, not {short(own)}.')
  for group, changes in own.items():
    groups[group] = check(factory, base | changes, f'{where} group {group}')
    parse_schedule(groups[group]['schedule'])
  return {'name': name, **base, 'clip': None if clip is None else float(clip), 'groups': groups}


def split_numbers(tree: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
  """A checked section as (numbers, structure): what is traced and what is compiled."""
  settings = settings_of(get(tree['name']))

  def part(section, traced):
    return {k: v for k, v in section.items() if k in settings and settings[k].is_number == traced}

  numbers = {'': part(tree, True), **{g: part(s, True) for g, s in tree['groups'].items()}}
  structure = {'': part(tree, False), **{g: part(s, False) for g, s in tree['groups'].items()}}
  clip = NO_CLIP if tree['clip'] is None else tree['clip']
  return {'groups': numbers, 'clip': clip}, {'name': tree['name'], 'groups': structure}


def make_optimizer(
  structure: Mapping[str, Any], numbers: Mapping[str, Any], steps
) -> optax.GradientTransformation:
  """The optimizer of a checked section; the entries of `numbers` and `steps` may be traced.

  Gradients are clipped by their global norm first; then each group of parameters (a part of `params`,
  see `check_groups`) moves by its own settings, those not named by the settings of the group ''.
  """
  factory = get(structure['name'])

  def moved(group: str) -> optax.GradientTransformation:
    settings = {**structure['groups'][group], **numbers['groups'][group]}
    schedule = parse_schedule(settings['schedule'])
    still = frozen_steps(schedule, steps) if schedule.frozen else 0
    moves = factory(**settings)(
      lambda step: settings['lr'] * schedule.factor(jnp.asarray(step, 'float32') + still, steps)
    )
    return freeze(moves, still) if schedule.frozen else moves

  def labels(params):
    check_groups(structure['groups'], params)
    owner = lambda path, _: max((g for g in structure['groups'] if _begins(g, _path(path))), key=len)
    return jax.tree_util.tree_map_with_path(owner, params)

  groups = {group: moved(group) for group in structure['groups']}
  whole = optax.partition(groups, labels) if len(groups) > 1 else groups['']
  return optax.chain(clip_by_global_norm(numbers['clip']), whole)


def check_groups(groups: Collection[str], params: Any) -> None:
  """Raises `BadSetting` for a group that names no parameters.

  A group is a part of the parameters, such as `head`, or a part of a part, such as `encoder/Dense_0`; the
  smallest one that holds a parameter moves it.
  """
  paths = [_path(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
  for group in groups:
    if group and not any(_begins(group, path) for path in paths):
      depth = group.count('/') + 1
      known = sorted({'/'.join(path.split('/')[:depth]) for path in paths})
      raise BadSetting(f'optimizer.groups: there are no parameters {group!r}; {suggest(group, known)}')


def _path(path: Any) -> str:
  return jax.tree_util.keystr(path, simple=True, separator='/')


def _begins(group: str, path: str) -> bool:
  """Whether a parameter belongs to a group; all of them belong to that without a name."""
  return not group or path == group or path.startswith(f'{group}/')


class Frozen(NamedTuple):
  """The state of `freeze`."""

  step: jax.Array
  inner: Any


def freeze(moves: optax.GradientTransformation, still) -> optax.GradientTransformation:
  """Nothing moves in the first `still` steps (which may be traced): no decay, no momentum gathers.

  Then `moves` begins, its first step counted as 0.
  """

  def init(params):
    return Frozen(jnp.zeros((), 'int32'), moves.init(params))

  def update(grads, state, params=None):
    begun = state.step.astype('float32') >= still
    updates, inner = moves.update(grads, state.inner, params)
    updates = jax.tree.map(lambda u: jnp.where(begun, u, jnp.zeros_like(u)), updates)
    inner = jax.tree.map(lambda new, old: jnp.where(begun, new, old), inner, state.inner)
    return updates, Frozen(state.step + 1, inner)

  return optax.GradientTransformation(init, update)


def clip_by_global_norm(limit) -> optax.GradientTransformation:
  """Scales gradients down to a global norm of at most `limit`, which may be traced or infinite."""

  def update(updates, state, params=None):
    del params
    norm = optax.tree.norm(updates)
    factor = jnp.where(norm > limit, limit / jnp.maximum(norm, 1e-30), 1.0)
    return jax.tree.map(lambda g: (g * factor).astype(g.dtype), updates), state

  return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
