"""A round is its clients one by one: steps, images, memory, and the weighted mean in NumPy."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from immutabledict import immutabledict
from support.cli import write_configs
from support.compilations import compilations
from support.tiny_method import KEY
from support.tiny_trial import LABELS, make_config
from support.training import arrays, stop_after, train
from support.trees import assert_near, assert_same, host, retype

from ssl_bench import contract as m
from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.dependence import depends
from ssl_bench.methods.baselines.supervised import supervised
from ssl_bench.optim import make_optimizer, split_numbers
from ssl_bench.patterns import _rounds, federated
from ssl_bench.planning import batch, make_plan
from ssl_bench.planning.arrays import arrays_of
from ssl_bench.planning.build import builder
from ssl_bench.planning.numbers import numbers_of
from ssl_bench.planning.policies import policies_of
from ssl_bench.planning.structure import freeze, structure_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.loop import Interrupted
from ssl_bench.training.program import compile_program
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

DATASET = data.load('fake')
POOL = data.labeled_indices(DATASET.train_labels, LABELS, split_seed=0, classes=10)
CLIENTS, LOCAL = 3, 2
ROUNDS = {'clients': CLIENTS, 'local_steps': LOCAL, 'split': 'dirichlet(0.5)'}
# Per-image memory and a teacher; views without noise; a rate that falls.
TEACHERS = {'mean_teacher': {'weight': 5.0}, 'flexmatch': {'threshold': 0.12}}


def config_of(name, **changes):
  changes = {'federated': ROUNDS, 'ema__decay': 0.9, 'seed': 2} | changes
  return make_config({'name': name, **TEACHERS.get(name, {})}, **changes)


def ready(config, **changes):
  """(program, data, numbers, shares) of a config; `changes` to its structure's section."""
  plan = make_plan(config, DATASET)
  on_device, numbers = jax.device_put(
    (arrays_of(DATASET, POOL) | federated.arrays(plan), numbers_of(config, LABELS))
  )
  program = compile_program(with_rounds(plan.structure, **changes))
  return program, on_device, numbers, federated.shares_of(plan)


def with_rounds(structure, **changes):
  """A structure with other settings of its rounds."""
  part = structure.patterns['federated']
  part = part._replace(settings=freeze({**part.settings, **changes}))
  return replace(structure, patterns=immutabledict(federated=part))


def advanced(config, rounds, **changes):
  program, *inputs, _ = ready(config, **changes)
  carry = program.init(np.uint32(0), *inputs)
  for _ in range(rounds):
    carry = program.advance(*carry, *inputs)
  return carry


class Alone:
  """A client that knows only its own images; the optimizer is written once more, in NumPy."""

  def __init__(self, config, shares, client, numbers):
    cut = lambda positions, sizes: np.split(positions, np.cumsum(sizes)[:-1])[client]
    self.positions = cut(shares.images, shares.sizes)
    labeled = cut(shares.labeled, shares.labels)
    self.weight, self.client = len(self.positions), client
    parts = structure_of(config, DATASET)
    parts = replace(parts, average=False, data=parts.data._replace(unlabeled=self.weight))
    self.data = {
      'image': jnp.asarray(DATASET.train_images[self.positions]),
      'label': jnp.asarray(DATASET.train_labels[self.positions]),
      'given': jnp.asarray(DATASET.train_labels[self.positions]),
      'pool': jnp.asarray(np.searchsorted(self.positions, labeled)),
    }
    self.count, self.optimizer = len(labeled), config.optimizer
    self.draw = batch.drawer(parts, None)
    self.method = builder(parts)(numbers)[0]
    self.policies = policies_of(parts, self.method.views)
    self.learned = []

    @jax.jit
    def gradient(state, views, key):
      loss = lambda params: self.method.loss(state._replace(params=params), views, key)
      return jax.grad(loss, has_aux=True)(state.params)

    self.gradient = gradient

  def own(self, memory):
    """What a memory by image of the whole set says of the client's own."""
    return {k: v[self.positions] if k == 'learned' else v for k, v in memory.items()}

  def steps(self, server, memory, steps):
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), m.INIT - 3), self.client)
    params, stats = server
    speed = jax.tree.map(np.zeros_like, params)
    for step in range(*steps):
      drawn = self.draw(self.data, key, step, self.count)
      look_key, loss_key = jax.random.split(jax.random.fold_in(key, step))
      views = m.look(self.method.views, drawn, self.policies, look_key)
      state = m.State(key, jnp.int32(step), params, stats, memory, ())
      grads, aux = self.gradient(state, views, loss_key)
      self.learned.append(aux.metrics.get('learned', 0.0))
      decay = lambda g, w: np.asarray(g) + self.optimizer['weight_decay'] * w * (w.ndim > 1)
      grads = jax.tree.map(decay, grads, params)
      speed = jax.tree.map(lambda v, g: self.optimizer['momentum'] * v + g, speed, grads)
      rate = self.optimizer['lr'] * np.cos(7 / 16 * np.pi * step / 100)
      new = lambda w, v, g, rate=rate: w - rate * (g + self.optimizer['momentum'] * v)
      params = jax.tree.map(new, params, speed, grads)
      after = m.State(key, jnp.int32(step + 1), params, aux.stats, aux.memory, ())
      params, stats, memory = jax.tree.map(np.asarray, self.method.update(after)[2:5])
    return params, stats, memory


@pytest.mark.slow
@pytest.mark.parametrize('name', list(TEACHERS))
def test_two_rounds_are_clients_one_by_one_and_their_mean_in_numpy(name):
  config = config_of(name)
  program, on_device, numbers, shares = ready(config)
  assert shares.sizes.tolist() == [136, 36, 68]  # else weights by size were not tested
  assert shares.labels.min() >= 5  # BatchNorm over copies of one image would only amplify rounding
  start, _ = carry = program.init(np.uint32(0), on_device, numbers)
  clients = [Alone(config, shares, c, numbers) for c in range(CLIENTS)]
  weights = shares.sizes / shares.sizes.sum()
  server = jax.tree.map(np.asarray, (start.params, start.stats))
  memory = jax.tree.map(lambda x: np.asarray(x[0]), start.memory['clients'])
  average, memories = server[0], [client.own(memory) for client in clients]
  mean = lambda *leaves: sum(w * leaf for w, leaf in zip(weights, leaves)).astype('float32')
  for turn in range(2):
    ends = [
      client.steps(server, memory, (LOCAL * turn, LOCAL * turn + LOCAL))
      for client, memory in zip(clients, memories)
    ]
    server = tuple(jax.tree.map(mean, *(end[i] for end in ends)) for i in (0, 1))
    memories = [end[2] for end in ends]
    step = LOCAL * (turn + 1)
    decay = min(0.9, (1 + step) / (10 + step)) ** LOCAL
    average = jax.tree.map(lambda a, w, d=decay: d * a + (1 - d) * w, average, server[0])
    carry = program.advance(*carry, on_device, numbers)
  ended, totals = carry
  near = lambda ours, theirs: assert_near(host(ours), host(theirs), rtol=1e-4, atol=2e-6)
  near(ended.params, server[0])
  near(ended.stats, server[1])
  near(ended.memory['ema'], average)
  for client, memory in enumerate(memories):
    near(clients[client].own(jax.tree.map(lambda x, c=client: x[c], ended.memory['clients'])), memory)
  assert int(ended.step) == 2 * LOCAL and int(totals['count']) == 2 * LOCAL * CLIENTS
  if name == 'mean_teacher':  # the evaluated network: the mean of the teachers
    teacher = jax.tree.map(mean, *(memory['teacher'] for memory in memories))
    near(ended.memory['inner']['teacher'], teacher)
  else:  # pseudo-labels by image: written by the client that holds the image, and by no other
    logged = float(totals['metrics']['learned'])
    assert logged == pytest.approx(sum(float(x) for client in clients for x in client.learned), rel=1e-4)
    learned = np.asarray(ended.memory['clients']['learned'])
    assert (learned < 10).any()
    for client, own in enumerate(clients):
      others = np.setdiff1d(np.arange(DATASET.n_unlabeled), own.positions)
      assert (learned[client, others] == 10).all()


@pytest.mark.slow
def test_clients_at_once_are_clients_by_turns():
  """The way of a GPU, `vmap` over clients and a loop in the program, with some clients drawn."""
  config = config_of(
    'fixmatch', federated__participation=0.7, federated__proximal=0.1, method__threshold=0.12
  )
  one, other = (advanced(config, 2, together=together) for together in (False, True))
  assert_near(host(one), host(other), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_one_client_in_one_round_is_plain_training():
  changes = {'ema': None, 'net__norm': 'none'}
  alone = config_of('supervised', federated={'clients': 1, 'local_steps': 4}, **changes)
  server, totals = advanced(alone, 1)
  plain = config_of('supervised', federated=None, **changes)
  program = compile_program(structure_of(plain, DATASET))
  inputs = jax.device_put((arrays_of(DATASET, POOL), numbers_of(plain, LABELS)))
  state, sums = program.init(np.uint32(0), *inputs)
  state = state._replace(key=jax.random.fold_in(jax.random.fold_in(state.key, _rounds.CLIENT), 0))
  for _ in range(4):
    state, sums = program.advance(state, sums, *inputs)
  assert_same(host(server.params), host(state.params))
  assert_same(host(totals), host(sums))


def test_clients_are_drawn_without_replacement_and_all_in_time():
  config = config_of('supervised', federated={**ROUNDS, 'clients': 10, 'participation': 0.32, 'split': 'iid'})
  parts = structure_of(config, DATASET)
  assert parts.patterns['federated'].settings['drawn'] == 3
  choose = jax.jit(_rounds.make_round(parts, None).choose)
  sizes = np.arange(1, 11, dtype='int32')
  held = {'clients': {'each': {'labels': sizes}}}
  server = m.State(jax.random.key(0), jnp.int32(0), {}, {}, (), ())
  rounds = []
  for turn in range(200):
    clients, weights = map(np.asarray, choose(server._replace(step=jnp.int32(turn * LOCAL)), held))
    assert len(set(clients)) == 3 and clients.min() >= 0 and clients.max() < 10
    np.testing.assert_allclose(weights, sizes[clients] / sizes[clients].sum(), rtol=1e-6)
    rounds.append(clients)
  same = choose(server._replace(step=jnp.int32(LOCAL + 1)), held)[0]
  np.testing.assert_array_equal(same, rounds[1])  # a function of key and round
  counts = np.bincount(np.ravel(rounds))
  assert counts.min() > 35 and counts.max() < 85  # 60 ± 4 standard deviations of 6.5


@pytest.mark.slow
def test_who_sits_a_round_out_keeps_its_memory():
  config = config_of('mean_teacher', net__norm='none')
  parts = structure_of(config, DATASET)
  numbers = numbers_of(config, LABELS)
  turns = _rounds.make_round(replace(parts, average=True), None)
  method, _ = builder(replace(parts, average=False))(numbers)
  views = {name: {'image': np.zeros((2, 8, 8, 1), 'float32')} for name in method.views}
  params, stats, memory = method.init(KEY, views)
  each = jax.tree.map(lambda x: jnp.stack([x, x + 1, x + 2]), memory)
  old = {'inner': memory, 'clients': each, 'ema': params}
  server = m.State(KEY, jnp.int32(LOCAL), params, stats, old, ())
  ends = server._replace(
    params=jax.tree.map(lambda x: jnp.stack([x + 1, x + 5]), params),
    memory=jax.tree.map(lambda x: jnp.stack([x + 10, x + 20]), memory),
  )
  new = turns.leave(server, numbers, jnp.array([2, 0]), jnp.array([0.25, 0.75]), ends)
  assert_near(host(new.params), host(jax.tree.map(lambda x: x + 4, params)))
  assert_near(
    host(new.memory['clients']), host(jax.tree.map(lambda x: jnp.stack([x + 20, x + 1, x + 10]), memory))
  )
  assert_near(host(new.memory['inner']), host(jax.tree.map(lambda x: x + 17.5, memory)))
  assert int(new.step) == 2 * LOCAL


def test_the_proximal_term_and_its_gradient_are_those_of_the_paper():
  """Objective 2 of Li et al.: h(w) = F(w) + μ/2 ‖w - w_t‖², in float64."""
  rng = np.random.default_rng(0)
  w, w0 = ({'a': rng.normal(size=(3, 2)), 'b': rng.normal(size=4)} for _ in range(2))
  plain = m.Method({}, None, lambda s, views, key: ((s.params['a'] ** 2).sum(), m.Aux((), (), {})), None)
  value, grads, terms = prox(plain, w, w0, 0.3)
  apart = sum(np.square(w[k] - w0[k]).sum() for k in w)
  np.testing.assert_allclose(value, np.square(w['a']).sum() + 0.15 * apart, rtol=1e-5)
  np.testing.assert_allclose(terms['loss/proximal'], 0.15 * apart, rtol=1e-5)
  np.testing.assert_allclose(grads['a'], 2 * w['a'] + 0.3 * (w['a'] - w0['a']), rtol=1e-5)
  np.testing.assert_allclose(grads['b'], 0.3 * (w['b'] - w0['b']), rtol=1e-5)


def prox(method, w, w0, mu):
  w, w0 = retype(w, 'float32'), retype(w0, 'float32')
  state = m.State(KEY, 0, w, (), (), ())
  near = _rounds.near(method, w0, np.float32(mu))
  loss = lambda params: near.loss(state._replace(params=params), {}, KEY)
  (value, aux), grads = jax.value_and_grad(loss, has_aux=True)(w)
  return value, grads, aux.metrics


@pytest.mark.parametrize('name, groups', [('sgd', {}), ('adamw', {'head': {'lr': 0.5}}), ('lars', {})])
def test_an_optimizer_starts_anew_but_for_its_schedule(name, groups):
  config = make_config({'name': 'supervised'}, optimizer={'name': name, 'groups': groups})
  numbers, structure_ = split_numbers(config.optimizer)
  tx = make_optimizer(structure_, numbers, 100.0)
  params = {'encoder': jnp.ones((2, 3)), 'head': jnp.ones(3)}
  fresh, moved = tx.init(params), _rounds.at_step(tx.init(params), jnp.int32(7))
  counts = dict(optax.tree.get_all_with_path(moved, 'count'))
  scheduled = {str(path) for path in counts if path[-1].tuple_name == 'ScaleByScheduleState'}
  assert len(scheduled) == max(1, len(groups) + 1 if groups else 1)
  for path, count in counts.items():
    assert int(count) == (7 if str(path) in scheduled else 0)
  changed = sum(bool((a != b).any()) for a, b in zip(jax.tree.leaves(fresh), jax.tree.leaves(moved)))
  assert changed == len(scheduled)


FEDERATED = ('federated.clients=2', 'federated.local_steps=3', 'ema=null')


@pytest.fixture
def folder(tmp_path):
  plain = 'net: {name: mlp, widths: [16], norm: none}\naugment: {weak: none, strong: none}'
  return write_configs(tmp_path / 'configs', plain)


@pytest.mark.slow
def test_a_stopped_training_resumes_bit_for_bit(folder, tmp_path):
  """Rounds and logs are every 3 steps, checkpoints every 4; it is stopped after every round."""
  config = load(folder / 'supervised.yaml', FEDERATED)
  whole = train(config, tmp_path / 'whole')
  assert [entry['step'] for entry in whole.history['curve']] == [3, 6, 9, 12]
  for at in (3, 6, 9):
    with pytest.raises(Interrupted, match=f'step {at}'):
      train(config, tmp_path / 'parts', should_stop=stop_after(1))
  again = train(config, tmp_path / 'parts')
  for a, b in zip(arrays(again.state), arrays(whole.state), strict=True):
    np.testing.assert_array_equal(a, b)
  assert again.history['curve'] == whole.history['curve']


@pytest.mark.slow
def test_a_trial_records_rounds_clients_and_bytes(folder, tmp_path):
  config = load(folder / 'supervised.yaml', FEDERATED)
  found = run_trial(config, RunFolder(tmp_path / 'runs'))
  assert found['status'] == 'done', found['error']
  told = found['cost']['federated']
  weights = 64 * 16 + 16 + 16 * 10 + 10
  moved = 4 * 2 * 4 * weights  # rounds, clients, bytes of a number
  assert told == {
    'rounds': 4, 'local_steps': 3, 'clients': 2, 'participants': 2, 'bytes_down': moved, 'bytes_up': moved,
  }  # fmt: skip
  assert found['split']['clients'] == {'images': [120, 120], 'labels': [10, 10]}
  assert found['config']['federated']['split'] == 'iid'
  assert found['cost']['steps_per_epoch'] == 240 // 8 // 2
  once = compile_program(structure_of(load(folder / 'supervised.yaml', FEDERATED[2:]), DATASET))
  assert found['cost']['gflops_per_step'] == pytest.approx(2 * once.cost['gflops_per_step'], rel=0.02)
  assert 'federated' not in json.loads(load(folder / 'supervised.yaml').model_dump_json())


def test_another_rate_or_proximal_weight_compiles_nothing():
  rounds = {'clients': 1, 'local_steps': 4}
  changes = {'ema': None, 'net__norm': 'none', 'federated': rounds}
  advanced(config_of('supervised', **changes), 1)
  other = config_of('supervised', **changes, optimizer__lr=0.5)
  with compilations() as count:
    advanced(other, 1)
  assert count == [0]


@pytest.mark.parametrize(
  'words, told',
  [
    (('federated.local_steps=5',), 'steps=12 must be whole rounds of federated.local_steps=5'),
    (('federated.split=shards(2)',), 'write iid or dirichlet'),
    (('federated.participation=0',), 'federated.participation must be'),
    (('federated.clients=0',), 'federated.clients must be'),
    (('federated.rounds=3',), "There is no setting 'federated.rounds'"),
  ],
)
def test_a_wrong_setting_is_one_sentence(folder, words, told):
  with pytest.raises(BadSetting, match=told):
    load(folder / 'supervised.yaml', ('federated.local_steps=4', *words))


def test_what_no_client_can_do_is_refused_before_training(folder):
  few = load(folder / 'fixmatch.yaml', ('federated.clients=16', 'federated.local_steps=4'))
  with pytest.raises(BadSetting, match='16 clients cannot hold 16 of 240 images each'):
    make_plan(few, DATASET)
  with pytest.raises(BadSetting, match='20 labels are too few for 21 clients'):
    make_plan(
      load(folder / 'fixmatch.yaml', ('federated={clients: 21, local_steps: 4}', 'batch.labeled=4')), DATASET
    )
  for part, told in (('refresh', 'looks at'), ('sample', 'chooses its batches from')):
    with pytest.raises(BadSetting, match=f'This method {told} the whole unlabeled set'):
      federated.check_method(supervised(None, 10)._replace(**{part: lambda state, *rest: state}))
  with pytest.raises(BadSetting, match='Clients are dealt the whole unlabeled set'):
    make_plan(load(folder / 'fixmatch.yaml', ('federated.local_steps=4', 'stress.unlabeled=100')), DATASET)


def test_a_pretraining_is_dealt_alike_for_all_labels():
  """It sees none, so it is shared by all label budgets and splits."""
  few, many = (
    federated.shares_of(make_plan(config_of('simclr', labels=n, split_seed=n), DATASET)) for n in (10, 20)
  )
  for a, b in zip(few, many):
    np.testing.assert_array_equal(a, b)


def test_what_a_function_reads_is_found():
  def f(a, b, c):
    unused = jnp.sin(b['x']) + c
    del unused
    return jnp.where(a > 0, b['y'], 0).sum()

  ones = np.ones(3)
  assert depends(f, ones, {'x': ones, 'y': ones}, 1.0) == (True, {'x': False, 'y': True}, False)
  assert depends(lambda a: 3.0, ones) == (False,)
