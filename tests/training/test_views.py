"""Small crops and the second global view: their policies, their sizes, and who refuses them."""

import jax
import numpy as np
import pytest
from support.tiny_trial import arrays_on_device, make_config, numbers_on_device
from support.trees import host

from ssl_bench import data
from ssl_bench.config import to_dict
from ssl_bench.contract import look
from ssl_bench.methods._multi_crop import by_size, multi_crop
from ssl_bench.planning.build import method_of
from ssl_bench.planning.checks import check_groups
from ssl_bench.planning.policies import policies_of
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.program import compile_program

DATASET = data.load('fake')
DINO = {'name': 'dino', 'hidden': 8, 'bottleneck': 4, 'out': 8, 'crops': 2}
SWAV = {'name': 'swav', 'hidden': 8, 'out': 4, 'prototypes': 8, 'crops': 2}
SMALL = {'augment__local': 'resized_crop(size=5)', 'net': {'name': 'convnet', 'width': 2}}


def parts(method, **changes):
  return structure_of(make_config(method, **changes), DATASET)


def looked(structure):
  """The images that a structure's method sees."""
  views = method_of(structure).views
  policies = policies_of(structure, views)
  batch = {'unlabeled': {'image': DATASET.train_images[:6], 'index': np.arange(6, dtype='int32')}}
  seen = jax.jit(lambda key: look(views, batch, policies, key))(jax.random.key(0))
  return {name: np.asarray(view['image']) for name, view in seen.items()}


def test_small_crops_have_a_size_of_their_own():
  seen = looked(parts(DINO, **SMALL))
  assert {name: x.shape for name, x in seen.items()} == {
    'a': (6, 8, 8, 1),
    'b': (6, 8, 8, 1),
    'local': (6, 2, 5, 5, 1),
  }
  large, small = by_size({name: {'image': x} for name, x in seen.items()})
  np.testing.assert_array_equal(large, np.concatenate([seen['a'], seen['b']]))
  np.testing.assert_array_equal(small, np.concatenate([seen['local'][:, 0], seen['local'][:, 1]]))


def test_one_crop_and_none():
  assert multi_crop(0).keys() == {'a', 'b'}
  seen = looked(parts({**DINO, 'crops': 1}, **SMALL))
  large, small = by_size({name: {'image': x} for name, x in seen.items()})
  assert (large.shape, small.shape) == ((12, 8, 8, 1), (6, 5, 5, 1))


def test_the_other_view_is_strong_where_the_config_has_none():
  plain = {**DINO, 'crops': 0}
  seen = looked(parts(plain))
  np.testing.assert_array_equal(seen['a'], seen['b'])
  seen = looked(parts(plain, augment__other='cutout(8)'))
  np.testing.assert_array_equal(seen['a'], looked(parts(plain))['a'])
  assert np.abs(seen['b'] - seen['a']).max() > 0.1


def test_policies_that_no_view_names_change_no_existing_config():
  assert to_dict(make_config({'name': 'supervised'}))['augment'] == {'weak': 'none', 'strong': 'none'}


@pytest.mark.parametrize(
  ('method', 'changes', 'sentence'),
  [
    (DINO, {}, r'^dino looks at small crops; say which, such as augment.local=.*size=5.* method.crops=0\.$'),
    (SWAV, {'augment__local': 'resized_crop(size=5)'}, '^mlp: made for images of 64 values'),
    (
      DINO,
      {'augment__other': 'resized_crop(size=5)'},
      r'^augment.other turns images of \(8, 8\) into \(5, 5\)',
    ),
    (
      SWAV,
      {'augment__local': 'resized_crop(size=5)', 'net': {'name': 'vit', 'patch': 2}},
      'patch 2 must divide the image size 5x5',
    ),
  ],
)
def test_what_cannot_be_seen_is_one_sentence(method, changes, sentence):
  with pytest.raises(BadSetting, match=sentence):
    check_groups(parts(method, **changes))


@pytest.mark.slow
@pytest.mark.parametrize(('method', 'group'), [(DINO, 'last'), (SWAV, 'prototypes')])
def test_a_frozen_layer_stands_still_in_a_whole_program(method, group):
  """On crops of two sizes.  Prototypes are divided by their length after every step: 1, but for rounding."""
  changes = {**SMALL, 'steps': 20, 'optimizer__groups': {group: {'schedule': 'cosine(7/16, frozen=0.1)'}}}
  config = make_config(method, **changes)
  program = compile_program(structure_of(config, DATASET))
  arrays, numbers = arrays_on_device(DATASET), numbers_on_device(config)
  carry = program.init(np.uint32(0), arrays, numbers)
  seen = [host(carry[0].params)]
  for _ in range(3):
    carry = program.advance(*carry, arrays, numbers)
    seen.append(host(carry[0].params))
  path = f"['{group}']"
  for after in seen[1:3]:
    np.testing.assert_allclose(after[path], seen[0][path], rtol=0, atol=3e-7 if group == 'prototypes' else 0)
  assert np.abs(seen[3][path] - seen[2][path]).max() > 1e-4
  moved = [p for p in seen[0] if p != path and not np.array_equal(seen[0][p], seen[1][p])]
  assert moved == [p for p in seen[0] if p != path]
