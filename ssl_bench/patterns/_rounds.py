"""The rounds of federated averaging, as pure functions and as a compiled loop."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh

from ssl_bench import contract as m
from ssl_bench import parallel
from ssl_bench.data import stream
from ssl_bench.dependence import depends
from ssl_bench.pattern import Loop
from ssl_bench.planning import arrays, batch, build, policies
from ssl_bench.planning import numbers as numbers_
from ssl_bench.planning.structure import Structure
from ssl_bench.training import log

CLIENT = m.INIT - 3  # folded into the root key for the clients' own
DRAW = m.INIT - 4  # … and for which clients take part


class Round(NamedTuple):
  """The parts of a round, as pure functions.

  The server's state has an empty `opt_state`, and in `memory` that of all 'clients', as 'inner' the one that
  is evaluated, and the average of the parameters, where there is one, as 'ema'.
  """

  start: Callable  # (seed, data, numbers) -> (server, totals)
  choose: Callable  # (server, data) -> (clients that take part, int32 [drawn]; their weights, [drawn])
  enter: Callable  # (server, numbers, client) -> the client's state at the beginning
  step: Callable  # (state, totals, server's params, data, numbers, client) -> (state, totals)
  leave: Callable  # (server, numbers, clients, weights, states with an axis of clients) -> server


def make_round(structure: Structure, mesh: Mesh | None) -> Round:
  """A round of a structure; a client's batch is split over `mesh`, if there is one."""
  settings, average = structure.patterns['federated'].settings, structure.average
  make = build.builder(replace(structure, average=False))
  policy = policies.policies_of(structure, build.method_of(structure).views)
  draw = batch.drawer(structure, mesh)
  weighed = 'images' if 'unlabeled' in build.streams_of(structure) else 'labels'

  def start(seed: Any, data: Any, numbers: Any) -> Any:
    method, tx = make(numbers)
    key = jax.random.key(seed)
    state = m.init_state(method, tx, policy, key, draw(data, key, 0, None, client=jnp.int32(0)))
    each = jax.tree.map(lambda x: jnp.stack([x] * settings['clients']), state.memory)
    memory = {'inner': state.memory, 'clients': each} | ({'ema': state.params} if average else {})
    told = jax.eval_shape(measured, state, state.params, data, numbers, jnp.int32(0))[1]
    return state._replace(opt_state=(), memory=memory), log.empty(told)

  def choose(server: m.State, data: Any) -> Any:
    turn = server.step // settings['local_steps']
    key = jax.random.fold_in(jax.random.fold_in(server.key, DRAW), turn)
    clients = jnp.arange(settings['drawn'], dtype='int32')
    if settings['drawn'] < settings['clients']:
      clients = stream.permute(key, clients, settings['clients'])
    size = data['clients']['each'][weighed][clients].astype('float32')
    return clients, size / size.sum()

  def enter(server: m.State, numbers: Any, client: Any) -> Any:
    _, tx = make(numbers)
    assert tx is not None
    return server._replace(
      key=jax.random.fold_in(jax.random.fold_in(server.key, CLIENT), client),
      memory=jax.tree.map(lambda x: x[client], server.memory['clients']),
      opt_state=at_step(tx.init(server.params), server.step),
    )

  def measured(state: m.State, anchor: Any, data: Any, numbers: Any, client: Any) -> Any:
    method, tx = make({**numbers, 'examples': data['clients']['each']['images'][client]})
    method = (
      near(method, anchor, numbers['patterns']['federated']['proximal']) if settings['proximal'] else method
    )
    drawn = draw(data, state.key, state.step, None, client=client)
    new, told = m.make_step(method, tx, policy)(state, drawn)
    return new, log.measure(told, data['label'], structure.data.classes, state.step)

  def step(state: m.State, totals: Any, anchor: Any, data: Any, numbers: Any, client: Any) -> Any:
    state, added = measured(state, anchor, data, numbers, client)
    return state, log.add(totals, added)

  def leave(server: m.State, numbers: Any, clients: Any, weights: Any, states: m.State) -> Any:
    def mean(x: Any) -> Any:
      return (weights.reshape(-1, *[1] * (x.ndim - 1)) * x).sum(0).astype(x.dtype)

    def shown(old: Any, new: Any, read: Any) -> Any:
      return mean(new) if read and jnp.issubdtype(old.dtype, jnp.floating) else old

    params, stats = jax.tree.map(mean, (states.params, states.stats))
    done = server.step + settings['local_steps']
    old, read = server.memory, read_by_evaluation(make, server, numbers, structure.data.shape)
    memory = {
      'inner': jax.tree.map(shown, old['inner'], states.memory, read),
      'clients': jax.tree.map(lambda x, new: x.at[clients].set(new), old['clients'], states.memory),
    }
    if average:
      decay = m.warm(numbers['decay'], done) ** settings['local_steps']
      memory['ema'] = m.moving_average(old['ema'], params, decay)
    return server._replace(step=done, params=params, stats=stats, memory=memory)

  return Round(start, choose, enter, step, leave)


def compile_rounds(structure: Structure, mesh: Mesh) -> Loop:
  """The loop of rounds.  The clients of one take turns on the CPU, and elsewhere run at once under `vmap`.

  A loop inside a compiled program, and a convolution whose weights differ by client, are slow on the CPU.
  """
  settings, spread = structure.patterns['federated'].settings, parallel.everywhere(mesh)
  turns = make_round(structure, None if settings['together'] else mesh)
  put = lambda function, **more: jax.jit(function, out_shardings=spread, **more)
  shaped = lambda function, *arguments: _placed(jax.eval_shape(function, *arguments), spread)
  init, shape = put(turns.start), parallel.shape_on(spread)
  data, numbers = arrays.shapes(structure, shape), numbers_.shapes(structure, shape)
  server, totals = shaped(init, jax.ShapeDtypeStruct((), 'uint32'), data, numbers)
  client = jax.ShapeDtypeStruct((), 'int32', sharding=spread)
  state = shaped(turns.enter, server, numbers, client)
  arguments = (state, totals, server.params, data, numbers, client)
  lowered = put(turns.step, donate_argnums=1).lower(*arguments)
  if settings['together']:
    together = put(_at_once(turns, structure, mesh), donate_argnums=(0, 1))
    compiled = together.lower(server, totals, data, numbers).compile()
  else:
    compiled = lowered.compile()
  advance = compiled if settings['together'] else _by_turns(turns._replace(step=compiled), structure, put)
  make = build.builder(replace(structure, average=False))
  read = read_by_evaluation(make, server, numbers, structure.data.shape)
  facts = {'local_steps': settings['local_steps'], 'clients': settings['clients']}
  facts |= {'participants': settings['drawn'], **bytes_moved(server, read, settings['drawn'])}
  return Loop(init, advance, lowered, compiled, learners=settings['drawn'], facts=facts)


def _by_turns(turns: Round, structure: Structure, put: Callable) -> Callable:
  """A round in which one client runs after the other, in Python; nothing is fetched."""

  @put
  def begin(server: m.State, numbers: Any, clients: Any, turn: Any) -> Any:
    return turns.enter(server, numbers, clients[turn]), clients[turn]

  @put
  def end(server: m.State, numbers: Any, clients: Any, weights: Any, states: m.State) -> Any:
    together = jax.tree.map(lambda *x: jnp.stack(x), *states)
    return turns.leave(server, numbers, clients, weights, together)

  choose = put(turns.choose)

  def advance(server: m.State, totals: Any, data: Any, numbers: Any) -> Any:
    clients, weights = choose(server, data)
    states = []
    for turn in range(structure.patterns['federated'].settings['drawn']):
      state, client = begin(server, numbers, clients, jnp.int32(turn))
      for _ in range(structure.patterns['federated'].settings['local_steps']):
        state, totals = turns.step(state, totals, server.params, data, numbers, client)
      states.append(state._replace(opt_state=()))
    return end(server, numbers, clients, weights, states), totals

  return advance


def _at_once(turns: Round, structure: Structure, mesh: Mesh) -> Callable:
  """A round in which the clients are one axis, split over the mesh where it divides evenly."""

  def advance(server: m.State, totals: Any, data: Any, numbers: Any) -> Any:
    clients, weights = turns.choose(server, data)

    def run(client: Any) -> Any:
      body = lambda carry, _: (turns.step(*carry, server.params, data, numbers, client), None)
      carry = turns.enter(server, numbers, client), log.empty(totals)
      (state, added), _ = jax.lax.scan(
        body, carry, None, structure.patterns['federated'].settings['local_steps']
      )
      return state._replace(opt_state=()), added

    states, added = jax.vmap(run)(parallel.split_batch(clients, mesh))
    totals, _ = jax.lax.scan(lambda sums, own: (log.add(sums, own), None), totals, added)
    return turns.leave(server, numbers, clients, weights, states), totals

  return advance


def _placed(shapes: Any, sharding: Any) -> Any:
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), shapes)


def near(method: m.Method, anchor: Any, mu: Any) -> m.Method:
  """The method with FedProx's term, μ/2 ‖w - w_server‖², whose gradient is μ (w - w_server)."""

  inner = method.loss
  assert inner is not None, 'a method without a loss has no steps to keep near'

  def loss(state: m.State, views: Any, key: jax.Array) -> Any:
    value, aux = inner(state, views, key)
    apart = jax.tree.map(lambda w, w0: jnp.square(w - w0).sum(), state.params, anchor)
    term = mu / 2 * sum(jax.tree.leaves(apart))
    return value + term, aux._replace(metrics={**aux.metrics, 'loss/proximal': term})

  return method._replace(loss=loss)


def at_step(opt_state: Any, step: Any) -> Any:
  """A new optimizer's state at the run's place in its schedules; Adam's own count stays at zero."""
  scheduled = lambda path, _: getattr(path[-1], 'tuple_name', '') == 'ScaleByScheduleState'
  return optax.tree.set(opt_state, scheduled, count=step)


def read_by_evaluation(make: Callable, server: m.State, numbers: Any, shape: Any) -> Any:
  """For each part of a client's memory, whether features or predictions depend on it."""

  def look(memory: Any, state: m.State, numbers: Any, images: Any) -> Any:
    method, _ = make(numbers)
    return [f(state._replace(memory=memory), images) for f in (method.encode, method.predict) if f]

  images = jax.ShapeDtypeStruct((1, *shape), 'float32')
  return depends(look, server.memory['inner'], server._replace(memory=()), numbers, images)[0]


def bytes_moved(server: m.State, read: Any, drawn: int) -> dict[str, int]:
  """Bytes that a round moves from the server to its clients and back."""
  size = lambda tree: sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))
  model = size((server.params, server.stats))
  beside = size(jax.tree.map(lambda x, used: x if used else None, server.memory['inner'], read))
  return {'bytes_down': drawn * model, 'bytes_up': drawn * (model + beside)}
