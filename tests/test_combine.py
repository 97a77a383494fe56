"""Combinators over pseudo-label methods: goldens in float64, and what every method has to do."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import _combinators, _layers
from support.stub_encoders import fixed_numbers, vector_encoder
from support.tiny_method import make_method, terms_and_gradients
from support.tiny_trial import Run, make_config, numbers_on_device, run, tiny_combined_trial
from support.trees import assert_near, assert_same, differs, host, kinds, leaves, retype

from ssl_bench import combine, data
from ssl_bench.config import to_dict, validate
from ssl_bench.contract import State
from ssl_bench.planning import identity
from ssl_bench.planning.build import method_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting, facts_of, settings_of
from ssl_bench.training.checkpoint import Checkpoints

NAMES = combine.names()
QUICK = 'distribution_alignment'  # the one that is compiled in every run; all goldens run in every run
MARKS = {name: () if name == QUICK else pytest.mark.slow for name in NAMES}
BOTH = [
  *(pytest.param('fixmatch', name, marks=MARKS[name]) for name in NAMES),
  *(pytest.param('pseudo_label', name, marks=pytest.mark.slow) for name in NAMES),
]


# The combinator itself, beside a float64 NumPy file.

CLASSES, WIDTH, STEPS, EXAMPLES = 4, 3, 10, 8
SIZES = {'labeled': 5, 'weak': 6, 'strong': 6}
INDEX = np.array([3, 1, 6, 0, 7, 2], 'int32')
LABELS = np.array([0, 3, 2, 0, 0], 'int32')
FACTS = {'classes': CLASSES, 'examples': EXAMPLES, 'held': EXAMPLES, 'steps': float(STEPS)}
FIXMATCH = {'threshold': 0.4, 'weight': 0.7}
CASES = [
  ('distribution_alignment', {'decay': 0.999, 'target': 'labeled'}),
  ('distribution_alignment', {'decay': 0.05, 'target': 'uniform'}),
  ('curriculum', {'stages': 4, 'ramp': 1.0}),
  ('curriculum', {'stages': 2, 'ramp': 0.5}),
  ('class_aware_sampling', {'power': 0.5}),
]
GOLDEN = {
  'distribution_alignment': _combinators.DistributionAlignment,
  'curriculum': _combinators.Curriculum,
  'class_aware_sampling': _combinators.ClassAwareSampling,
}


def combined(name, settings, fixmatch=FIXMATCH, **known):
  encoder = vector_encoder(np.zeros((sum(SIZES.values()), WIDTH)), norm=True)
  method = make_method('fixmatch', encoder, CLASSES, float(STEPS), **fixmatch)
  change = combine.get(name)
  facts = {'method': method, **FACTS, **known}
  return change(*(facts[fact] for fact in facts_of(change)), **settings)


@pytest.mark.parametrize(('name', 'settings'), CASES)
def test_loss_gradients_and_memory_of_fixmatch_are_golden_over_many_steps(name, settings):
  method, golden = combined(name, settings), GOLDEN[name]
  rows = np.split(np.eye(sum(SIZES.values())), np.cumsum([*SIZES.values()])[:-1])
  views = {view: {'image': image} for view, image in zip(SIZES, rows)}
  views['labeled']['label'] = LABELS
  views['weak']['index'] = views['strong']['index'] = INDEX
  params, stats, memory = method.init(jax.random.key(0), views)
  at = lambda path, leaf: (0.8 * fixed_numbers(leaf.shape, jax.tree_util.keystr(path))).astype('float32')
  params = jax.tree_util.tree_map_with_path(at, params)
  state = State(jax.random.key(0), jnp.int32(0), params, stats, memory, ())

  @jax.jit
  def advance(state):
    values, grads, aux = terms_and_gradients(method, state, views)
    moved = jax.tree.map(lambda p, g: p - 0.25 * g, state.params, grads['loss'])
    new = state._replace(params=moved, stats=aux.stats, memory=aux.memory, step=state.step + 1)
    return method.update(new), values, grads, aux.pseudo

  params, stats, own = retype((state.params, state.stats, memory['own']), 'float64')
  kept = []
  for step in range(STEPS):
    known = {'steps': STEPS, 'examples': EXAMPLES, **settings}
    log_prior, keep = golden.guide(own, step=step, **known)
    terms, grads, stats, (q, confidence, label, mask) = _combinators.fixmatch(
      params, stats, views, log_prior, keep, **FIXMATCH
    )
    own = golden.learn(own, q, confidence, label, views, step=step, **known)
    state, values, found, pseudo = advance(state)
    kept.append(int(mask.sum()))
    np.testing.assert_array_equal(pseudo.label, label)
    np.testing.assert_array_equal(pseudo.mask, mask)
    np.testing.assert_allclose(pseudo.confidence, confidence, atol=1e-4)
    np.testing.assert_allclose(pseudo.probs, q, atol=1e-4)
    zeros = jax.tree.map(np.zeros_like, params)
    for term, value in terms.items():
      np.testing.assert_allclose(values[term], value, atol=1e-4)
      expected = leaves(_layers.add(zeros, grads[term]))
      for path, gradient in leaves(found[term]).items():
        np.testing.assert_allclose(gradient, expected[path], atol=1e-4, err_msg=path)
    step_by = _layers.add(zeros, *grads.values())
    params = jax.tree.map(lambda p, g: p - 0.25 * g, params, step_by)
    assert_near(host(state.memory['own']), {k: np.asarray(v) for k, v in leaves(own).items()}, atol=1e-4)
  assert_near(host(state.params), host(params), atol=1e-3)
  assert len(set(kept)) > 1 or name == 'class_aware_sampling'
  if name == 'curriculum':
    assert kept[0] == 0 and kept[-1] == max(kept) > 0


def test_a_curriculum_of_a_client_takes_shares_of_the_clients_own_images():
  """Six of twenty images: the others, which it never sees, do not fill its shares."""
  at = np.array([19, 3, 10, 14, 9, 17], 'int32')
  rows = np.split(np.eye(sum(SIZES.values())), np.cumsum([*SIZES.values()])[:-1])
  confidence = np.array([0.9, 0.5, 0.4, 0.8, 0.6, 0.7], 'float32')
  own = {'confidence': np.zeros(20, 'float32')}
  own['confidence'][at] = confidence
  kept = []
  for count, index, memory in ((20, at, own), (6, np.arange(6), {'confidence': confidence})):
    method = combined('curriculum', {'stages': 3}, {'threshold': 0.0}, examples=count, held=6)
    views = {view: {'image': image, 'index': index} for view, image in zip(SIZES, rows)}
    views['labeled']['label'] = LABELS
    params, stats, start = method.init(jax.random.key(0), views)
    memory = {**start, 'own': jax.tree.map(jnp.asarray, memory)}
    state = State(jax.random.key(0), jnp.int32(0), params, stats, memory, ())
    look = jax.jit(
      lambda step, m=method, s=state, v=views: m.loss(s._replace(step=step), v, s.key)[1].pseudo.mask
    )
    kept.append([np.asarray(look(jnp.int32(step))) for step in range(STEPS)])
  np.testing.assert_array_equal(*kept)
  assert [int(mask.sum()) for mask in kept[0]] == [0, 0, 0, 2, 2, 4, 4, 4, 6, 6]  # of three stages after none


def test_goldens_are_independent():
  code = 'import sys; import golden._combinators; print(*sys.modules)'
  done = subprocess.run(
    [sys.executable, '-c', code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
  )
  assert not {'jax', 'ssl_bench', 'flax', 'optax'} & set(done.stdout.split())


def test_images_are_drawn_by_the_frequency_of_their_class_and_none_twice():
  method = combined('class_aware_sampling', {'power': 0.5})
  labels = np.array([0, 0, 0, 0, 2, 3, 3, CLASSES], 'int32')  # none is of class 1, the last not yet known
  memory = {'inner': (), 'own': {'label': jnp.asarray(labels)}}
  state = State(None, None, None, None, memory, None)
  keys = jax.random.split(jax.random.key(1), 8_000)
  many = np.asarray(jax.jit(jax.vmap(lambda key: method.sample(state, key, 5)))(keys))
  expected = _combinators.ClassAwareSampling.shares(labels, CLASSES, 0.5)
  np.testing.assert_allclose(np.bincount(many[:, 0], minlength=8) / len(keys), expected, atol=0.02)
  assert all(len(set(batch)) == 5 for batch in many[:500]) and many.min() >= 0 and many.max() < 8


# In the program.


@pytest.mark.parametrize(('method', 'name'), BOTH)
def test_state_keeps_its_form_and_the_memory_moves(method, name):
  tiny = tiny_combined_trial(method, name)
  begun = run(tiny, 0)
  before, own = kinds(begun), host(begun.state.memory['inner']['own'])
  ended = run(tiny, 3, start=begun)
  assert before == kinds(ended)
  after = host(ended.state.memory['inner']['own'])
  assert all(not np.array_equal(own[path], after[path]) for path in own)
  assert all(np.isfinite(v) for v in ended.totals['metrics'].values())
  assert ended.totals['pseudo']['seen'].sum() == 3 * 16
  observed = tiny.program.observe(ended.state, tiny.numbers, jnp.asarray(tiny.dataset.test_images[:4]))
  assert observed['logits'].shape == (4, 10)


@pytest.mark.parametrize(('method', 'name'), BOTH)
def test_saved_and_restored_it_goes_on_bit_for_bit(method, name, tmp_path):
  tiny = tiny_combined_trial(method, name)
  whole, half = host(run(tiny, 4)), run(tiny, 2)
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(2, tuple(half), {})
  found = checkpoints.restore(tuple(run(tiny, 0, seed=1)))
  checkpoints.close()
  assert_same(whole, host(run(tiny, 2, start=Run(*found[0]))))


@pytest.mark.parametrize('name', [pytest.param(name, marks=MARKS[name]) for name in NAMES])
def test_hidden_labels_reach_the_log_only(name):
  tiny = tiny_combined_trial('fixmatch', name)
  labels = np.asarray(tiny.data['label'])
  other = {**tiny.data, 'label': jax.device_put((labels + 1) % 10, tiny.data['label'].sharding)}
  usual, changed = run(tiny), run(tiny, data=other)
  assert_same(host(usual.state), host(changed.state))
  assert differs(host(usual.totals['pseudo']), host(changed.totals['pseudo']))


@pytest.mark.slow
def test_they_may_be_combined():
  tiny = tiny_combined_trial('flexmatch', *NAMES)
  begun = run(tiny, 0)
  before = kinds(begun)
  ended = run(tiny, 5, start=begun)
  assert kinds(ended) == before
  moved = [set(s) for s in (ended.state.memory['inner']['own'], ended.state.memory['inner']['inner']['own'])]
  assert moved == [{'beliefs', 'labels'}, {'confidence'}]
  assert {'learned'} == set(ended.state.memory['inner']['inner']['inner']['inner'])


def test_numbers_are_traced_and_change_the_run():
  one = tiny_combined_trial('fixmatch', 'distribution_alignment')
  config = make_config({'name': 'fixmatch', 'threshold': 0.1}, combine=['distribution_alignment(decay=0.2)'])
  assert structure_of(config, one.dataset) == structure_of(one.config, one.dataset)
  other = run(one, 3, numbers=numbers_on_device(config))
  assert differs(host(run(one, 3).state.memory), host(other.state.memory))


def test_without_a_combinator_nothing_is_changed():
  plain = make_config({'name': 'fixmatch', 'threshold': 0.1})
  assert 'combine' not in to_dict(plain) and 'combine' not in identity.versions_of(plain, 'x')
  assert plain == make_config({'name': 'fixmatch', 'threshold': 0.1}, combine=[])
  assert make_config({'name': 'fixmatch'}, combine='none') == make_config({'name': 'fixmatch'})


def test_a_combinator_is_written_out_and_part_of_the_identity():
  config = make_config({'name': 'fixmatch'}, combine='distribution_alignment(0.99) | curriculum')
  assert config.combine == (
    'distribution_alignment(decay=0.99, target=labeled)',
    'curriculum(stages=5, ramp=1.0)',
  )
  assert validate(to_dict(config)) == config
  assert identity.versions_of(config, 'x')['combine'] == [1, 1]
  others = [{}, {'combine': 'curriculum'}, {'combine': 'curriculum | distribution_alignment(0.99)'}]
  ids = {identity.identify(make_config({'name': 'fixmatch'}, **o), 'x') for o in others}
  assert len(ids | {identity.identify(config, 'x')}) == 4


@pytest.mark.parametrize(('text', 'says'), [
  ('curricula', "did you mean 'curriculum'"),
  ('curriculum(0)', 'stages must be in'),
  ('curriculum(steps=3)', "no setting 'steps'"),
  ('distribution_alignment(2.0)', r'decay must be in \[0, 1\]'),
  ('distribution_alignment(target=even)', 'target must be one of labeled, uniform'),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_a_sentence(text, says):
  with pytest.raises(BadSetting, match=says):
    make_config({'name': 'fixmatch'}, combine=[text])


@pytest.mark.parametrize('method', ['supervised', 'simclr', 'mean_teacher'])
def test_a_method_without_pseudo_labels_is_refused(method):
  config = make_config({'name': method}, combine=['curriculum'])
  with pytest.raises(BadSetting, match='makes no pseudo-labels'):
    method_of(structure_of(config, data.load('fake')))


@pytest.mark.parametrize('name', NAMES)
def test_docstrings_say_what_has_to_be_said(name):
  doc = combine.get(name).__doc__ or ''
  assert not [word for word in ('Memory', 'Evaluated', 'Deviations') if word not in doc]
  assert not [s for s in settings_of(combine.get(name)) if f'{s}:' not in doc]
  assert combine.version(name) >= 1


@pytest.mark.parametrize('name', ['fixmatch', 'flexmatch', 'pseudo_label'])
def test_a_method_that_takes_combinators_says_on_which_view_it_believes(name):
  method = method_of(structure_of(make_config({'name': name}), data.load('fake')))
  assert method.views[method.believes].stream == 'unlabeled'
