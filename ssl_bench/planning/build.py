"""A structure's method and optimizer, built from numbers that may be traced; and its nets."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import repeat
from typing import Any

import jax
import numpy as np
import optax

from ssl_bench import combine, methods, nets, optim, plugins
from ssl_bench import contract as m
from ssl_bench.kinds import kind_of
from ssl_bench.nets.core import Net, starting_from
from ssl_bench.planning.structure import Part, Structure
from ssl_bench.plugins.blame import blame, named
from ssl_bench.resolve import FURTHER, POLICIES
from ssl_bench.settings.signature import BadSetting, facts_of, short, suggest

# Stand-ins for the numbers of a method that is only asked for its views.
NO_NUMBERS: dict[str, Any] = {'method': {}, 'optimizer': None, 'decay': 0.0, 'steps': 1.0, 'combine': None}
Build = Callable[[Mapping[str, Any]], tuple[m.Method, optax.GradientTransformation | None]]


def builder(structure: Structure) -> Build:
  """numbers -> (method, optimizer); without an optimizer's numbers, no optimizer.

  `numbers['examples']`, if it is there, says how many unlabeled images a training holds, such as a client's;
  else all.  `numbers['teacher']` is what `teaching` gives.
  """
  data, encoder = structure.data, make_net(structure.net)
  known = {
    'encoder': encoder,
    'text_encoder': structure.text_net and make_net(structure.text_net),
    'prompts': data.prompts and np.array(data.prompts, 'uint8'),
    'classes': data.classes,
    'examples': data.unlabeled,
    'labeled_examples': data.train,
    'shape': data.shape,
    'stored': jax.ShapeDtypeStruct(data.stored, kind_of(data.kind).stored),
    'columns': data.columns or (),
  }
  teach = teacher_of(structure.teacher) if structure.teacher else lambda given: None

  def build(numbers: Mapping[str, Any]) -> tuple[m.Method, optax.GradientTransformation | None]:
    facts = {**known, 'steps': numbers['steps'], 'teacher': teach(numbers.get('teacher'))}
    facts['held'] = numbers.get('examples', known['examples'])
    if structure.begins:
      facts['encoder'] = starting_from(encoder, facts['teacher'])
    given, name = facts_for('methods', structure.method.name, facts), structure.method.name
    with blame('methods', name):
      made = methods.get(name)(*given, **structure.method.settings, **numbers['method'])
    method = as_method(made, f'method {name}')
    for part, own in zip(structure.combine, numbers['combine'] or repeat({})):
      given = facts_for('combine', part.name, facts)
      with blame('combine', part.name):
        made = combine.get(part.name)(method, *given, **part.settings, **own)
      method = as_method(made, f'combinator {part.name}')
    if structure.average:
      method = m.with_ema(method, decay=numbers['decay'])
    if numbers['optimizer'] is None:
      return method, None
    steps = numbers['steps'] / method.trainings if method.trainings > 1 else numbers['steps']
    return method, optim.make_optimizer(structure.optimizer, numbers['optimizer'], steps)

  return build


def facts_for(kind: str, name: str, facts: Mapping[str, Any]) -> list[Any]:
  """The facts that a method or a combinator asks for; raises `BadSetting` for one that there is not."""
  asked = facts_of(plugins.get(kind, name))[kind == 'combine' :]  # a combinator is given its method first
  for fact in asked:
    if fact not in facts:
      raise BadSetting(
        f'{named(kind, name)} asks for {fact!r}, which is no fact of a trial; {suggest(fact, list(facts))} '
        'A setting stands behind *.'
      )
  return [facts[fact] for fact in asked]


@lru_cache(maxsize=256)
def method_of(structure: Structure) -> m.Method:
  """A structure's method without its numbers, to be asked for its views, or whether it has a classifier."""
  return builder(structure)(NO_NUMBERS)[0]


def streams_of(structure: Structure) -> frozenset[str]:
  """The streams that a structure's own steps draw from."""
  return frozenset(view.stream for view in method_of(structure).views.values())


def streams_seen(structure: Structure) -> frozenset[str]:
  """The streams that a training sees, its teachers' among them; `refresh` sees all unlabeled images."""
  seen = streams_of(structure)
  if structure.teacher:
    seen |= streams_seen(structure.teacher)
  return seen | ({'unlabeled'} if method_of(structure).refresh else frozenset())


def teacher_of(structure: Structure) -> Callable[[Any], m.Teacher]:
  """(what `teaching` gives) -> the teacher as a method sees it.

  For None it gives a teacher that can be asked only whether it has a classifier.
  """
  build = builder(structure)

  def teach(given: Any) -> m.Teacher:
    if given is None:
      method = method_of(structure)
      return m.Teacher(method.encode, method.predict, None, None)
    state, method = given['state'], build(given['numbers'])[0]
    params = state.memory['ema'] if structure.average else state.params
    read = lambda function: function and (lambda images: function(state, images))
    return m.Teacher(read(method.encode), read(method.predict), params, state.stats)

  return teach


def make_net(part: Part) -> Net:
  """A net; raises `BadSetting` where its factory makes something else."""
  with blame('nets', part.name):
    net = nets.get(part.name)(**part.settings)
  if not isinstance(net, Net):
    raise BadSetting(
      f'The factory of net {part.name} must return a Net, not {kind_of_value(net)}; '
      'wrap a Flax module by ssl_bench.nets.core.from_linen(module).'
    )
  return net


def as_method(made: Any, what: str) -> m.Method:
  """What the factory of a method or a combinator made; raises `BadSetting` for something else."""
  if not isinstance(made, m.Method):
    raise BadSetting(
      f'The factory of {what} must return a Method, not {kind_of_value(made)}; '
      'end it by return ssl_bench.contract.Method(views, init, loss, …).'
    )
  if not isinstance(made.views, Mapping) or not all(isinstance(v, m.View) for v in made.views.values()):
    raise BadSetting(f"The views of {what} must be a dict of View('labeled', 'weak') and the like, by name.")
  for name, view in made.views.items():
    for field, value, known in (
      ('stream', view.stream, m.STREAMS),
      ('augment', view.augment, (*POLICIES, *FURTHER)),
    ):
      if value not in known:
        raise BadSetting(
          f'{field} of the view {name!r} of {what} cannot be {short(value)}; {suggest(value, known)}'
        )
  return made


def kind_of_value(thing: Any) -> str:
  """'nothing', or 'a value of type dict': what a factory returned in place of what it must."""
  return 'nothing' if thing is None else f'a value of type {type(thing).__name__}'
