"""Fine-tuning starts from its teacher's encoder, as it was evaluated, and from a new classifier."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.tiny_trial import NET, make_config, numbers_on_device, run, tiny_trial
from support.trees import assert_same, host

from ssl_bench import data
from ssl_bench.config import to_dict
from ssl_bench.planning import make_plan, states
from ssl_bench.planning.build import builder
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting


def test_it_starts_where_the_teacher_ended():
  begun = run(tiny_trial('fine_tune'), 0).state
  taught = tiny_trial('fine_tune').numbers['teacher']['state']
  for part, ours, theirs in (
    ('params', begun.params['encoder'], taught.memory['ema']['encoder']),
    ('stats', begun.stats['encoder'], taught.stats['encoder']),
  ):
    theirs = host(theirs)
    for path, leaf in host(ours).items():
      np.testing.assert_array_equal(leaf, theirs[path], err_msg=f'{part} {path}')
  assert begun.params.keys() == {'encoder', 'head'}


def begin(method, teacher, **changes):
  """(params, stats, memory) of a method at the start, and (params, stats) of its untrained teacher."""
  config = make_config(method, teacher=teacher, **changes)
  structure, numbers = structure_of(config, data.load('fake')), numbers_on_device(config)
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), states.views_of(structure))
  made = jax.jit(lambda numbers: builder(structure)(numbers)[0].init(jax.random.key(3), zeros))(numbers)
  taught = numbers['teacher']['state']
  return host(made), (host(taught.memory['ema']['encoder']), host(taught.stats['encoder']))


@pytest.mark.parametrize('method', ['fixmatch', 'mean_teacher', 'simclr'])
def test_any_method_can_begin_with_a_teachers_encoder(method):
  made, (params, stats) = begin({'name': method}, {'method': 'supervised'}, init='teacher')
  began = [path for path in made if "['encoder']" in path]
  for path in began:  # those of the average, and the copies that a method makes, too
    own = path[path.index("['encoder']") + len("['encoder']") :]
    np.testing.assert_array_equal(made[path], (params if own in params else stats)[own], err_msg=path)
  assert len(began) >= len(params) + len(stats)


def test_supervised_learning_that_begins_with_a_teachers_encoder_is_fine_tuning():
  teacher = {'method': 'simclr'}
  one, _ = begin({'name': 'supervised', 'strong': False}, teacher, init='teacher')
  other, _ = begin({'name': 'fine_tune'}, teacher)
  assert_same(one, other)


def test_a_beginning_needs_a_teacher_and_is_written_only_where_it_is_asked_for():
  with pytest.raises(BadSetting, match='init=teacher needs a teacher'):
    make_config({'name': 'fixmatch'}, init='teacher')
  with pytest.raises(BadSetting, match='To begin with its encoder, write init=teacher'):
    make_config({'name': 'fixmatch'}, teacher={'method': 'simclr'})
  assert 'init' not in to_dict(make_config({'name': 'fixmatch'}))
  begun = make_config({'name': 'fixmatch'}, init='teacher', teacher={'method': 'simclr'})
  assert to_dict(begun)['init'] == 'teacher' and 'init' not in to_dict(begun)['teacher']


@pytest.mark.parametrize(
  'teacher',
  [
    {'method': 'supervised', 'net': {**NET, 'widths': [4, 8]}},
    {'method': 'raw_pixels'},
    {'method': 'label_propagation'},
  ],
  ids=lambda teacher: teacher['method'],
)
def test_another_net_or_none_is_refused(teacher):
  with pytest.raises(BadSetting, match="goes on from its teacher's; take a teacher that trains a net"):
    make_plan(make_config({'name': 'fine_tune'}, teacher=teacher), data.load('fake'))
