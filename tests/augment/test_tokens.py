"""Operations on texts against what each promises of a text, and what is told where a kind does not fit."""

from collections import Counter

import jax
import numpy as np
import pytest

from ssl_bench import augment, data
from ssl_bench.augment import compile_policy, resolve
from ssl_bench.config import load
from ssl_bench.data.text import MASK, PAD, detokenize, tokenize
from ssl_bench.planning.checks import check_kinds
from ssl_bench.planning.structure import structure_of
from ssl_bench.settings.signature import BadSetting

TEXTS = ['gtk_window_new', 'a', '', 'NSObject', 'list->string', 'abcdefghijklmnopqrst']
COPIES = 200


@pytest.fixture(scope='module')
def changed():
  """policy -> {text: its views as texts}."""
  rows = tokenize(TEXTS, 20)[:, :, None, None]

  def run(policy):
    operation = jax.vmap(compile_policy(policy, 1, 'tokens'), (0, None))
    keys = jax.random.split(jax.random.key(3), (len(rows), COPIES))
    views = np.asarray(jax.jit(jax.vmap(operation))(keys, rows))
    assert views.dtype == np.uint8 and views.shape == (len(rows), COPIES, 20, 1, 1)
    ends = (views[..., 0, 0] == PAD).argmax(-1)
    for text, own, end in zip(TEXTS, views[..., 0, 0], ends):
      assert all((row[e:] == PAD).all() for row, e in zip(own, end) if len(text) < 20)
    return {text: [detokenize(row) for row in own[..., 0, 0]] for text, own in zip(TEXTS, views)}

  return run


def test_a_span_is_a_part_of_the_text_of_every_length_and_place(changed):
  views = changed('span_crop(scale=[0.5, 1.0])')
  for text, seen in views.items():
    assert all(view in text for view in seen)
    assert {len(view) for view in seen} <= set(range(int(len(text) / 2), len(text) + 1))
  assert set(views['a']) == {'a'} and set(views['']) == {''}
  assert {len(view) for view in views['gtk_window_new']} == set(range(7, 15))
  assert {view[0] for view in views['abcdefghijklmnopqrst'] if len(view) == 10} >= set('abk')


def test_masks_stand_in_as_many_places_as_asked(changed):
  views = changed('mask_tokens(0.3)')
  count = total = 0
  for text, seen in views.items():
    for view in seen:
      assert len(view) == len(text)
      assert all(c == t or ord(c) == MASK for c, t in zip(view, text))
    count += sum(view.count(chr(MASK)) for view in seen)
    total += len(text) * COPIES
  assert count / total == pytest.approx(0.3, abs=0.02)


def test_swaps_are_of_neighbors(changed):
  views = changed('swap_tokens(0.5)')
  moved = total = 0
  for text, seen in views.items():
    for view in seen:
      assert Counter(view) == Counter(text)
      at = 0
      while at < len(text):
        if view[at] == text[at]:
          at += 1
        else:
          assert view[at : at + 2] == text[at : at + 2][::-1]
          moved, at = moved + 1, at + 2
    total += COPIES * len(text) / 2
  assert 0.35 < moved / total < 0.5  # equal neighbors and ends left over
  whole = changed('swap_tokens(1.0)')['abcdefghijklmnopqrst']
  assert set(whole) == {'badcfehgjilknmporqts', 'acbedgfihkjmlonqpsrt'}


def test_what_is_for_images_is_told():
  fits = 'choose from mask_tokens, none, span_crop, swap_tokens'
  with pytest.raises(BadSetting, match=rf'^crop is for images, and the data are tokens; {fits}\.$'):
    resolve('none | crop(1)', 1, 'tokens')
  with pytest.raises(
    BadSetting, match=r'^span_crop is for tokens, and the data are images; choose from blur,'
  ):
    resolve('span_crop', 1)
  assert resolve('none | mask_tokens', 1, 'tokens') == 'mask_tokens(probability=0.15)'
  assert {'mask_tokens', 'span_crop', 'swap_tokens'} <= augment.operations().keys()


def test_a_config_whose_parts_do_not_fit_is_told(tmp_path):
  from support.cli import ROOT, write_configs

  texts = data.load('fake_tokens')
  config = load(ROOT / 'configs/identifiers/simclr.yaml', ['net=convnet'])
  with pytest.raises(
    BadSetting, match=r'^net convnet reads images or sounds, and these are tokens; .* net=sequence\.$'
  ):
    check_kinds(config, texts)
  folder = write_configs(tmp_path)
  with pytest.raises(
    BadSetting, match=r'^net sequence reads tokens, and these are images; .* net=convnet\.$'
  ):
    check_kinds(load(folder / 'simclr.yaml', ['net=sequence']), data.load('fake'))
  with pytest.raises(BadSetting, match=r'^crop is for images'):
    structure_of(load(folder / 'simclr.yaml', ['net=sequence']), texts)
