"""Sounds: the log-mel spectrogram against SciPy's, and what each operation promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal
from support.tiny_trial import make_config

from ssl_bench.augment import compile_policy, resolve
from ssl_bench.contract import View, look
from ssl_bench.kinds import audio, read_shape, scale
from ssl_bench.nets.mlp import mlp
from ssl_bench.planning import make_plan
from ssl_bench.settings.signature import BadSetting

VIEWS = 300
RNG = np.random.default_rng(0)


def tone(hertz, size, samples=2048):
  return size * np.sin(2 * np.pi * hertz / 8000 * np.arange(samples))


WAVE = np.rint(tone(440, 9000) * np.linspace(1, 0.2, 2048)).astype('int16')
LEVELS = np.asarray(scale(WAVE, 'audio'))


def views(policy, sound=WAVE):
  change = compile_policy(policy, 1, 'audio')
  keys = jax.random.split(jax.random.key(5), VIEWS)
  return np.asarray(jax.jit(jax.vmap(change, (0, None)))(keys, jnp.asarray(sound)))


def log_mel(wave):
  """By SciPy's short-time Fourier transform, and the filters written from the formula of each."""
  hop, window = 128, 256
  length = -(-len(wave) // hop) * hop
  padded = np.pad(wave / 32768, (64, 64 + length - len(wave)))
  _, _, spectrum = signal.stft(
    padded, 8000, signal.get_window('hann', window), window, window - hop, boundary=None, padded=False
  )
  spectrum = np.abs(spectrum.T * signal.get_window('hann', window).sum()) ** 2
  top, bottom = (2595 * np.log10(1 + f / 700) for f in (4000, 60))
  corners = [700 * (10 ** ((bottom + (top - bottom) * i / 33) / 2595) - 1) for i in range(34)]
  bands = np.zeros((len(spectrum), 32))
  for band, (low, middle, high) in enumerate(zip(corners, corners[1:], corners[2:])):
    for line in range(129):
      f = line * 31.25
      if low < f < high:
        weight = (f - low) / (middle - low) if f <= middle else (high - f) / (high - middle)
        bands[:, band] += weight * spectrum[:, line]
  return (np.log(bands + 1e-5) + 8.6) / 4.1


@pytest.mark.parametrize('samples', [2048, 1000, 8192])
def test_the_spectrogram_is_that_of_scipy(samples):
  wave = RNG.integers(-(2**15), 2**15, samples).astype('int16')
  wave[: samples // 2] //= 64
  found = np.asarray(jax.jit(lambda x: scale(x, 'audio'))(wave))
  assert found.shape == read_shape((samples,), 'audio') and found.dtype == np.float32
  np.testing.assert_allclose(found[..., 0], log_mel(wave), atol=2e-4)
  np.testing.assert_allclose(scale(np.stack([wave, wave]), 'audio')[1], found, atol=1e-5)


def test_silence_and_full_scale():
  assert np.asarray(scale(np.zeros(512, 'int16'), 'audio')) == pytest.approx(audio.SILENCE, abs=1e-6)
  full = np.rint(tone(1000, 32767)).astype('int16')
  found = np.asarray(scale(full, 'audio'))
  corners = audio.hertz(np.linspace(audio.mel(60), audio.mel(4000), 34))
  assert found[8, :, 0].argmax() == np.abs(corners[1:-1] - 1000).argmin()
  power = audio.power(jnp.asarray(full))[..., None]
  np.testing.assert_allclose(audio.from_log(found), power, rtol=1e-3, atol=1e-5)


def test_samples_are_refused_where_a_network_would_read_them():
  with pytest.raises(BadSetting, match='reads spectrograms of sounds, not samples'):
    net = mlp(widths=(4,))
    params, stats = net.init(jax.random.key(0), LEVELS[None])
    net.apply(params, stats, WAVE[None], train=False)
  views = {'a': View('unlabeled', 'weak')}
  batch = {'unlabeled': {'image': jnp.asarray(WAVE[None])}}
  with pytest.raises(BadSetting, match="policy 'weak' gives int16 images"):
    look(views, batch, {'weak': lambda key, sound: sound}, jax.random.key(0))


def test_what_is_a_spectrogram_already_stays():
  np.testing.assert_array_equal(scale(LEVELS, 'audio'), LEVELS)


def test_a_gain_is_uniform_in_decibels_and_what_is_too_loud_is_cut():
  seen = views('gain_audio([-12, -6])')
  assert seen.dtype == np.int16
  decibels = 20 * np.log10(np.abs(seen.astype(float)).max(1) / np.abs(WAVE.astype(float)).max())
  assert decibels.min() == pytest.approx(-12, abs=0.1) and decibels.max() == pytest.approx(-6, abs=0.1)
  assert decibels.mean() == pytest.approx(-9, abs=0.3)
  loud = views('gain_audio([40, 40])')[0]
  assert loud.max() == 32767 and loud.min() == -32768 and (np.sign(loud) == np.sign(WAVE)).all()


def test_a_shift_moves_and_lets_silence_in():
  seen = views('shift_audio(0.25)')
  moved = []
  windows = np.lib.stride_tricks.sliding_window_view(np.pad(WAVE, 512), 2048)
  for one in seen[:100]:
    (start,) = np.flatnonzero((windows == one).all(1))
    moved.append(512 - start)
  assert min(moved) < -450 and max(moved) > 450 and np.mean(moved) == pytest.approx(0, abs=90)


def test_noise_is_as_far_below_the_sound_as_is_asked_for():
  noise = views('noise_audio([20, 20])') - WAVE.astype(float)
  power = np.square(WAVE.astype(float)).mean() / np.square(noise).mean(1)
  assert 10 * np.log10(power).mean() == pytest.approx(20, abs=0.1)
  assert np.corrcoef(noise[0], noise[1])[0, 1] == pytest.approx(0, abs=0.1)


def test_speed_moves_the_pitch():
  wave = np.rint(tone(500, 9000, 4096)).astype('int16')
  for factor in (0.8, 1.0, 1.25):
    seen = views(f'speed_audio([{factor}, {factor}])', wave)[0]
    middle = seen[1024:3072] * signal.get_window('hann', 2048)
    peak = np.abs(np.fft.rfft(middle)).argmax() * 8000 / 2048
    assert peak == pytest.approx(500 * factor, abs=4)
  np.testing.assert_array_equal(views('speed_audio([1, 1])')[0], WAVE)


@pytest.mark.parametrize(('policy', 'axis', 'most'), [('mask_frames(0.5)', 0, 8), ('mask_bands(0.25)', 1, 8)])
def test_masks_are_spans_of_all_lengths_up_to_the_longest(policy, axis, most):
  seen = views(policy)
  hidden = seen[..., 0] == 0
  lines = hidden.all(2 - axis)
  np.testing.assert_array_equal(hidden, np.broadcast_to(np.expand_dims(lines, 2 - axis), hidden.shape))
  shown = np.broadcast_to(LEVELS[..., 0], hidden.shape)
  np.testing.assert_allclose(seen[..., 0][~hidden], shown[~hidden], atol=1e-5)
  lengths = lines.sum(1)
  assert set(lengths) == set(range(most + 1)) and (np.diff(lines, axis=1).sum(1) <= 2).all()
  assert np.bincount(lengths).min() > VIEWS / 9 / 2
  assert lines.any(0).all()


def test_several_spans_hide_more():
  one, three = ((views(f'mask_bands(0.25, spans={n})') == 0).mean() for n in (1, 3))
  assert one == pytest.approx(4 / 32, abs=0.015) and 1.8 * one < three < 3 * one


def test_a_warp_keeps_ends_and_order():
  ramp = np.broadcast_to(np.arange(33, dtype='float32')[:, None, None], (33, 4, 1))
  seen = views('warp_frames(0.2)', ramp)[..., 0]
  np.testing.assert_allclose(seen[:, [0, -1], 0], np.broadcast_to([0, 32], (VIEWS, 2)), atol=1e-4)
  assert (np.diff(seen[..., 0], axis=1) > 0).all()
  assert np.abs(seen[..., 0] - np.arange(33)).max() == pytest.approx(6.4, abs=0.4)
  np.testing.assert_allclose(views('warp_frames(0.0)', ramp)[0], ramp, atol=1e-4)


def test_a_piece_is_resized_to_the_whole():
  ramp = (np.arange(20, dtype='float32')[:, None] + 100 * np.arange(1, 11)[None])[..., None]
  seen = views('crop_spectrogram(time=[0.5, 0.5], bands=[1, 1], canvas=1.0)', ramp)[..., 0]
  times = seen[:, :, 0] - 100
  np.testing.assert_allclose(np.diff(times, axis=1), 9 / 19, atol=1e-3)  # 10 of 20 points, from end to end
  assert set(np.round(times[:, 0])) == set(range(11))
  np.testing.assert_allclose(seen[:, :, 3] - seen[:, :, 0], 300, atol=1e-2)
  np.testing.assert_allclose(views('crop_spectrogram([1, 1], [1, 1], canvas=1.0)', ramp)[0], ramp, rtol=1e-5)


def test_around_a_piece_the_canvas_is_the_mean():
  ones = np.ones((20, 10, 1), 'float32')
  seen = views('crop_spectrogram(time=[1.5, 1.5], bands=[1, 1])', ones)[0, :, 0, 0]
  inside = np.interp(np.arange(20) * 29 / 19, np.arange(30), [0] * 5 + [1] * 20 + [0] * 5)
  np.testing.assert_allclose(seen, inside, atol=1e-5)


def test_a_fader_is_a_line_between_two_random_ends():
  line = views('fade_spectrogram(0.5)', LEVELS) - LEVELS
  np.testing.assert_allclose(line, np.broadcast_to(line[:, :, :1], line.shape), atol=1e-5)
  np.testing.assert_allclose(np.diff(line[:, :, 0, 0], 2, axis=1), 0, atol=1e-5)
  ends = line[:, [0, -1], 0, 0]
  assert np.abs(ends).max() <= 0.5 + 1e-5 and ends.std(0) == pytest.approx(1 / np.sqrt(12), abs=0.03)
  assert np.corrcoef(ends.T)[0, 1] == pytest.approx(0, abs=0.15)


@pytest.mark.parametrize(
  ('policy', 'sentence'),
  [
    ('mask_bands | gain_audio', 'gain_audio changes the wave of a sound; put it before'),
    ('fade_spectrogram | shift_audio', 'shift_audio changes the wave of a sound; put it before'),
    ('flip', 'flip is for images, and the data are sounds; choose from .*gain_audio'),
    ('gain_audio([3, -3])', 'swap the two'),
  ],
)
def test_what_does_not_fit_is_one_sentence(policy, sentence):
  config = make_config({'name': 'supervised'}, dataset='fake_audio', net={'name': 'convnet', 'width': 2})
  with pytest.raises(BadSetting, match=sentence):
    make_plan(config.model_copy(update={'augment': {'weak': policy, 'strong': 'none'}}))


def test_shifted_sounds_are_waves():
  config = make_config(
    {'name': 'supervised'},
    dataset='fake_audio',
    net={'name': 'convnet', 'width': 2},
    stress={'shift': 'gain_audio([-20, -20])'},
  )
  plan = make_plan(config)
  quiet = np.setdiff1d(np.arange(240), plan.labeled)
  loud = plan.dataset.train_images[quiet]
  np.testing.assert_allclose(plan.dataset.shifted_images[quiet], loud / 10, atol=0.51)
  masked = config.model_copy(update={'stress': config.stress.model_copy(update={'shift': 'mask_bands'})})
  with pytest.raises(BadSetting, match='leave operations on spectrograms out'):
    make_plan(masked)


def test_a_policy_of_both_parts_is_seen_by_a_plan():
  text = resolve('gain_audio | noise_audio | mask_bands | fade_spectrogram', 1, 'audio')
  config = make_config({'name': 'supervised'}, dataset='fake_audio', net={'name': 'convnet', 'width': 2})
  plan = make_plan(config.model_copy(update={'augment': {'weak': text, 'strong': 'none'}}))
  assert plan.structure.data.shape == (8, 32, 1) and plan.structure.data.stored == (1024,)
