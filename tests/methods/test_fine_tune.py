"""Fine-tuning starts from its teacher's encoder, as it was evaluated, and from a new classifier."""

import numpy as np
import pytest
from support.tiny_trial import NET, make_config, run, tiny_trial
from support.trees import host

from ssl_bench import data
from ssl_bench.planning import make_plan
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
  with pytest.raises(BadSetting, match='Fine-tuning goes on with the net of its teacher'):
    make_plan(make_config({'name': 'fine_tune'}, teacher=teacher), data.load('fake'))
