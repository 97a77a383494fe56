"""Every method on every kind of data: one traced step and its evaluation, or one sentence; asked, not listed.

Nothing is compiled.
"""

import jax
import pytest
from support.tiny_trial import golden_of, make_config

from ssl_bench import methods, parallel
from ssl_bench.kinds import kind_of
from ssl_bench.planning import arrays, make_plan, numbers
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.readers import make_readers
from ssl_bench.training.steps import make_steps

KINDS = {  # kind -> its synthetic set, and a net
  'image': ('fake', {'name': 'mlp', 'widths': [8]}),
  'tokens': ('fake_tokens', {'name': 'sequence', 'dim': 8, 'depth': 1, 'heads': 2}),
  'graph': ('fake_graph', {'name': 'gcn', 'widths': [8]}),
  'series': ('fake_series', {'name': 'resnet1d', 'width': 4}),
  'table': ('fake_table', {'name': 'mlp', 'widths': [8]}),
  'audio': ('fake_audio', {'name': 'convnet', 'width': 2}),
}
FAST = {'supervised', 'simclr', 'mixmatch', 'label_propagation', 'rotation'}
# These ask for nothing of an image, so they run unchanged on whatever is an array of numbers.
ON_ARRAYS = {
  *('supervised', 'pseudo_label', 'mean_teacher', 'fixmatch', 'vat', 'mixmatch', 'reconstruction'),
  *('simclr', 'byol', 'label_propagation', 'raw_pixels', 'random_weights'),
}


def config_of(name, kind):
  """The method's golden settings; of the other changes that it asks for, those that fit the kind."""
  golden, (dataset, net) = golden_of(name), KINDS[kind]
  changes = dict(getattr(golden, 'CHANGES', {}))
  if not changes.get('dataset', 'fake').startswith(dataset):
    taught = {k: v for k, v in changes.get('teacher', {}).items() if k != 'net'}
    changes = {'dataset': dataset, 'net': net} | ({'teacher': taught} if taught else {})
  elif kind != 'image':
    changes |= {'net': net}
  if kind == 'graph':
    changes['batch'] = {'whole': True}
  changes['evaluate'] = {'probes': ['linear', 'knn']}
  return make_config({'name': name, **golden.SETTINGS}, **changes)


def trace(plan):
  """Shapes of the state before and after a step, or after `refresh`, and of what is evaluated."""
  structure, mesh = plan.structure, parallel.make_mesh()
  steps, readers = make_steps(structure, mesh), make_readers(structure, mesh)
  inputs = arrays.shapes(structure, jax.ShapeDtypeStruct), numbers.shapes(structure, jax.ShapeDtypeStruct)
  state, totals = jax.eval_shape(steps.init, jax.ShapeDtypeStruct((), 'uint32'), *inputs)
  if totals:
    after = jax.eval_shape(steps.advance, state, totals, *inputs)[0]
  else:
    after = jax.eval_shape(steps.refresh, state, *inputs)
  jax.eval_shape(steps.refresh, state, *inputs)
  images = plan.dataset.test_images[:3]
  seen = jax.eval_shape(readers.observe, state, inputs[1], jax.ShapeDtypeStruct(images.shape, images.dtype))
  return state, after, seen


def shapes(tree):
  return jax.tree.map(lambda x: (x.shape, str(x.dtype)), tree)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(
  'name', [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in methods.names()]
)
def test_it_learns_from_the_kind_or_says_that_it_does_not(name, kind):
  try:
    plan = make_plan(config_of(name, kind))
  except BadSetting as error:
    assert name not in ON_ARRAYS or not kind_of(kind).dense, error
    assert '\n' not in str(error) and str(error).endswith(('.', '?'))
    return
  state, after, seen = trace(plan)
  assert shapes(state) == shapes(after)
  assert seen['features'].ndim == 2 and len(seen['features']) == 3
  if 'logits' in seen:
    assert seen['logits'].shape == (3, plan.dataset.classes)
