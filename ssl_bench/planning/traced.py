"""Whether the code of plugins keeps the contract: what it returns is traced, and nothing is compiled or run.

Things of this package are tested instead.  Each check raises `BadSetting` with one sentence: what must be
returned, or what failed at which line.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from ssl_bench import augment
from ssl_bench import contract as m
from ssl_bench.kinds import kind_of
from ssl_bench.kinds.graph import graph_of_shapes
from ssl_bench.planning import numbers, states
from ssl_bench.planning.build import builder, kind_of_value, make_net, method_of
from ssl_bench.planning.once import once_per_structure
from ssl_bench.planning.structure import Part, Structure
from ssl_bench.plugins import OURS, origin
from ssl_bench.plugins.blame import blame, named
from ssl_bench.settings.signature import BadSetting

if TYPE_CHECKING:
  from ssl_bench.planning import Plan

IMAGES = 2  # in the batch on which nets, encode and predict are traced


@once_per_structure
def check_plugins(plan: 'Plan') -> None:
  """Nets, operations, and then the method, as far as they are of plugins."""
  structure = plan.structure
  for part, inputs in ((structure.net, _images(structure)), (structure.text_net, _captions(structure))):
    if part and inputs and _is_outside('nets', part.name):
      _check_net(part, inputs)
  for text in structure.policies.values():
    for name, settings in augment.parse(text):
      if _is_outside('augment', name):
        _check_operation(name, settings, structure)
  parts = [('methods', structure.method.name), *(('combine', part.name) for part in structure.combine)]
  if outside := [one for one in parts if _is_outside(*one)]:
    _check_method(replace(structure, average=False), *outside[-1])


def _is_outside(kind: str, name: str) -> bool:
  return origin(kind, name) != OURS


def _check_net(part: Part, inputs: Any) -> None:
  """`init` and `apply` on a batch, as training and as evaluation call them."""
  for train in (False, True):

    def features(key: Any, inputs: Any, train: bool = train) -> Any:
      net = make_net(part)
      params, stats = net.init(key, inputs)
      return net.apply(params, stats, inputs, train=train, key=key)[0]

    with blame('nets', part.name, f'on a batch of {_said(inputs)}'):
      found = jax.eval_shape(features, _key(), inputs)
    _check_array(found, ('batch', 'features'), f'{named("nets", part.name)} must return')


def _check_operation(name: str, settings: Mapping[str, Any], structure: Structure) -> None:
  kind = kind_of(structure.data.kind)
  image = jax.ShapeDtypeStruct(structure.data.stored, kind.stored)
  operation, who = augment.make(name, settings), named('augment', name)
  if not callable(operation):
    raise BadSetting(f'{who} must return a function (key, image) -> image, not {_kind(operation)}.')
  if structure.data.graph:
    _check_graph_operation(name, operation, who, structure)
    return
  change = augment.on_columns(operation, structure.data.columns) if structure.data.columns else operation
  thing = {'table': 'a row', 'series': 'a series', 'audio': 'a sound'}.get(kind.name, 'an image')
  with blame('augment', name, f'on {thing} of {list(image.shape)}'):
    found = jax.eval_shape(change, _key(), image)
  shape = _shape(found)
  forms = [(len(image.shape), image.shape[2:], kind.stored)]
  if kind.name == 'audio':  # or a spectrogram
    forms += [(len(structure.data.shape), structure.data.shape[2:], kind.read)]
  if (len(shape), shape[2:], getattr(found, 'dtype', None)) not in forms:
    raise BadSetting(f'{who} must give {thing}, {kind.stored} {_sizes(*image.shape)}, not {_kind(found)}.')


def _check_graph_operation(name: str, operation: Any, who: str, structure: Structure) -> None:
  nodes = _images(structure)
  with blame('augment', name, 'on the nodes of a graph'):
    found = jax.eval_shape(operation, _key(), nodes)
  if str(jax.tree.structure(found)) != str(jax.tree.structure(nodes)):
    raise BadSetting(f'{who} must give the nodes of a graph of the same size, not {_kind(found)}.')


def _check_method(structure: Structure, kind: str, name: str) -> None:
  """`init`, `loss`, `encode` and `predict`, called with the shapes of a trial."""
  make, given = builder(structure), numbers.shapes(structure, jax.ShapeDtypeStruct)
  who = named(kind, name).replace('The', 'the', 1)
  with blame(kind, name, 'in init'):
    made = states.at_start(structure, given)
  if not (isinstance(made, tuple) and len(made) == 3 and isinstance(made[0], Mapping)):
    raise BadSetting(f'init of {who} must return (params, stats, memory), params a dict by name.')
  state: Any = m.State(_key(), jax.ShapeDtypeStruct((), 'int32'), *made, opt_state=())  # type: ignore[arg-type]
  method, classes = method_of(structure), structure.data.classes

  def call(what: str, *inputs: Any) -> Any:
    with blame(kind, name, f'in {what}'):
      return jax.eval_shape(lambda given, *rest: getattr(make(given)[0], what)(*rest), given, state, *inputs)

  if method.loss:
    found = call('loss', states.views_of(structure), _key())
    if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], m.Aux)):
      raise BadSetting(f'loss of {who} must return (value, Aux(stats, memory, metrics)).')
    _check_array(found[0], (), f'loss of {who} must return one number for the batch, that is')
  for what, sizes in (('encode', ('batch', 'features')), ('predict', ('batch', classes))):
    if getattr(method, what):
      _check_array(call(what, _images(structure)), sizes, f'{what} of {who} must return')


def _check_array(found: Any, sizes: tuple[str | int, ...], must: str) -> None:
  """Raises `BadSetting`, which begins with `must`, unless it is a float array of these sizes."""
  shape = _shape(found)
  wanted = (IMAGES, *sizes[1:]) if sizes else ()
  fits = len(shape) == len(sizes) and all(n == w for n, w in zip(shape, wanted) if isinstance(w, int))
  if not (fits and hasattr(found, 'dtype') and jnp.issubdtype(found.dtype, jnp.floating)):
    raise BadSetting(f'{must} float {_sizes(*sizes)}, not {_kind(found)}.')


def _shape(thing: Any) -> tuple[int, ...]:
  return getattr(thing, 'shape', (-1,) * 9)


def _kind(thing: Any) -> str:
  return f'{thing.dtype} {_sizes(*thing.shape)}' if hasattr(thing, 'shape') else kind_of_value(thing)


def _said(inputs: Any) -> str:
  return 'nodes' if isinstance(inputs, m.Nodes) else str(list(inputs.shape))


def _sizes(*sizes: str | int) -> str:
  return f'[{", ".join(map(str, sizes))}]'


def _images(structure: Structure) -> Any:
  data = structure.data
  if data.graph:
    shape = jax.ShapeDtypeStruct
    return m.Nodes(graph_of_shapes(data.graph, shape), shape((IMAGES,), 'int32'))
  return jax.ShapeDtypeStruct((IMAGES, *data.shape), kind_of(data.kind).read)


def _captions(structure: Structure) -> jax.ShapeDtypeStruct | None:
  found = structure.data.captions
  return jax.ShapeDtypeStruct((IMAGES, found[-1]), 'int32') if found else None


def _key() -> Any:
  return jax.eval_shape(lambda: jax.random.key(0))
