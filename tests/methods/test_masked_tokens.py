"""Which tokens are chosen and what is shown in their places, counted; and the net that it needs."""

import jax
import numpy as np
import pytest
from support.stub_encoders import vector_encoder
from support.tiny_method import make_method

from ssl_bench.data.text import MASK, PAD, tokenize
from ssl_bench.methods.masked.masked_tokens import draw
from ssl_bench.settings.signature import BadSetting

TEXTS = tokenize(['a', 'gtk_window_new', 'NSObject', 'abcdefghijklmnopqrst'] * 50, 20)[:, :, None, None]
LENGTH = np.array([1, 14, 8, 20] * 50)
PAPER = {'rate': 0.15, 'mask': 0.8, 'random': 0.5}


def look(key=0, **settings):
  views = {'text': {'image': TEXTS.astype('int32')}}
  drawn = jax.device_get(draw(jax.random.key(key), views, **{**PAPER, **settings}))
  return drawn['chosen'], drawn['shown'], TEXTS[:, :, 0, 0].astype(int)


def test_every_text_has_its_share_of_chosen_places_and_no_padding():
  chosen, shown, text = look()
  np.testing.assert_array_equal(chosen.sum(1), np.maximum(1, np.round(0.15 * LENGTH)))
  assert not chosen[text == PAD].any()
  np.testing.assert_array_equal(shown[~chosen], text[~chosen])
  assert len({tuple(row) for row in chosen[3::4]}) > 40  # of 50 alike


def test_eight_of_ten_chosen_places_show_the_mask_and_one_another_token():
  seen = [look(key, rate=1.0) for key in range(5)]
  chosen, shown, text = (np.concatenate(parts) for parts in zip(*seen))
  assert (chosen == (text != PAD)).all()
  shown, text = shown[chosen], text[chosen]
  assert (shown == MASK).mean() == pytest.approx(0.8, abs=0.01)
  assert (shown == text).mean() == pytest.approx(
    0.1, abs=0.02
  )  # and a random one that happens to be the same
  assert set(shown) <= {MASK, *text}


def test_a_random_token_is_as_frequent_as_it_is_in_the_batch_text_by_text():
  chosen, shown, text = look(rate=1.0, mask=0.0, random=1.0)
  count = np.bincount(shown[chosen], minlength=256) / chosen.sum()
  each = [np.bincount(row[row != PAD], minlength=256) / (row != PAD).sum() for row in text]
  np.testing.assert_allclose(count, np.mean(each, 0), atol=0.04)


def test_a_net_for_images_is_told():
  with pytest.raises(BadSetting, match=r'needs a net that reads them, such as net=sequence\.$'):
    make_method('masked_tokens', vector_encoder(np.zeros((2, 3)), norm=False), 10, 100)
