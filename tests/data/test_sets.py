"""The bundled digits, the synthetic set, and what is said of sets that are not here."""

import hashlib
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ssl_bench.data import available, load
from ssl_bench.data.extras import FACTS
from ssl_bench.data.sources import BUNDLED, SOURCES
from ssl_bench.settings.signature import BadSetting

ROOT = Path(__file__).resolve().parents[2]
DIGITS = '864fea3f68b8f13ac12c3007be754b9596143b2b18decfe91625264a6ee34f51'
DIGITS_TEST = 'dbf4f02f7b389689'


def test_digits_are_scikit_learns_in_three_disjoint_parts():
  data, raw = load('digits'), load_digits()
  assert data.shape == (8, 8, 1) and data.classes == 10
  index = np.concatenate([data.train_index, data.validation_index, data.test_index])
  assert sorted(index) == list(range(1797))
  images = np.concatenate([data.train_images, data.validation_images, data.test_images])
  labels = np.concatenate([data.train_labels, data.validation_labels, data.test_labels])
  assert images.dtype == np.uint8 and labels.dtype == np.int32
  np.testing.assert_array_equal(labels, raw.target[index])
  np.testing.assert_array_equal(images[..., 0], np.round(raw.images[index] / 16 * 255))
  assert images.max() == 255


def test_digits_parts_are_balanced_and_pinned():
  data = load('digits')
  assert [len(data.train_labels), len(data.validation_labels), len(data.test_labels)] == [1197, 200, 400]
  assert set(np.bincount(data.validation_labels)) == {20}
  assert set(np.bincount(data.test_labels)) == {40}
  assert data.fingerprint == DIGITS
  assert hashlib.sha256(data.test_index.astype('<i4').tobytes()).hexdigest()[:16] == DIGITS_TEST


@pytest.mark.parametrize('name, shape', [('fake', (8, 8, 1)), ('fake_16x12x3', (16, 12, 3))])
def test_fake_is_marked_and_always_the_same(name, shape):
  data = load(name)
  assert data.shape == shape and 'tests only' in data.license
  assert data.fingerprint == load(name).fingerprint
  assert data.n_unlabeled == data.n_train == len(data.stream_images())


def test_fake_captions_are_several_an_image_and_prompts_are_others():
  data = load('fake_captions')
  np.testing.assert_array_equal(data.train_images, load('fake').train_images)
  assert data.captions.shape == (240, 3, 12) and data.prompts.shape == (10, 2, 12)
  said = {bytes(row) for row in data.captions.reshape(-1, 12)}
  assert len(said) == 30 and not said & {bytes(row) for row in data.prompts.reshape(-1, 12)}


def test_the_unlabeled_stream_holds_the_extra_split():
  from ssl_bench.data.fake import fake

  data = fake(unlabeled=30)
  assert data.n_unlabeled == 270
  np.testing.assert_array_equal(data.stream_images()[240:], data.unlabeled_images)
  assert fake().name not in [row.name for row in available()]


@pytest.mark.parametrize('name', SOURCES)
def test_a_missing_set_says_at_once_how_to_get_it(name, tmp_path):
  start = time.perf_counter()
  with pytest.raises(BadSetting) as error:
    load(name, data_dir=tmp_path)
  assert time.perf_counter() - start < 0.5
  assert f'ssl-bench data prepare {name} --from FOLDER' in str(error.value)
  assert all(file in str(error.value) for file in SOURCES[name].files)
  assert not list(tmp_path.iterdir())


def test_a_missing_set_needs_no_import_of_tfds_or_jax(tmp_path):
  code = (
    'import sys\nfrom ssl_bench.data import load\n'
    'try: load("cifar10")\nexcept ValueError as error: print(error)\n'
    'print([name for name in ("tensorflow_datasets", "jax", "sklearn") if name in sys.modules])'
  )
  start = time.perf_counter()
  command, env = [sys.executable, '-c', code], {'SSL_BENCH_DATA': str(tmp_path)}
  done = subprocess.run(
    command, env=env | {'PYTHONPATH': str(ROOT)}, capture_output=True, text=True, check=True
  )
  assert time.perf_counter() - start < 3
  assert f'cifar10 is not in {tmp_path}' in done.stdout and done.stdout.endswith('[]\n')


def test_an_unknown_set_gets_the_nearest_name():
  with pytest.raises(BadSetting, match="did you mean 'cifar10'"):
    load('cifar-10')
  with pytest.raises(BadSetting, match='fake_16x16x3'):
    load('fake_large')
  from ssl_bench.data import check_name

  for name in ('fake_0x8x1', 'fake_08x8x1', 'fake_8x8x1\n', 'fake_٣x8x1', f'fake_{"9" * 5000}x8x1'):
    with pytest.raises(BadSetting, match='is no synthetic set') as error:
      check_name(name)
    assert len(str(error.value)) < 300
  with pytest.raises(BadSetting, match='would have 30,000,000,000 values; at most 150,528 are made'):
    check_name('fake_100000x100000x3')


def test_records_that_only_tensorflow_reads_are_named(tmp_path):
  folder = tmp_path / 'mnist' / '3.0.1'
  folder.mkdir(parents=True)
  (folder / 'dataset_info.json').write_text('{"fileFormat": "tfrecord"}')
  with pytest.raises(BadSetting, match='only TensorFlow reads'):
    load('mnist', data_dir=tmp_path)


def test_the_data_folder_is_argument_then_environment_then_tfds(tmp_path, monkeypatch):
  from ssl_bench.data.sources import data_folder

  monkeypatch.delenv('SSL_BENCH_DATA', raising=False)
  monkeypatch.delenv('TFDS_DATA_DIR', raising=False)
  assert data_folder().parts[-1] == 'tensorflow_datasets'
  monkeypatch.setenv('SSL_BENCH_DATA', str(tmp_path / 'env'))
  assert data_folder() == tmp_path / 'env'
  assert data_folder(tmp_path) == tmp_path


def is_installed(package):
  return importlib.util.find_spec(package) is not None


def test_the_list_names_every_set(tmp_path):
  rows = {row.name: row for row in available(tmp_path)}
  assert list(rows) == [*BUNDLED, *SOURCES]
  there = [name for name in BUNDLED if name not in FACTS or is_installed(FACTS[name].package.name)]
  assert [name for name, row in rows.items() if row.ready] == there
  assert rows['stl10'].unlabeled == 100_000 and rows['cifar100'].classes == 100
  assert rows['svhn_cropped'].train + rows['svhn_cropped'].validation == 73_257
  assert rows['digits'].fingerprint == DIGITS
