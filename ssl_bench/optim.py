"""Optimizers and schedules; every number in them may be traced, so schedules are functions of the step."""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ssl_bench.settings.signature import (
  LARGEST,
  POSITIVE,
  BadSetting,
  Range,
  check,
  fits_single,
  parse_call,
  settings_of,
  short,
  suggest,
)

Rate = Annotated[float, Range(0)]
SHARE = Range(0, 1, below=True)
NO_CLIP = float('inf')


def sgd(
  *,
  lr: Rate = 0.03,
  momentum: Annotated[float, SHARE] = 0.9,
  nesterov: bool = True,
  weight_decay: Rate = 5e-4,
  schedule: str = 'cosine(7/16)',
) -> Callable:
  """SGD with momentum; weight decay is added to the gradient, not of biases and normalization.

  Args:
    lr: the rate at the top of the schedule.
    momentum: share of the old direction that is kept.
    nesterov: look ahead along the direction.
    weight_decay: of parameters with more than one axis: no bias, no normalization.
    schedule: constant, cosine(7/16) or warmup_cosine(0.1), over the steps of the run; with frozen=0.01
      among its values, nothing moves in that first part of it.
  """
  return lambda rate: optax.chain(
    optax.add_decayed_weights(weight_decay, mask=kernels),
    optax.sgd(rate, momentum, nesterov=nesterov),
  )


def adamw(
  *,
  lr: Rate = 1e-3,
  b1: Annotated[float, SHARE] = 0.9,
  b2: Annotated[float, SHARE] = 0.999,
  eps: Annotated[float, POSITIVE] = 1e-8,
  weight_decay: Rate = 0.05,
  schedule: str = 'warmup_cosine(0.1)',
) -> Callable:
  """AdamW (Loshchilov and Hutter, 2019); decoupled weight decay, not of biases and normalization.

  Args:
    lr: the rate at the top of the schedule.
    b1: decay of the mean of gradients.
    b2: decay of the mean of squared gradients.
    eps: added to the root.
    weight_decay: of parameters with more than one axis; multiplied by the rate.
    schedule: constant, cosine(7/16) or warmup_cosine(0.1), over the steps of the run; with frozen=0.01
      among its values, nothing moves in that first part of it.
  """
  return lambda rate: optax.adamw(rate, b1, b2, eps, weight_decay=weight_decay, mask=kernels)


def lars(
  *,
  lr: Rate = 0.3,
  momentum: Annotated[float, SHARE] = 0.9,
  nesterov: bool = False,
  weight_decay: Rate = 1e-6,
  trust: Annotated[float, POSITIVE] = 1e-3,
  schedule: str = 'warmup_cosine(0.1)',
) -> Callable:
  """LARS (You et al., 2017) as in SimCLR's code: biases and normalization have neither decay nor trust.

  The rate is inside the momentum's buffer, where BYOL and MoCo v3 have it outside; the two differ while the
  rate changes.

  Args:
    lr: the rate at the top of the schedule.
    momentum: share of the old direction that is kept, applied after the trust ratio.
    nesterov: look ahead along the direction.
    weight_decay: added to the gradient of parameters with more than one axis.
    trust: η of the ratio η‖w‖ / ‖g‖.
    schedule: constant, cosine(7/16) or warmup_cosine(0.1), over the steps of the run; with frozen=0.01
      among its values, nothing moves in that first part of it.
  """
  return lambda rate: optax.lars(
    rate,
    weight_decay,
    weight_decay_mask=kernels,
    trust_coefficient=trust,
    trust_ratio_mask=kernels,
    momentum=momentum,
    nesterov=nesterov,
  )


OPTIMIZERS = {f.__name__: f for f in (sgd, adamw, lars)}


def kernels(params):
  """True where a parameter has more than one axis."""
  return jax.tree.map(lambda p: p.ndim > 1, params)


def constant(step, steps):
  """1 at every step."""
  del steps
  return jnp.ones_like(step, 'float32')


def done(step, steps):
  """The part of a run that is over before `step`, in [0, 1]."""
  return jnp.minimum(jnp.asarray(step, 'float32') / steps, 1)


def cosine(part: Fraction) -> Callable:
  """cos(π · part · step / steps): with 7/16 the schedule of FixMatch, which ends at 0.195."""
  return lambda step, steps: jnp.cos(jnp.pi * float(part) * done(step, steps))


def warmup_cosine(warmup: Fraction) -> Callable:
  """Linear from 0 over the first `warmup` of the run, then half a cosine down to 0."""

  def schedule(step, steps):
    t, w = done(step, steps), float(warmup)
    return jnp.where(t < w, t / max(w, 1e-9), (1 + jnp.cos(jnp.pi * (t - w) / (1 - w))) / 2)

  return schedule


class Schedule(NamedTuple):
  """The factor of a rate over a run."""

  factor: Callable  # (step, steps) -> factor where nothing is frozen
  frozen: float  # part of the run at whose start parameters stand still

  def __call__(self, step, steps):
    return jnp.where(jnp.asarray(step, 'float32') < frozen_steps(self, steps), 0.0, self.factor(step, steps))


def frozen_steps(schedule: Schedule, steps):
  """The number of steps, from the first, at which nothing moves."""
  return jnp.round(schedule.frozen * steps)


def parse_schedule(text: str) -> Schedule:
  """The schedule that `'cosine(7/16)'` or `'cosine(7/16, frozen=0.01)'` says; raises `BadSetting`."""
  name, values, named = parse_call(text)
  shaped = {'cosine': (cosine, '7/16'), 'warmup_cosine': (warmup_cosine, '0.1')}
  if name != 'constant' and name not in shaped:
    raise BadSetting(f'There is no schedule {short(text)}; {suggest(name, ["constant", *shaped])}')
  make, default = shaped.get(name, (lambda part: constant, '0'))
  sample = name if name == 'constant' else f'{name}({default})'
  try:
    (value,) = values or [default]
    part, frozen = (_fraction(x) for x in (value, named.pop('frozen', 0)))
  except (ValueError, ZeroDivisionError):
    raise BadSetting(f'schedule {short(text)}: write one number or fraction, such as {sample}.') from None
  if named or (values and name == 'constant') or not (0 <= part < 1 and 0 <= frozen < 1):
    raise BadSetting(f'schedule {short(text)}: write one number in [0, 1), such as {sample}.')
  return Schedule(make(part), float(frozen))


def _fraction(value: Any) -> Fraction:
  """A number, or text such as 7/16; raises ValueError for other text, and for numbers without end."""
  if isinstance(value, str) and not re.fullmatch(r'\d{1,9}(/\d{1,9})?|\d{0,9}\.\d{1,20}', value.strip()):
    raise ValueError(value)
  return Fraction(str(value))


def check_optimizer(tree: Mapping[str, Any]) -> dict[str, Any]:
  """An optimizer's section with every default written out; `clip` and `groups` belong to all of them."""
  name = tree.get('name')
  if name not in list(OPTIMIZERS):
    raise BadSetting(f'There is no optimizer {short(name)}; {suggest(name, OPTIMIZERS)}')
  factory, where = OPTIMIZERS[name], f'optimizer {name}'
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
  settings = settings_of(OPTIMIZERS[tree['name']])

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

  Gradients are clipped by their global norm first; then each group of parameters (the first level of
  `params`) moves by its own settings, those not named by the settings of the group ''.
  """
  factory = OPTIMIZERS[structure['name']]

  def moved(group: str) -> optax.GradientTransformation:
    settings = {**structure['groups'][group], **numbers['groups'][group]}
    schedule = parse_schedule(settings['schedule'])
    still = frozen_steps(schedule, steps) if schedule.frozen else 0
    moves = factory(**settings)(
      lambda step: settings['lr'] * schedule.factor(jnp.asarray(step, 'float32') + still, steps)
    )
    return freeze(moves, still) if schedule.frozen else moves

  def labels(params):
    for group in structure['groups']:
      if group and group not in params:
        raise BadSetting(f'There is no group {group!r} of parameters; {suggest(group, params)}')
    return {
      k: jax.tree.map(lambda _, k=k: k if k in structure['groups'] else '', p) for k, p in params.items()
    }

  groups = {group: moved(group) for group in structure['groups']}
  whole = optax.partition(groups, labels) if len(groups) > 1 else groups['']
  return optax.chain(clip_by_global_norm(numbers['clip']), whole)


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
