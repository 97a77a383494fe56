"""Loss, gradients and memory of every method against its golden file, in float64 NumPy."""

import inspect
import json
import math
import pkgutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import golden
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import Case, Golden, _layers
from support.stub_encoders import fixed_numbers, patch_encoder, series_encoder, token_encoder, vector_encoder
from support.stub_graphs import node_encoder, nodes_in_view
from support.tiny_method import (
  draws_of,
  has_teacher,
  make_method,
  make_teacher,
  split_numbers,
  terms_and_gradients,
)
from support.tiny_trial import golden_of
from support.trees import assert_same, host, leaves, retype

from ssl_bench import data, methods
from ssl_bench.contract import Nodes, State
from ssl_bench.settings.signature import settings_of

CLASSES, WIDTH, STEPS = 4, 3, 20
POINTS = 4  # of a series
IMAGES = {'labeled': 5, 'unlabeled': 6}
BESIDE: dict[str, dict[str, Any]] = {  # what a stream holds besides images; captions are unit vectors, too
  'labeled': {
    'label': np.array([0, 3, 2, 1, 0], 'int32'),
    'labeled_index': np.array([2, 7, 0, 5, 2], 'int32'),  # one image is there twice
  },
  'unlabeled': {'index': np.arange(40, 46, dtype='int32'), 'caption': np.eye(6)},
}
TEXTS = np.array(
  [[2, 3, 4, 5], [5, 4, 0, 0], [3, 3, 2, 0], [1, 2, 3, 4], [5, 0, 0, 0], [4, 4, 4, 2]], 'int32'
)
FILES = sorted(m.name for m in pkgutil.iter_modules(golden.__path__) if not m.name.startswith('_'))


def cases(kind: str) -> list[Any]:
  """All (method, case); one that needs another program than its method's first case is slow."""
  found = []
  for name in FILES:
    first = None
    for case, given in getattr(golden_of(name), kind, {}).items():
      structure = split_numbers(name, dict(given.settings))[1]
      first = first or structure
      found.append(pytest.param(name, case, marks=() if structure == first else pytest.mark.slow))
  return found


CASES, REFRESHES = cases('CASES'), cases('REFRESHES')


def on_stub(name: str, total: int, *, norm: bool = False, steps: Any = STEPS, **settings: Any):
  """A method and its stub network, for `total` unit vectors."""
  kind, pixels = getattr(golden_of(name), 'KIND', 'image'), pixels_of(golden_of(name))
  by_kind = {'tokens': token_encoder, 'series': series_encoder, 'graph': node_encoder}
  stand_in = by_kind.get(kind, patch_encoder if pixels else vector_encoder)
  encoder = stand_in(np.zeros((total, WIDTH)), norm=norm)
  facts: dict[str, Any] = {'shape': (*pixels, total)}
  facts |= {} if pixels or kind == 'graph' else {'images': np.eye(total)}
  facts['text_encoder'] = vector_encoder(np.zeros((IMAGES['unlabeled'], WIDTH)), norm=norm)
  return make_method(name, encoder, CLASSES, steps, **facts, **settings), encoder


def pixels_of(file: Any) -> tuple[int, ...]:
  """How an image's pixels, or a series' points, are laid out; () where an image is one unit vector."""
  side = getattr(file, 'SIDE', None)
  if side:
    return (side, side)
  return (POINTS,) if getattr(file, 'KIND', 'image') == 'series' else ()


class StubbedMethod:
  """A method on the stub network, compiled once for all numbers; every view has images of its own."""

  def __init__(self, name: str, structure: dict[str, Any], *, norm: bool):
    self.file = golden_of(name)
    layout, kind = pixels_of(self.file), getattr(self.file, 'KIND', 'image')
    specs = on_stub(name, WIDTH, **structure)[0].views
    pixels = math.prod(layout)
    self.sizes = {view: IMAGES[spec.stream] * spec.copies * pixels for view, spec in specs.items()}
    total, ends = sum(self.sizes.values()), np.cumsum([*self.sizes.values()])
    self.rows = {view: np.arange(end - n, end) for (view, n), end in zip(self.sizes.items(), ends)}
    shape = (-1, *layout, total)

    def look(view, spec):
      if kind == 'tokens':
        return TEXTS
      if kind == 'graph':
        return nodes_in_view(spec.stream, self.rows[view], total)
      return copied(np.eye(total)[self.rows[view]].reshape(shape), spec.copies)

    self.views = {view: {'image': look(view, spec), **BESIDE[spec.stream]} for view, spec in specs.items()}
    method, self.encoder = on_stub(name, total, norm=norm, **structure)
    params, stats, memory = jax.jit(method.init)(jax.random.key(0), self.views)
    self.state = State(jax.random.key(0), jnp.int32(0), params, stats, memory, ())

    def advance(state, numbers, rate):
      """One step of plain descent; the terms of the loss, their gradients, and what the loss left behind."""
      method, _ = on_stub(name, total, norm=norm, steps=np.float32(STEPS), **structure, **numbers)
      values, grads, aux = terms_and_gradients(method, state, self.views)
      params = jax.tree.map(lambda p, g: p - rate * g, state.params, grads['loss'])
      new = state._replace(params=params, stats=aux.stats, memory=aux.memory, step=state.step + 1)
      return method.update(new), values, grads, aux

    self.advance = jax.jit(advance)


def copied(images, copies):
  """As `look` gives several copies: [batch, copies, …]."""
  return images if copies == 1 else images.reshape(-1, copies, *images.shape[1:])


@cache
def stubbed_method(name: str, structure: str, norm: bool) -> StubbedMethod:
  return StubbedMethod(name, json.loads(structure), norm=norm)


class GoldenCase:
  """A case of a golden file: the same numbers for the method, in float32, and for the file, in float64."""

  def __init__(self, name: str, case: Case, *, norm: bool):
    self.case, self.file = case, golden_of(name)
    self.numbers, structure = split_numbers(name, dict(case.settings))
    self.stubbed = stubbed_method(name, json.dumps(structure), norm)
    self.state = self._begin()
    facts = {'encoder': self.stubbed.encoder, 'columns': (1,) * sum(self.stubbed.sizes.values())}
    self.given = draws_of(name, self.stubbed.views, dict(case.settings), classes=CLASSES, **facts)
    self.given |= dict(case.settings)
    if has_teacher(name):
      self.given['teacher'] = make_teacher(self.stubbed.encoder, CLASSES, None)

  def _begin(self) -> State:
    """Every parameter is moved off its initial value, and the memory off the parameters."""
    rows = {
      view: self.case.rows.get(view, fixed_numbers((n, WIDTH), view))
      for view, n in self.stubbed.sizes.items()
    }

    def value(path, leaf):
      name = jax.tree_util.keystr(path)
      if name == "['encoder']['kernel']":
        return np.concatenate([*rows.values()]).astype('float32')
      about = 1 if name.endswith("['scale']") else 0
      factor = 0.8 if leaf.ndim > 1 else 0.3 * self.case.bias
      return (about + factor * fixed_numbers(leaf.shape, name)).astype('float32')

    def nudge(path, leaf):
      moves = jnp.issubdtype(leaf.dtype, jnp.floating)
      way = fixed_numbers(leaf.shape, 'memory' + jax.tree_util.keystr(path))
      return (np.asarray(leaf) + 0.1 * way).astype('float32') if moves else leaf

    start = self.stubbed.state
    memory = jax.tree_util.tree_map_with_path(nudge, start.memory)
    if self.case.memory:
      given = {k: np.asarray(v, memory[k].dtype) for k, v in self.case.memory.items()}
      memory = {**memory, **given}
    return start._replace(
      params=jax.tree_util.tree_map_with_path(value, start.params),
      memory=memory,
      step=jnp.int32(self.case.step),
    )

  def golden(self, params=None, held=None, state=None) -> Golden:
    """The golden objective at these parameters; the state's own by default."""
    state = state or self.state
    own = retype(state.params, 'float64')
    return self.file.objective(
      own if params is None else params,
      own if held is None else held,
      retype(state.stats, 'float64'),
      retype(state.memory, 'float64'),
      self.stubbed.views,
      step=int(state.step),
      steps=STEPS,
      **self.given,
    )

  def ours(self, state=None):
    return self.stubbed.advance(state or self.state, self.numbers, np.float32(self.case.rate))


@cache
def golden_case(name: str, case: str, norm: bool = False) -> GoldenCase:
  return GoldenCase(name, golden_of(name).CASES[case], norm=norm)


def near(actual, expected, where='', tolerance=2e-5):
  scale = max(1.0, np.abs(expected).max(initial=0))
  np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=where)


def full(grads, params):
  """A golden gradient with its zeros, by path."""
  zeros = jax.tree.map(lambda p: np.zeros(p.shape), params)
  return leaves(_layers.add(zeros, grads))


def test_every_method_has_a_golden_file_of_its_version():
  assert methods.names() == FILES
  for name in FILES:
    assert methods.version(name) == golden_of(name).VERSION, f'{name}: write the golden file of this version'


def test_goldens_are_independent():
  code = f'import sys; import {", ".join("golden." + name for name in FILES)}; print(*sys.modules)'
  tests = Path(__file__).parents[1]
  loaded = subprocess.run([sys.executable, '-c', code], cwd=tests, capture_output=True, text=True, check=True)
  assert not {'jax', 'ssl_bench', 'flax', 'optax', 'torch'} & set(loaded.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'case'), CASES)
def test_loss_has_the_pinned_value(name, case):
  """Where this moves, the golden file's and the method's VERSION are due for a bump."""
  value = sum(golden_case(name, case).golden().terms.values())
  assert float(f'{value:.6g}') == golden_of(name).CASES[case].loss, f'{value:.6g}'


@pytest.mark.parametrize('norm', [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(('name', 'case'), CASES)
def test_golden_gradients_are_differences_of_golden_losses(name, case, norm):
  """Central differences in every direction of the parameters, with what the paper stops held still."""
  example = golden_case(name, case, norm)
  held = jax.tree.map(lambda x: np.asarray(x, 'float64'), example.state.params)
  analytic = {term: full(grads, held) for term, grads in example.golden().grads.items()}
  h = 1e-6
  for path, leaf in leaves(held).items():
    for direction in range(3):
      change = fixed_numbers(leaf.shape, f'{path}{direction}')
      at = lambda sign, path=path, change=change: (
        example.golden(
          jax.tree_util.tree_map_with_path(
            lambda p, x: x + sign * h * change if jax.tree_util.keystr(p) == path else x, held
          ),
          held,
        ).terms
      )
      up, down = at(1), at(-1)
      for term, grads in analytic.items():
        numeric = (up[term] - down[term]) / (2 * h)
        near((grads[path] * change).sum(), numeric, f'{term} {path}', 1e-6)


@pytest.mark.parametrize('norm', [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(('name', 'case'), CASES)
def test_loss_gradients_and_beliefs_are_golden(name, case, norm):
  example = golden_case(name, case, norm)
  expected = example.golden()
  _, values, grads, aux = example.ours()
  assert values.keys() == {*expected.terms, 'loss'}
  near(values['loss'], sum(expected.terms.values()))
  for term, value in expected.terms.items():
    near(values[term], value, term)
    for path, gradient in full(expected.grads[term], example.state.params).items():
      near(leaves(grads[term])[path], gradient, f'{term} {path}')
  assert (aux.pseudo is None) == (expected.pseudo is None)
  if expected.pseudo:
    label, confidence, mask = expected.pseudo
    np.testing.assert_array_equal(aux.pseudo.label, label)
    near(aux.pseudo.confidence, confidence)
    np.testing.assert_array_equal(np.asarray(aux.pseudo.mask, bool), np.asarray(mask, bool))
    np.testing.assert_array_equal(aux.pseudo.index, BESIDE['unlabeled']['index'])


@pytest.mark.parametrize(('name', 'case'), CASES)
def test_gradients_flow_through_the_declared_views_only(name, case):
  """Row by row: the gradient in the embeddings of every other view is exactly zero."""
  example = golden_case(name, case)
  _, values, grads, _ = example.ours()
  for term in values.keys() - {'loss'}:
    flow = example.file.FLOWS[term]
    rows = np.asarray(grads[term]['encoder']['kernel'])
    for view, at in example.stubbed.rows.items():
      if view not in flow.views:
        assert not rows[at].any(), f'{term} reaches {view}'
      elif values[term] != 0:
        assert rows[at].any(), f'{term} does not reach {view}'


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'case'), CASES)
def test_everything_is_golden_after_several_steps(name, case):
  """Parameters, running moments and memory after five steps of plain descent."""
  example = golden_case(name, case, norm=True)
  ours = example.state
  params, stats, memory = retype((ours.params, ours.stats, ours.memory), 'float64')
  given = example.given
  for k in range(example.case.step, example.case.step + 5):
    ours = example.ours(ours)[0]
    now = example.file.objective(
      params, params, stats, memory, example.stubbed.views, step=k, steps=STEPS, **given
    )
    gradient = full(_layers.add(*now.grads.values()), params)
    params = jax.tree_util.tree_map_with_path(
      lambda path, p, g=gradient: p - example.case.rate * g[jax.tree_util.keystr(path)], params
    )
    stats, memory = now.stats, now.memory
    if hasattr(example.file, 'update'):
      params, memory = example.file.update(
        params, stats, memory, step=k + 1, steps=STEPS, **example.case.settings
      )
  assert int(ours.step) == example.case.step + 5
  for mine, theirs in ((ours.params, params), (ours.stats, stats), (ours.memory, memory)):
    mine, theirs = host(mine), leaves(theirs)
    assert mine.keys() == theirs.keys()
    for path in mine:
      near(mine[path], theirs[path], path, 2e-4)


class Renewal:
  """A case of a renewal: the method's in float32 and the golden file's in float64, of the same images."""

  def __init__(self, name: str, case: str):
    self.name, self.case, self.file = name, golden_of(name).REFRESHES[case], golden_of(name)
    is_graph = getattr(self.file, 'KIND', 'image') == 'graph'
    dataset = data.load('fake_graph' if is_graph else 'fake')
    self.at = np.arange(23, dtype='int32') * 7  # of which the last three are padding
    if is_graph:
      self.images, self.labels, first = self._nodes(dataset)
      labeled, beside = {'image': self.images[self.at]}, {'examples': dataset.n_images}
    else:
      noise = np.random.default_rng(0).integers(0, 256, dataset.train_images.shape)
      self.images = (0.4 * dataset.train_images + 0.6 * noise).astype('uint8')  # so that classes overlap
      self.labels, first = dataset.train_labels[self.at], jnp.zeros((1, 8, 8, 1))
      labeled, beside = {}, {}
    encoder = vector_encoder(0.1 * fixed_numbers((64, WIDTH), name), norm=True)
    numbers, structure = split_numbers(name, dict(self.case.settings))

    def renew(step, numbers):
      method = make_method(name, encoder, 10, np.float32(STEPS), **beside, **structure, **numbers)
      views = {view: {'image': first, **BESIDE[spec.stream]} for view, spec in method.views.items()}
      state = State(jax.random.key(0), step, *method.init(jax.random.key(0), views), ())
      if self.case.memory:
        given = {k: jnp.asarray(v, state.memory[k].dtype) for k, v in self.case.memory.items()}
        state = state._replace(memory={**state.memory, **given})
      known = {**labeled, 'index': self.at, 'label': self.labels, 'valid': np.arange(23) < 20}
      everything = {'labeled': known, 'unlabeled': {'image': self.images}}
      return state, method.refresh(state, everything, jax.random.key(0), None)

    self.before, self.after = renew(jnp.int32(self.case.step), numbers)

  def _nodes(self, dataset):
    """All nodes in an order of their own, the labels of some, and one of them."""
    labels = np.concatenate([dataset.train_labels, dataset.validation_labels, dataset.test_labels])
    order = np.random.default_rng(0).permutation(dataset.n_images).astype('int32')
    nodes = jax.tree.map(jnp.asarray, Nodes(dataset.graph, order))
    return nodes, labels[order[self.at]], nodes[:1]

  def golden(self):
    given = dict(self.case.settings)
    if has_teacher(self.file.__name__.rpartition('.')[2]):
      given['teacher'] = make_teacher(None, 10, None)
    if redraw := getattr(inspect.getmodule(methods.get(self.name)), 'redraw', None):
      settings = {k: s.default for k, s in settings_of(methods.get(self.name)).items()} | given
      own = {k: settings[k] for k in settings_of(redraw)}
      given['redraws'] = redraw(jax.random.key(0), len(self.images), **own)
    is_graph = isinstance(self.images, Nodes)
    return self.file.refresh(
      *retype((self.before.params, self.before.stats, self.before.memory), 'float64'),
      self.images if is_graph else self.images.reshape(len(self.images), -1) / 127.5 - 1,
      {'index': self.at[:20], 'label': self.labels[:20]},
      step=self.case.step,
      steps=STEPS,
      classes=10,
      **given,
    )


@pytest.mark.parametrize(('name', 'case'), REFRESHES)
def test_what_is_renewed_is_golden(name, case):
  example = Renewal(name, case)
  expected, renewed = leaves(example.golden()), host(example.after.memory)
  assert renewed.keys() == expected.keys()
  for path, leaf in expected.items():
    near(renewed[path], leaf, path)
  moving = {path: leaf for path, leaf in expected.items() if renewed[path].dtype == 'float32'}
  value = sum(float((leaf * fixed_numbers(leaf.shape, path)).sum()) for path, leaf in moving.items())
  assert float(f'{value:.6g}') == example.case.value, f'{value:.6g}'
  for part in ('params', 'stats', 'opt_state'):
    assert_same(host(getattr(example.before, part)), host(getattr(example.after, part)))


def test_every_refresh_has_a_golden_one():
  for name in FILES:
    method, _ = on_stub(name, WIDTH, **golden_of(name).SETTINGS)
    assert (method.refresh is not None) == hasattr(golden_of(name), 'refresh'), name
    assert (method.loss is not None) == hasattr(golden_of(name), 'objective'), name
