"""Policies as text: parsing, canonical form, gray images, errors, keys."""

import jax
import numpy as np
import pytest
from support.images import digits, photos

from ssl_bench.augment import compile_policy, operations, parse, resolve
from ssl_bench.settings.signature import BadSetting, settings_of

STRONG = 'flip | crop(4) | randaugment(2, variant=google) | cutout(16)'
ALL = list(operations())
TOKENS = ('mask_tokens', 'span_crop', 'swap_tokens')
OTHERS = {  # operations on other data than images, by kind
  **dict.fromkeys(TOKENS, 'tokens'),
  **dict.fromkeys(('drop_edges', 'drop_nodes', 'mask_features'), 'graph'),
  **dict.fromkeys(('mask_columns', 'noise_columns'), 'table'),
  **dict.fromkeys(('crop_series', 'jitter_series', 'mask_time', 'permute_series'), 'series'),
  **dict.fromkeys(('scale_series', 'warp_series'), 'series'),
  **dict.fromkeys(('gain_audio', 'noise_audio', 'shift_audio', 'speed_audio'), 'audio'),
  **dict.fromkeys(('crop_spectrogram', 'fade_spectrogram', 'mask_bands'), 'audio'),
  **dict.fromkeys(('mask_frames', 'warp_frames'), 'audio'),
}
SIMCLR = 'resized_crop(scale=[0.2, 1]) | flip | jitter(0.4, 0.4, 0.4, 0.1) | grayscale | blur(probability=.5)'


def test_parse_fills_in_and_types_every_setting():
  assert parse('flip | crop(2, mode=edge)') == (
    ('flip', {'probability': 0.5}),
    ('crop', {'padding': 2, 'mode': 'edge'}),
  )
  assert parse('cutout([0, 0.5], fill=torchssl)')[0][1] == {'size': (0.0, 0.5), 'fill': 'torchssl'}


def test_resolved_text_is_pinned():
  assert resolve(STRONG, 3) == (
    'flip(probability=0.5) | crop(padding=4, mode=reflect) | '
    'randaugment(n=2, magnitude=10, variant=google, translate=null, color=true) | cutout(size=16, fill=gray)'
  )


def test_color_is_left_out_of_gray_policies_and_the_text_says_so():
  text = resolve(SIMCLR + ' | randaugment', 1)
  assert 'grayscale' not in text
  assert 'jitter(brightness=0.4, contrast=0.4, saturation=0.0, hue=0.0, probability=0.8)' in text
  assert text.endswith('color=false)')
  assert 'grayscale(probability=0.2)' in resolve(SIMCLR, 3)
  assert resolve('grayscale | none', 1) == resolve('none', 3) == 'none'


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('text', [STRONG, SIMCLR, 'none', 'crop | none', 'solarize(7, 1.0e-5)', *ALL])
def test_resolving_twice_is_resolving_once(text, channels):
  kind = OTHERS.get(text, 'image')
  once = resolve(text, channels, kind)
  assert resolve(once, channels, kind) == once
  if channels == 3:
    assert [step for step in parse(text) if step[0] != 'none'] == [s for s in parse(once) if s[0] != 'none']


def test_operations_are_found_and_have_settings_alone():
  assert set(operations()) == {
    *('blur', 'crop', 'cutout', 'flip', 'grayscale', 'jitter'),
    *('none', 'randaugment', 'resized_crop', 'solarize', *OTHERS),
  }
  for name, factory in operations().items():
    assert factory.__doc__, name
    for setting in settings_of(factory).values():
      assert not setting.required, f'{name}.{setting.name} has no default'


@pytest.mark.parametrize(
  'text, message',
  [
    ('flop', "There is no augmentation 'flop'; did you mean 'flip'?"),
    ('randaugmnet(2)', "did you mean 'randaugment'?"),
    ('flip |', "'' is not of the form name"),
    ('', "'' is not of the form name"),
    ('crop(-1)', r'crop: padding must be in \[0, 256\], not -1'),
    ('crop(1.5)', 'crop: padding must be a whole number, not 1.5'),
    ('flip(2)', r'flip: probability must be in \[0, 1\], not 2'),
    ('flip(0.5, 0.5)', 'flip takes at most 1 settings'),
    ('flip(chance=0.5)', "flip has no setting 'chance'"),
    ('randaugment(variant=pytorch)', 'variant must be one of google, torchssl'),
    ('randaugment(0)', r'n must be in \[1, 20\]'),
    ('randaugment(3, 5, variant=torchssl)', 'leave magnitude out'),
    ('jitter(hue=0.7)', r'hue must be in \[0, 0.5\]'),
    ('blur(sigma=[2, 0.1])', 'swap the two'),
    ('blur(sigma=1)', 'sigma must be a list of a number and a number'),
    ('cutout([0, 3])', 'at most 1'),
    ('resized_crop(scale=[0, 1])', r'scale must be in \(0, 1\]'),
  ],
)
def test_errors_are_sentences(text, message):
  with pytest.raises(BadSetting, match=message.replace('?', r'\?')):
    parse(text)


def test_other_numbers_of_channels_are_refused():
  with pytest.raises(BadSetting, match='1 or 3 channels, not 4'):
    resolve('flip', 4)


@pytest.mark.slow
@pytest.mark.parametrize(
  'text, images',
  [(STRONG, photos()), ('crop(1) | randaugment(2) | cutout(3)', digits())],
  ids=['photos', 'digits'],
)
def test_a_policy_is_a_function_of_key_and_image_alone(text, images):
  policy = compile_policy(text, images.shape[3])
  batch = jax.jit(jax.vmap(policy))
  keys = jax.random.split(jax.random.key(0), 16)
  views = np.asarray(batch(keys, images))
  assert views.shape == images.shape and views.dtype == np.uint8
  np.testing.assert_array_equal(views, batch(keys, images))
  np.testing.assert_array_equal(views[::-1], batch(keys[::-1], images[::-1]))
  np.testing.assert_array_equal(views[3], jax.jit(policy)(keys[3], images[3]))
  same = np.asarray(batch(keys, np.repeat(images[:1], 16, 0)))
  assert len({view.tobytes() for view in same}) > 8, 'every key its own view'
  other = np.asarray(batch(jax.random.split(jax.random.key(1), 16), images))
  assert (views != other).any((1, 2, 3)).mean() > 0.8


def test_a_repeated_operation_draws_anew():
  keys = jax.random.split(jax.random.key(0), 400)
  twice = jax.jit(jax.vmap(compile_policy('flip | flip', 1), (0, None)))(keys, digits()[1])
  mirrored = (np.asarray(twice) != digits()[1]).any((1, 2, 3)).mean()
  assert 0.4 < mirrored < 0.6, 'two independent flips mirror half of the time, the same one twice never'


def test_resized_crop_changes_the_size_for_what_follows():
  policy = compile_policy('resized_crop(size=24) | flip | randaugment(1) | cutout(8)', 3)
  views = jax.eval_shape(jax.vmap(policy), jax.random.split(jax.random.key(0), 16), photos())
  assert views.shape == (16, 24, 24, 3) and views.dtype == np.uint8
