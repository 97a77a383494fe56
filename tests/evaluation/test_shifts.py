"""Shifts against SciPy, Pillow and NumPy, and what a trial records of them."""

import io

import jax
import numpy as np
import pytest
from PIL import Image
from scipy import fft, ndimage, stats
from sklearn.metrics import accuracy_score
from support.cli import write_configs
from support.images import digits, photos

from ssl_bench import api, data
from ssl_bench.config import load
from ssl_bench.evaluation import shifts
from ssl_bench.settings.sections import SHIFTS
from ssl_bench.settings.signature import BadSetting

LEVELS = range(1, 6)


def floats(image):
  return image.astype('float32')


def rounded(image):
  return np.clip(np.floor(np.asarray(image) + 0.5), 0, 255).astype('uint8')


def test_there_are_the_shifts_that_a_config_can_name():
  assert set(shifts.SEVERITIES) == {(name, kind) for name, kinds in SHIFTS.items() for kind in kinds}
  assert set(shifts.SHIFTS) == set(shifts.SEVERITIES) - {('jpeg', 'image')}
  assert {len(table) for table in shifts.SEVERITIES.values()} == {5}


@pytest.mark.parametrize(('images', 'times'), [(digits(), 1), (photos(), 1), (photos(48), 1.5)])
def test_blur_is_scipys(images, times):
  for severity, sigma in zip(LEVELS, (0.4, 0.6, 0.7, 0.8, 1.0)):
    radius = round(4 * times)
    smooth = ndimage.gaussian_filter(
      floats(images), sigma * times, mode='nearest', radius=radius, axes=(1, 2)
    )
    assert np.abs(shifts.corrupt('blur', severity, images) - smooth).max() < 0.51


@pytest.mark.parametrize('severity', LEVELS)
def test_contrast_and_brightness_are_numpys(severity):
  clean = photos().astype('float64')
  share = (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1]  # CIFAR-10-C's
  middle = clean.mean((1, 2), keepdims=True)
  faint = shifts.corrupt('contrast', severity, photos()).astype(int)
  assert np.abs(faint - rounded(middle + share * (clean - middle))).max() <= 1  # a half may round either way
  bright = shifts.corrupt('brightness', severity, photos()).astype(int)
  assert np.abs(bright - np.clip(clean + 25.5 * severity, 0, 255)).max() < 0.51


def test_a_shift_and_a_turn_are_scipys():
  image = floats(photos()[0][:, :24])  # not square
  moved = shifts.move(image, np.eye(2, dtype='float32'), np.float32([2.3, -4.6]))
  np.testing.assert_allclose(moved, ndimage.shift(image, (2.3, -4.6, 0), order=1, mode='nearest'), atol=2e-2)
  for degrees in (-30, 12):
    turned = shifts.move(image, shifts.turn(np.float32(degrees)), np.zeros(2, 'float32'))
    expected = ndimage.rotate(image, degrees, reshape=False, order=1, mode='nearest')
    np.testing.assert_allclose(turned, expected, atol=5e-2)


def test_translation_moves_as_far_as_its_table_says_and_every_way():
  rows, columns = np.mgrid[:64, :64]
  blob = 200 * np.exp(-((rows - 32) ** 2 + (columns - 32) ** 2) / 50)
  blobs = np.repeat(rounded(blob)[None, :, :, None], 300, 0)
  center = lambda image: np.array(ndimage.center_of_mass(image[:, :, 0].astype(float)))
  for severity in (1, 5):
    moved = np.stack([center(image) for image in shifts.corrupt('translation', severity, blobs)])
    reach = np.linalg.norm(moved - center(blobs[0]), axis=1)
    np.testing.assert_allclose(reach, (0.04, 0, 0, 0, 0.2)[severity - 1] * 64, atol=0.1)
    angles = np.arctan2(*(moved - center(blobs[0])).T) / (2 * np.pi) % 1
    assert stats.kstest(angles, 'uniform').pvalue > 1e-3


def test_rotation_turns_to_either_side():
  same = np.repeat(photos()[:1], 40, 0)
  turned = shifts.corrupt('rotation', 3, same).astype(int)
  sides = [ndimage.rotate(floats(same[0]), d, reshape=False, order=1, mode='nearest') for d in (-18, 18)]
  off = np.array([[np.abs(image - side).max() for side in sides] for image in turned])
  assert (off.min(1) < 0.6).all() and 0.2 < (off[:, 0] < 0.6).mean() < 0.8


def test_noise_is_normal_and_more_of_the_same_at_a_higher_severity():
  image = np.full((64, 64, 3), 100, 'float32')
  noisy = np.asarray(shifts.noise(jax.random.key(0), image, np.float32(0.12)))
  assert stats.kstest(((noisy - 100) / (0.12 * 255)).ravel(), 'norm').pvalue > 1e-3
  gray = np.full((3, 64, 64, 1), 128, 'uint8')
  one, two = (shifts.corrupt('noise', severity, gray).astype(float) - 128 for severity in (1, 2))
  inside = np.abs(two) < 120
  np.testing.assert_allclose(two[inside] * 0.08, one[inside] * 0.12, atol=0.11)
  assert np.std(one) == pytest.approx(0.08 * 255, rel=0.03)
  assert len({image.tobytes() for image in one}) == 3  # each image has its own


def test_jpeg_is_a_rounded_cosine_transform():
  """Of a gray image of one block: levels - 128, DCT-II, divided by the file's table, rounded, and back."""
  image = photos()[0][:8, :8, :1]
  for severity, quality in zip(LEVELS, (80, 65, 58, 50, 40)):
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0]).save(file, 'JPEG', quality=quality)
    with Image.open(file) as opened:
      table = np.array(opened.quantization[0]).reshape(8, 8)
    kept = np.round(fft.dctn(image[:, :, 0] - 128.0, norm='ortho') / table) * table
    expected = np.clip(fft.idctn(kept, norm='ortho') + 128, 0, 255)
    got = shifts.corrupt('jpeg', severity, image[None])[0, :, :, 0]
    assert np.abs(got - expected).max() < 2  # libjpeg computes in whole numbers
  assert shifts.corrupt('jpeg', 5, photos()).shape == photos().shape


def test_noise_of_series_and_sounds_has_the_level_of_its_table():
  rng = np.random.default_rng(0)
  series = rng.normal(size=(5, 400, 2)).astype('float32')
  added = shifts.corrupt('noise', 3, series, 'series') - series
  assert added.dtype == np.float32 and np.std(added) == pytest.approx(0.4, rel=0.05)
  waves = (8000 * np.sin(np.arange(4000) / 9) * np.array([[1], [0.2]])).astype('int16')
  for severity, decibels in zip(LEVELS, (30, 20, 10, 5, 0)):
    added = shifts.corrupt('noise', severity, waves, 'audio').astype(float) - waves
    ratio = 10 * np.log10((waves.astype(float) ** 2).mean(1) / (added**2).mean(1))
    np.testing.assert_allclose(ratio, decibels, atol=0.3)


@pytest.mark.parametrize('name', [name for name, kind in shifts.SEVERITIES if kind == 'image'])
def test_what_is_drawn_depends_on_the_position_alone(name):
  many = np.tile(digits(), (17, 1, 1, 1))  # more than one chunk, and a part of one
  whole = shifts.corrupt(name, 2, many)
  assert whole.dtype == np.uint8 and whole.shape == many.shape
  np.testing.assert_array_equal(shifts.corrupt(name, 2, many[:3]), whole[:3])
  assert (whole != many).any()


@pytest.mark.parametrize(
  ('dataset', 'asked', 'sentence'),
  [
    ('fake', 'blurr', r"There is no shift 'blurr' in evaluate\.shifts; did you mean 'blur'"),
    ('fake', 'blur, blur', r'evaluate\.shifts names blur twice'),
    (
      'breast_cancer',
      'blur',
      r'The shift blur is for images, and breast_cancer has rows of a table; there is',
    ),
    ('spoken_digit', 'blur', r'blur is for images, and spoken_digit has sounds; choose from noise\.'),
  ],
)
def test_a_shift_that_there_is_not_is_one_sentence(tmp_path, dataset, asked, sentence):
  path = write_configs(tmp_path) / 'supervised.yaml'
  kinds = {'breast_cancer': 'table', 'spoken_digit': 'audio'}
  with pytest.raises(BadSetting, match=sentence):
    config = load(path, [f'evaluate.shifts=[{asked}]'])
    if dataset in kinds:  # the check alone, whatever sets are prepared here
      from types import SimpleNamespace

      from ssl_bench.planning.shifts import check_shifts

      found = SimpleNamespace(name=dataset, kind=kinds[dataset], classes=2)
      check_shifts(SimpleNamespace(dataset=found, config=config))


@pytest.mark.slow
@pytest.mark.parametrize('method', ['fixmatch', 'simclr'])
def test_a_trial_records_what_its_frozen_classifier_loses(tmp_path, method):
  path = write_configs(tmp_path, 'evaluate: {every: 12, last: 1, bootstrap: 100}') / f'{method}.yaml'
  plan = api.plan(load(path, ['evaluate.shifts=[noise, translation]', 'steps=40']))
  fitted = api.train(plan)
  metrics = api.evaluate(plan, fitted)
  found, dataset = metrics['shifts'], data.load('fake')
  assert set(found) == {'noise', 'translation', 'mean'}
  network = api.TrainedNetwork(plan, fitted)
  classify = network.logits
  if method == 'simclr':  # a linear probe, fitted on clean images
    from ssl_bench.evaluation.probes import Features, with_few_labels

    see = lambda part: network.features(getattr(dataset, f'{part}_images'))
    probe = with_few_labels(Features(see('train'), see('validation'), see('test')), dataset, plan.labeled)
    classify = lambda images: probe.logits(network.features(images))
  for name in ('noise', 'translation'):
    for i, severity in enumerate(LEVELS):
      logits = classify(shifts.corrupt(name, severity, dataset.test_images)).astype('float64')
      right = logits.argmax(1) == dataset.test_labels
      assert found[name]['accuracy'][i] == pytest.approx(
        accuracy_score(dataset.test_labels, logits.argmax(1))
      )
      cooled = np.exp(logits / metrics['temperature'])
      top = (cooled / cooled.sum(1, keepdims=True)).max(1)
      bins = np.ceil(top * 15)
      gaps = [abs((right[bins == b] - top[bins == b]).sum()) for b in np.unique(bins)]
      assert found[name]['ece'][i] == pytest.approx(sum(gaps) / len(right), abs=1e-6)
    mean = np.mean(found[name]['accuracy'])
    assert found[name]['drop'] == pytest.approx((metrics['accuracy'] - mean) / metrics['accuracy'])
  for part in ('accuracy', 'ece'):
    means = [np.mean(found[name][part]) for name in ('noise', 'translation')]
    assert found['mean'][part] == pytest.approx(np.mean(means))
  assert found['mean']['drop'] == pytest.approx(1 - found['mean']['accuracy'] / metrics['accuracy'])
