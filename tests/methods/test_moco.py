"""MoCo: what its groups ask of the batch, and what they keep apart."""

import jax
import numpy as np
import pytest
from support.stub_encoders import vector_encoder
from support.tiny_method import KEY, make_method

from ssl_bench.contract import State
from ssl_bench.settings.signature import BadSetting

ROWS = np.linspace(-1, 1, 24).reshape(8, 3) ** 3
VIEWS = {name: {'image': np.eye(8, dtype='float32')} for name in 'ab'}


def moco(splits: int):
  return make_method(
    'moco', vector_encoder(ROWS, norm=True), 10, 1.0, queue=8, hidden=6, out=4, splits=splits
  )


def test_groups_have_to_divide_the_batch():
  with pytest.raises(BadSetting, match='splits 3 must divide the 8 unlabeled images'):
    jax.eval_shape(moco(3).init, KEY, VIEWS)


@pytest.mark.slow
def test_a_key_depends_on_the_images_of_its_group_only():
  """With four groups of two, keys 1 and 5 are normalized together; with one, all are."""

  def keys(splits, image):
    method = moco(splits)
    params, stats, memory = method.init(KEY, VIEWS)
    images = VIEWS['b']['image'].copy()
    images[image] *= 2
    views = {**VIEWS, 'b': {'image': images}}
    _, aux = method.loss(State(KEY, np.int32(0), params, stats, memory, ()), views, KEY)
    return np.asarray(aux.memory['queue'])

  changed = lambda splits: set(np.flatnonzero(np.abs(keys(splits, 5) - keys(splits, 6)).max(1) > 1e-6))
  assert changed(4) == {1, 5, 2, 6}
  assert changed(1) == set(range(8))
