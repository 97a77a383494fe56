"""Every shipped config can be trained as it stands: its step is traced on images of its dataset's shape."""

import jax
import numpy as np
import pytest
from trials import ROOT

from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.data.arrays import Dataset
from ssl_bench.data.sources import SOURCES
from ssl_bench.method import init_state, make_step
from ssl_bench.train.batch import policies_of, sizes
from ssl_bench.train.structure import abstract, builder, check_groups, method_of, parts_of

SHIPPED = [p for p in sorted((ROOT / 'configs').rglob('*.yaml')) if not p.name.startswith('_')]


def blank(name: str) -> Dataset:
  """A dataset of the right sizes and shapes, whose images take no memory."""
  if name not in SOURCES:
    return data.load(name)
  source = SOURCES[name]
  images = lambda n: np.broadcast_to(np.zeros((), 'uint8'), (n, *source.shape))
  parts = {'train': source.train, 'validation': source.validation, 'test': source.test}
  arrays = {f'{part}_images': images(n) for part, n in parts.items()}
  arrays |= {f'{part}_labels': np.arange(n, dtype='int32') % source.classes for part, n in parts.items()}
  arrays |= {f'{part}_index': np.arange(n, dtype='int32') for part, n in parts.items()}
  names = tuple(map(str, range(source.classes)))
  extra = images(source.unlabeled) if source.unlabeled else None
  return Dataset(
    name,
    source.version,
    classes=source.classes,
    label_names=names,
    fingerprint='',
    unlabeled_images=extra,
    **arrays,
  )


@pytest.mark.slow
@pytest.mark.parametrize('method', sorted({path.stem for path in SHIPPED}))
def test_a_step_can_be_traced(method):
  """Once for each kind of network and shape of image; everything else is checked for every file."""
  traced = set()
  for path in (p for p in SHIPPED if p.stem == method):
    config = load(path)
    assert path.parent.name == config.dataset
    dataset = blank(config.dataset)
    parts = parts_of(config, dataset)
    check_groups(parts)
    policies = policies_of(parts, method_of(parts).views)
    if (kind := (config.method['name'], config.net['name'], dataset.shape)) not in traced:
      traced.add(kind)
      trace_step(parts, policies)


def trace_step(parts, policies):
  """A step from abstract batches; the state keeps its shapes and types."""
  kind = lambda *shape, dtype='int32': jax.ShapeDtypeStruct(shape, dtype)
  labeled, unlabeled = sizes(parts)['labeled'], sizes(parts)['unlabeled']
  batch = {
    'labeled': {'image': kind(labeled, *parts['shape'], dtype='uint8'), 'label': kind(labeled)},
    'unlabeled': {'image': kind(unlabeled, *parts['shape'], dtype='uint8'), 'index': kind(unlabeled)},
  }
  if parts['text_net']:
    batch['unlabeled']['caption'] = kind(unlabeled, parts['captions'][-1], dtype='uint8')

  def one(batch, numbers):
    method, tx = builder(parts)(numbers)
    state = init_state(method, tx, policies, jax.random.key(0), batch)
    step = make_step(method, tx, policies) if method.loss else lambda state, batch: (state, None)
    return state, step(state, batch)[0]

  before, after = jax.eval_shape(one, batch, abstract(parts, None)[1])
  kinds = lambda state: jax.tree.map(lambda x: (x.shape, x.dtype), state)
  assert kinds(before) == kinds(after)
  assert jax.tree.leaves(before.params) or method_of(parts).loss is None
