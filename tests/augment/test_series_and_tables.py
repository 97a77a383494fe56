"""Operations on series and on rows of a table, against what each promises."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ssl_bench.augment import compile_policy, resolve
from ssl_bench.settings.signature import BadSetting

VIEWS = 400
SERIES = np.arange(1, 21, dtype='float32')[:, None] * np.array([1, -1], 'float32')
ROW = np.array([1.5, -2.0, 0, 0, 1, 0.5, 0, 1], 'float32')
COLUMNS = (1, 1, 3, 1, 2)


def views(policy, example, kind, columns=None):
  change = compile_policy(policy, 1, kind, columns)
  keys = jax.random.split(jax.random.key(5), VIEWS)
  return np.asarray(jax.jit(jax.vmap(change, (0, None)))(keys, jnp.asarray(example)))


def test_noise_and_scale_have_the_deviation_that_is_asked_for():
  noise = views('jitter_series(0.3)', SERIES, 'series') - SERIES
  assert noise.std() == pytest.approx(0.3, rel=0.03) and noise.mean() == pytest.approx(0, abs=0.01)
  factor = views('scale_series(0.2)', SERIES, 'series') / SERIES
  np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :1], factor.shape), rtol=1e-5)
  assert factor[:, 0].std() == pytest.approx(0.2, rel=0.1) and factor.mean() == pytest.approx(1, abs=0.03)
  assert not np.allclose(factor[:, 0, 0], factor[:, 0, 1])


def test_a_crop_is_a_window_stretched_linearly():
  seen = views('crop_series(scale=[0.5, 0.8])', SERIES, 'series')
  steps = np.diff(seen[..., 0], axis=1)  # of a straight line, stretched: constant
  np.testing.assert_allclose(steps, np.broadcast_to(steps[:, :1], steps.shape), atol=1e-4)
  assert steps.min() == pytest.approx(0.5, abs=0.02) and steps.max() == pytest.approx(0.8, abs=0.02)
  assert seen[..., 0].min() >= 1 - 1e-4 and seen[..., 0].max() <= 20 + 1e-4
  np.testing.assert_allclose(seen[..., 1], -seen[..., 0], atol=1e-4)  # channels stay together


def test_a_warped_series_keeps_its_ends_and_its_order():
  seen = views('warp_series(0.5)', SERIES, 'series')[..., 0]
  np.testing.assert_allclose(seen[:, [0, -1]], np.broadcast_to([1, 20], (VIEWS, 2)), atol=1e-3)
  assert (np.diff(seen, axis=1) > 0).all() and np.diff(seen, axis=1).std() > 0.1
  np.testing.assert_allclose(views('warp_series(0.0)', SERIES, 'series')[0], SERIES, atol=1e-4)


@pytest.mark.parametrize(('share', 'spans'), [(0.25, 1), (0.4, 2)])
def test_masked_time_is_of_the_length_that_is_asked_for(share, spans):
  seen = views(f'mask_time({share}, spans={spans})', SERIES, 'series')
  hidden = seen == 0
  assert (hidden[..., 0] == hidden[..., 1]).all()
  np.testing.assert_array_equal(seen[~hidden], np.tile(SERIES, (VIEWS, 1, 1))[~hidden])
  count = hidden[..., 0].sum(1)
  assert count.max() == 20 * share and (spans > 1 or count.min() == 20 * share)
  assert hidden[..., 0].any(0).all()  # every point in time in some view


def test_permuted_pieces_are_pieces():
  seen = views('permute_series(4)', SERIES, 'series')[..., 0]
  np.testing.assert_array_equal(np.sort(seen, 1), np.broadcast_to(SERIES[:, 0], seen.shape))
  breaks = (np.diff(seen, axis=1) != 1).sum(1)
  assert breaks.max() == 3 and breaks.min() == 0


def test_whole_columns_are_masked():
  seen = views('mask_columns(0.3)', ROW, 'table', COLUMNS)
  starts = np.cumsum([0, *COLUMNS])
  hidden = [(seen[:, a:b] == 0).all(1) for a, b in pairwise(starts)]
  assert np.mean(hidden) == pytest.approx(0.3, abs=0.03)
  for (a, b), gone in zip(pairwise(starts), hidden):
    np.testing.assert_array_equal(seen[~gone, a:b], np.broadcast_to(ROW[a:b], ((~gone).sum(), b - a)))


def test_noise_leaves_categories():
  seen = views('noise_columns(0.5)', ROW, 'table', COLUMNS)
  number = np.repeat(COLUMNS, COLUMNS) == 1
  np.testing.assert_array_equal(seen[:, ~number], np.broadcast_to(ROW[~number], (VIEWS, 5)))
  assert (seen - ROW)[:, number].std() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(
  ('policy', 'kind', 'sentence'),
  [
    ('flip', 'series', 'flip is for images, and the data are series; choose from .*warp_series'),
    ('mask_time', 'table', 'mask_time is for series, and the data are rows of a table; choose from'),
    ('noise_columns', 'image', 'noise_columns is for rows of a table, and the data are images'),
    ('crop_series([0.9, 0.5])', 'series', 'swap the two'),
  ],
)
def test_what_does_not_fit_is_one_sentence(policy, kind, sentence):
  with pytest.raises(BadSetting, match=sentence):
    resolve(policy, 1, kind)
