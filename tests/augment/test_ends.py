"""Every operation at the ends of its settings' ranges: no view is blank, or one sentence says why."""

import inspect
import math
from typing import Any, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.images import photos

from ssl_bench import augment, data
from ssl_bench.contract import Nodes
from ssl_bench.data.text import MASK, PAD
from ssl_bench.kinds import scale
from ssl_bench.settings.signature import BadSetting, Setting, settings_of

pytestmark = pytest.mark.slow

SIDE, VIEWS = 16, 8
REFUSED = {
  ('crop', 'padding', '256'): 'crop: padding must be less than the side of the images, 16, not 256.',
  ('cutout', 'size', '1024'): 'cutout: a square of 1024 pixels covers images of 16 by 16 wherever it lies',
}
SLOW = ('randaugment', 'jitter', 'blur')


def ends(setting: Setting) -> list[Any]:
  """The lowest and the highest value in a range; of an interval, both as its two ends; an open end nearly."""
  assert setting.range is not None
  low, high, above, below = setting.range
  if int in (setting.type, *get_args(setting.type)):
    return [int(low), int(high)]
  low, high = low + 1e-6 * above, high * (0.9 if below else 1)
  return [[low, low], [low, high], [high, high]] if get_origin(setting.type) is tuple else [low, high]


RANGES = {(name, s.name): s for name, f in augment.operations().items() for s in settings_of(f).values()}
CASES = [(*key, end) for key, setting in RANGES.items() if setting.range for end in ends(setting)]


def test_every_number_has_a_range_with_two_ends():
  for key, setting in RANGES.items():
    assert setting.type not in (int, float) or setting.range, key
    assert not setting.range or (math.isfinite(setting.range.low) and math.isfinite(setting.range.high)), key


def example_of(kind: str) -> tuple[Any, Any]:
  """An example as it is stored, and the columns of a table."""
  if kind == 'image':
    return photos(SIDE)[0], None
  if kind == 'tokens':
    return jnp.arange(65, 65 + SIDE, dtype='uint8').reshape(SIDE, 1, 1), None
  dataset = data.load('fake_table_6x6x1' if kind == 'table' else f'fake_{kind}')
  if kind == 'graph':
    return jax.tree.map(jnp.asarray, Nodes(dataset.graph, dataset.train_images)), None
  return jnp.asarray(dataset.train_images[0]), dataset.columns


@pytest.mark.parametrize(
  ('name', 'setting', 'value'),
  [pytest.param(*case, marks=pytest.mark.slow) if case[0] in SLOW else case for case in CASES],
)
def test_no_end_of_a_range_makes_a_blank(name, setting, value):
  kind = getattr(inspect.getmodule(augment.operations()[name]), 'KIND', 'image')
  image, columns = example_of(kind)
  always = {'probability': 1.0} if (name, 'probability') in RANGES and kind == 'image' else {}
  written = ', '.join(f'{k}={v}' for k, v in {**always, setting: value}.items())
  policy = augment.compile_policy(f'{name}({written})', 3, kind, columns)
  look = lambda: jax.vmap(policy, (0, None))(jax.random.split(jax.random.key(0), VIEWS), image)
  if sentence := REFUSED.get((name, setting, str(value))):
    with pytest.raises(BadSetting, match=sentence):
      look()
    return
  if kind == 'graph':
    graph = look().graph
    views = np.concatenate([graph.weights, graph.values], 1)
  else:
    views = np.asarray(look())
    like = scale(image, kind) if kind == 'audio' and views.dtype != image.dtype else image
    assert views.dtype == like.dtype and (setting == 'size' or views.shape[1:] == like.shape)
  assert np.isfinite(views).all()
  blank = [np.isin(x, (PAD, MASK)).all() if kind == 'tokens' else len(np.unique(x)) == 1 for x in views]
  assert np.mean(blank) < 0.5
