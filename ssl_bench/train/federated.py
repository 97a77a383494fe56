"""Federated averaging: clients take the shared step apart, each on its own images; the server takes the mean.

McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data" (2017), the
algorithm FederatedAveraging, and Li et al., "Federated Optimization in Heterogeneous Networks" (2020), whose
proximal term keeps a client near the server (FedProx).

A round: some clients are drawn without replacement; each starts from the server's `params` and `stats`,
with its own key and its own `memory`, and takes `local_steps` of the one step on its own images, labeled and
unlabeled; then the server's `params` and `stats` are the mean of theirs, weighted by how many images each
holds: those of the unlabeled stream, or, where a method has none, the labeled ones.

* `memory` (teachers, queues, pseudo-labels by image) stays with its client.  What the evaluated network
  reads of it, such as a teacher, is averaged in the same way for evaluation alone: no client starts from it.
* The average of the parameters (EMA) lives on the server and moves once a round, by as much as its steps.
* The optimizer starts anew in each round, but for its place in the schedule, which is that of the run.
* A client's batches are a function of its key and the run's step: those of a round that it sits out are
  skipped.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ssl_bench import contract as m
from ssl_bench import parallel
from ssl_bench.config import Config
from ssl_bench.data import stream
from ssl_bench.data.arrays import Dataset
from ssl_bench.data.clients import Shares, deal
from ssl_bench.dependence import depends
from ssl_bench.settings.signature import BadSetting
from ssl_bench.train import batch, log
from ssl_bench.train.structure import abstract, builder, method_of, streams_of, uses_labels

CLIENT = m.INIT - 3  # folded into the root key for the clients' own
DRAW = m.INIT - 4  # … and for who takes part


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


class Rounds(NamedTuple):
  """The compiled loop, and what compiling it told."""

  init: Callable  # as in `Program`
  advance: Callable
  lowered: Any  # one step of one client
  compiled: Any  # what runs the most
  facts: Mapping[str, int]  # clients, participants, and the bytes that a round moves down and up


def make_round(parts: Mapping[str, Any], mesh) -> Round:
  """A round of a structure; a client's batch is split over `mesh`, if there is one."""
  settings, streams = parts['federated'], streams_of(parts)
  build = builder({**parts, 'average': False})
  policies = batch.policies_of(parts, method_of(parts).views)
  draw = batch.drawer(parts, streams, mesh)
  held = 'images' if 'unlabeled' in streams else 'labels'

  def start(seed, data, numbers):
    method, tx = build(numbers)
    key = jax.random.key(seed)
    state = m.init_state(method, tx, policies, key, draw(data, key, 0, None, client=jnp.int32(0)))
    each = jax.tree.map(lambda x: jnp.stack([x] * settings['clients']), state.memory)
    memory = {'inner': state.memory, 'clients': each} | ({'ema': state.params} if parts['average'] else {})
    told = jax.eval_shape(measured, state, state.params, data, numbers, jnp.int32(0))[1]
    return state._replace(opt_state=(), memory=memory), log.empty(told)

  def choose(server, data):
    turn = server.step // settings['local_steps']
    key = jax.random.fold_in(jax.random.fold_in(server.key, DRAW), turn)
    clients = jnp.arange(settings['drawn'], dtype='int32')
    if settings['drawn'] < settings['clients']:
      clients = stream.permute(key, clients, settings['clients'])
    size = data['clients']['each'][held][clients].astype('float32')
    return clients, size / size.sum()

  def enter(server, numbers, client):
    _, tx = build(numbers)
    return server._replace(
      key=jax.random.fold_in(jax.random.fold_in(server.key, CLIENT), client),
      memory=jax.tree.map(lambda x: x[client], server.memory['clients']),
      opt_state=at_step(tx.init(server.params), server.step),
    )

  def measured(state, anchor, data, numbers, client):
    method, tx = build({**numbers, 'held': data['clients']['each']['images'][client]})
    method = near(method, anchor, numbers['proximal']) if settings['proximal'] else method
    drawn = draw(data, state.key, state.step, None, client=client)
    new, told = m.make_step(method, tx, policies)(state, drawn)
    return new, log.measure(told, data['label'], parts['classes'], state.step)

  def step(state, totals, anchor, data, numbers, client):
    state, added = measured(state, anchor, data, numbers, client)
    return state, log.add(totals, added)

  def leave(server, numbers, clients, weights, states):
    def mean(x):
      return (weights.reshape(-1, *[1] * (x.ndim - 1)) * x).sum(0).astype(x.dtype)

    def shown(old, new, read):
      return mean(new) if read and jnp.issubdtype(old.dtype, jnp.floating) else old

    params, stats = jax.tree.map(mean, (states.params, states.stats))
    done = server.step + settings['local_steps']
    old, read = server.memory, read_by_evaluation(build, server, numbers, parts['shape'])
    memory = {
      'inner': jax.tree.map(shown, old['inner'], states.memory, read),
      'clients': jax.tree.map(lambda x, new: x.at[clients].set(new), old['clients'], states.memory),
    }
    if parts['average']:
      decay = m.warm(numbers['decay'], done) ** settings['local_steps']
      memory['ema'] = m.moving_average(old['ema'], params, decay)
    return server._replace(step=done, params=params, stats=stats, memory=memory)

  return Round(start, choose, enter, step, leave)


def compile_rounds(parts: Mapping[str, Any], mesh) -> Rounds:
  """The loop of rounds.  The clients of one take turns on the CPU, and elsewhere run at once under `vmap`.

  A loop inside a compiled program, and a convolution whose weights differ by client, are slow on the CPU.
  """
  settings, spread = parts['federated'], parallel.everywhere(mesh)
  check_method(method_of(parts))
  turns = make_round(parts, None if settings['together'] else mesh)
  put = lambda function, **more: jax.jit(function, out_shardings=spread, **more)
  shaped = lambda function, *arguments: _placed(jax.eval_shape(function, *arguments), spread)
  init, (data, numbers) = put(turns.start), abstract(parts, spread)
  server, totals = shaped(init, jax.ShapeDtypeStruct((), 'uint32'), data, numbers)
  client = jax.ShapeDtypeStruct((), 'int32', sharding=spread)
  state = shaped(turns.enter, server, numbers, client)
  arguments = (state, totals, server.params, data, numbers, client)
  lowered = put(turns.step, donate_argnums=1).lower(*arguments)
  if settings['together']:
    together = put(_at_once(turns, parts, mesh), donate_argnums=(0, 1))
    compiled = together.lower(server, totals, data, numbers).compile()
  else:
    compiled = lowered.compile()
  advance = compiled if settings['together'] else _by_turns(turns._replace(step=compiled), parts, put)
  read = read_by_evaluation(builder({**parts, 'average': False}), server, numbers, parts['shape'])
  facts = {'clients': settings['clients'], 'participants': settings['drawn']}
  return Rounds(init, advance, lowered, compiled, facts | bytes_moved(server, read, settings['drawn']))


def _by_turns(turns: Round, parts: Mapping[str, Any], put: Callable) -> Callable:
  """A round in which one client runs after the other, in Python; nothing is fetched."""

  @put
  def begin(server, numbers, clients, turn):
    return turns.enter(server, numbers, clients[turn]), clients[turn]

  @put
  def end(server, numbers, clients, weights, states):
    together = jax.tree.map(lambda *x: jnp.stack(x), *states)
    return turns.leave(server, numbers, clients, weights, together)

  choose = put(turns.choose)

  def advance(server, totals, data, numbers):
    clients, weights = choose(server, data)
    states = []
    for turn in range(parts['federated']['drawn']):
      state, client = begin(server, numbers, clients, jnp.int32(turn))
      for _ in range(parts['federated']['local_steps']):
        state, totals = turns.step(state, totals, server.params, data, numbers, client)
      states.append(state._replace(opt_state=()))
    return end(server, numbers, clients, weights, states), totals

  return advance


def _at_once(turns: Round, parts: Mapping[str, Any], mesh) -> Callable:
  """A round in which the clients are one axis, split over the mesh where it divides evenly."""

  def advance(server, totals, data, numbers):
    clients, weights = turns.choose(server, data)

    def run(client):
      body = lambda carry, _: (turns.step(*carry, server.params, data, numbers, client), None)
      carry = turns.enter(server, numbers, client), log.empty(totals)
      (state, added), _ = jax.lax.scan(body, carry, None, parts['federated']['local_steps'])
      return state._replace(opt_state=()), added

    states, added = jax.vmap(run)(parallel.split_batch(clients, mesh))
    totals, _ = jax.lax.scan(lambda sums, own: (log.add(sums, own), None), totals, added)
    return turns.leave(server, numbers, clients, weights, states), totals

  return advance


def _placed(shapes, sharding):
  return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), shapes)


def shares_of(config: Config, dataset: Dataset, labeled: np.ndarray) -> Shares | None:
  """Who holds what, or None where training is not federated; raises `BadSetting` where that cannot be.

  The deal is by `seed`, and where training sees no label it does not depend on which are seen, so that one
  pretraining still serves all label budgets.
  """
  if config.federated is None:
    return None
  if dataset.stream is not None:
    raise BadSetting(
      'Clients are dealt the whole unlabeled set; leave federated out, or stress.unlabeled, mismatch and '
      'imbalance.'
    )
  return deal(
    dataset.train_labels,
    dataset.classes,
    clients=config.federated.clients,
    split=config.federated.split,
    seed=config.seed,
    extra=dataset.n_unlabeled - dataset.n_train,
    labeled=labeled if uses_labels(config, dataset) else None,
    least=config.batch.unlabeled,
  )


def check_method(method: m.Method) -> None:
  """Raises `BadSetting` for a method that no client can run on its own images."""
  for way, does in ((method.refresh, 'looks at'), (method.sample, 'chooses its batches from')):
    if way:
      raise BadSetting(
        f'This method {does} the whole unlabeled set, which no client has; leave federated out.'
      )


def near(method: m.Method, anchor, mu) -> m.Method:
  """The method with FedProx's term, μ/2 ‖w - w_server‖², whose gradient is μ (w - w_server)."""

  inner = method.loss
  assert inner is not None, 'a method without a loss has no steps to keep near'

  def loss(state, views, key):
    value, aux = inner(state, views, key)
    apart = jax.tree.map(lambda w, w0: jnp.square(w - w0).sum(), state.params, anchor)
    term = mu / 2 * sum(jax.tree.leaves(apart))
    return value + term, aux._replace(metrics={**aux.metrics, 'loss/proximal': term})

  return method._replace(loss=loss)


def at_step(opt_state, step):
  """A new optimizer's state at the run's place in its schedules; Adam's own count stays at zero."""
  scheduled = lambda path, _: getattr(path[-1], 'tuple_name', '') == 'ScaleByScheduleState'
  return optax.tree.set(opt_state, scheduled, count=step)


def evaluated(state: m.State) -> m.State:
  """The server's state as its method reads it; that of `with_ema` has an average beside what is inside."""
  memory = {k: v for k, v in state.memory.items() if k != 'clients'}
  return state._replace(memory=memory if 'ema' in memory else memory['inner'])


def read_by_evaluation(build: Callable, server: m.State, numbers, shape) -> Any:
  """For each part of a client's memory, whether features or predictions depend on it."""

  def look(memory, state, numbers, images):
    method, _ = build(numbers)
    return [f(state._replace(memory=memory), images) for f in (method.encode, method.predict) if f]

  images = jax.ShapeDtypeStruct((1, *shape), 'float32')
  return depends(look, server.memory['inner'], server._replace(memory=()), numbers, images)[0]


def bytes_moved(server: m.State, read, drawn: int) -> dict[str, int]:
  """Bytes that a round moves from the server to its clients and back."""
  size = lambda tree: sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))
  model = size((server.params, server.stats))
  beside = size(jax.tree.map(lambda x, used: x if used else None, server.memory['inner'], read))
  return {'bytes_down': drawn * model, 'bytes_up': drawn * (model + beside)}
