"""Sets are built from official files without TensorFlow, whole or not at all, and equal to the files."""

import gzip
import hashlib
import io
import lzma
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from ssl_bench.data import available, files, load, prepare, reach
from ssl_bench.data.sources import SOURCES, decoded_folder, how_to_get, prepared_folder
from ssl_bench.settings.signature import BadSetting

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / 'shared' / 'data'
FINGERPRINTS = {
  'cifar10': '2af1be813df11bce164ba6bef735b6bf1ef5fa4bccc6cc797d0c8ded6719fb73',
  'mnist': 'd9966b5bf81ece943c5b6aa7c81456edcec6b4e212db34fa33751b6410c93d38',
  'fashion_mnist': 'da88acc0f29267db999772dc0b796a0ef73c43e721a5c60923bb973abc4526af',
}


def random_part(n, shape, classes=10):
  """Random images and labels that hold every class equally often."""
  images = np.random.default_rng(n).integers(0, 256, (n, *shape), np.uint8)
  return images, (np.arange(n) % classes).astype(np.uint8)


def as_rows(images, labels):
  """One sorted byte string an image: TFDS shuffles, so sets are compared as sets."""
  return sorted(np.asarray(image).tobytes() + bytes([label]) for image, label in zip(images, labels))


def expect_files(monkeypatch, name, folder, port=9, **sizes):
  """Injects the checksums of the files in `folder` and the sizes of a tiny set."""
  official = {
    file: files.Official(
      f'http://localhost:{port}/{file}',
      (folder / file).stat().st_size,
      hashlib.sha256((folder / file).read_bytes()).hexdigest(),
    )
    for file in SOURCES[name].files
  }
  monkeypatch.setattr(files, 'official_files', lambda asked: official)
  monkeypatch.setitem(SOURCES, name, SOURCES[name]._replace(**sizes))


def add(tar, name, content):
  entry = tarfile.TarInfo(name)
  entry.size = len(content)
  tar.addfile(entry, io.BytesIO(content))


def idx(array):
  header = bytes([0, 0, 8, array.ndim]) + b''.join(size.to_bytes(4, 'big') for size in array.shape)
  return header + array.tobytes()


def write_idx(folder, compress=gzip.compress, suffix='.gz', train=60, test=20):
  parts = {'train': random_part(train, (28, 28)), 't10k': random_part(test, (28, 28))}
  for part, (images, labels) in parts.items():
    (folder / f'{part}-images-idx3-ubyte{suffix}').write_bytes(compress(idx(images)))
    (folder / f'{part}-labels-idx1-ubyte{suffix}').write_bytes(compress(idx(labels)))
  return parts['train'], parts['t10k']


def check_parts(data, train, test):
  images = np.concatenate([data.train_images, data.validation_images])
  labels = np.concatenate([data.train_labels, data.validation_labels])
  assert as_rows(images.reshape(len(images), -1), labels) == as_rows(*train)
  assert as_rows(data.test_images.reshape(len(data.test_images), -1), data.test_labels) == as_rows(*test)
  assert np.ptp(np.bincount(data.validation_labels, minlength=data.classes)) == 0
  index = np.concatenate([data.train_index, data.validation_index])
  assert sorted(index) == list(range(len(index)))


def test_kmnist_from_tiny_official_files(tmp_path, monkeypatch):
  train, test = write_idx(tmp_path)
  expect_files(monkeypatch, 'kmnist', tmp_path, validation=20)
  said = []
  prepare('kmnist', source=tmp_path, data_dir=tmp_path / 'data', progress=said.append)
  data = load('kmnist', data_dir=tmp_path / 'data')
  check_parts(data, train, test)
  assert data.shape == (28, 28, 1) and data.label_names[:3] == ('o', 'ki', 'su')
  assert isinstance(data.train_images, np.memmap) and not data.train_images.flags.writeable
  assert any('building kmnist 3.0.1' in line for line in said) and 'decoded 60 of 60 images' in said
  row = next(row for row in available(tmp_path / 'data') if row.name == 'kmnist')
  assert row.ready and (row.train, row.validation, row.test) == (40, 20, 20)
  assert row.fingerprint == data.fingerprint and row.bytes > 80 * 784


def test_what_is_prepared_is_left_alone_and_decoded_again_if_only_that_is_gone(tmp_path, monkeypatch):
  write_idx(tmp_path)
  expect_files(monkeypatch, 'kmnist', tmp_path, validation=20)
  root = tmp_path / 'data'
  prepare('kmnist', source=tmp_path, data_dir=root)
  first = load('kmnist', data_dir=root).fingerprint
  before = {path: path.stat().st_mtime_ns for path in root.rglob('*') if path.is_file()}
  said = []
  prepare('kmnist', source=tmp_path, data_dir=root, progress=said.append)
  assert said == [f'kmnist is prepared already, in {root}; nothing was taken from {tmp_path}']
  prepare('kmnist', data_dir=root, progress=said.append)
  assert said[1:] == [f'kmnist is prepared already, in {root}']
  with pytest.raises(
    BadSetting, match=r'there is no folder .*nowhere; give --from a folder with train-images'
  ):
    prepare('kmnist', source=tmp_path / 'nowhere', data_dir=root)
  assert before == {path: path.stat().st_mtime_ns for path in root.rglob('*') if path.is_file()}
  decoded = decoded_folder('kmnist', root)
  decoded.rename(tmp_path / 'moved')
  assert load('kmnist', data_dir=root).fingerprint == first


@pytest.mark.parametrize('name, label_keys, classes', [('cifar10', 1, 10), ('cifar100', 2, 100)])
def test_cifar_from_a_tiny_archive(name, label_keys, classes, tmp_path, monkeypatch):
  train, test = random_part(2 * classes, (3, 32, 32), classes), random_part(classes, (3, 32, 32), classes)

  def rows(images, labels):
    coarse = [labels // 5][: label_keys - 1]
    return np.concatenate([np.stack([*coarse, labels], 1), images.reshape(len(images), -1)], 1).tobytes()

  with tarfile.open(tmp_path / SOURCES[name].files[0], 'w:gz') as tar:
    if name == 'cifar10':
      folder, names = 'cifar-10-batches-bin', [f'name{i}' for i in range(10)]
      add(tar, f'{folder}/batches.meta.txt', ('\n'.join(names) + '\n\n').encode())
      for i in range(5):
        add(tar, f'{folder}/data_batch_{i + 1}.bin', rows(*(part[4 * i : 4 * i + 4] for part in train)))
      add(tar, f'{folder}/test_batch.bin', rows(*test))
    else:
      folder, names = 'cifar-100-binary', [f'name{i}' for i in range(100)]
      add(tar, f'{folder}/train.bin', rows(*train))
      add(tar, f'{folder}/test.bin', rows(*test))
      add(tar, f'{folder}/fine_label_names.txt', ('\n'.join(names) + '\n').encode())
      add(tar, f'{folder}/coarse_label_names.txt', '\n'.join(f'coarse{i}' for i in range(20)).encode())
  expect_files(monkeypatch, name, tmp_path, validation=classes)
  prepare(name, source=tmp_path, data_dir=tmp_path / 'data')
  data = load(name, data_dir=tmp_path / 'data')
  last = [(np.moveaxis(images, 1, -1), labels) for images, labels in (train, test)]
  check_parts(data, *last)
  assert data.shape == (32, 32, 3) and data.label_names == tuple(names)


def write_bins(folder, monkeypatch):
  """Tiny extracted files of CIFAR-10, which count as the official ones."""
  train, test = random_part(20, (3, 32, 32)), random_part(10, (3, 32, 32))
  rows = lambda images, labels: np.concatenate(
    [labels[:, None], images.reshape(len(images), -1)], 1
  ).tobytes()
  parts = {f'data_batch_{i + 1}.bin': [part[4 * i : 4 * i + 4] for part in train] for i in range(5)}
  for file, part in {**parts, 'test_batch.bin': test}.items():
    (folder / file).write_bytes(rows(*part))
  md5 = {file: hashlib.md5((folder / file).read_bytes()).hexdigest() for file in (*parts, 'test_batch.bin')}
  monkeypatch.setitem(files.EXTRACTED, 'cifar10', md5)
  monkeypatch.setitem(SOURCES, 'cifar10', SOURCES['cifar10']._replace(validation=10))
  return train, test


def test_cifar10_from_the_files_of_its_archive(tmp_path, monkeypatch):
  parts = write_bins(tmp_path, monkeypatch)
  prepare('cifar10', source=tmp_path, data_dir=tmp_path / 'data')
  data = load('cifar10', data_dir=tmp_path / 'data')
  check_parts(data, *((np.moveaxis(images, 1, -1), labels) for images, labels in parts))
  assert data.label_names[:2] == ('airplane', 'automobile') and data.label_names[9] == 'truck'


def test_cifar100_from_the_files_of_its_version_for_python(tmp_path, monkeypatch):
  parts = random_part(200, (3, 32, 32), 100), random_part(100, (3, 32, 32), 100)
  for file, (images, labels) in zip(('train', 'test'), parts, strict=True):
    content = {b'data': images.reshape(len(images), -1), b'fine_labels': labels.tolist()}
    content[b'coarse_labels'] = (labels // 5).tolist()
    (tmp_path / file).write_bytes(pickle.dumps(content))
  names = {
    b'fine_label_names': [b'name%d' % i for i in range(100)],
    b'coarse_label_names': [b'coarse%d' % i for i in range(20)],
  }
  (tmp_path / 'meta').write_bytes(pickle.dumps(names))
  md5 = {file: hashlib.md5((tmp_path / file).read_bytes()).hexdigest() for file in ('train', 'test', 'meta')}
  monkeypatch.setitem(files.EXTRACTED, 'cifar100', md5)
  monkeypatch.setitem(SOURCES, 'cifar100', SOURCES['cifar100']._replace(validation=100))
  prepare('cifar100', source=tmp_path, data_dir=tmp_path / 'data')
  data = load('cifar100', data_dir=tmp_path / 'data')
  check_parts(data, *((np.moveaxis(images, 1, -1), labels) for images, labels in parts))
  assert data.label_names[:2] == ('name0', 'name1') and data.classes == 100


@pytest.mark.parametrize(
  ('spoil', 'says'),
  [
    (
      lambda folder: (folder / 'data_batch_3.bin').unlink(),
      'has no data_batch_3.bin; give all of data_batch_1',
    ),
    (lambda folder: (folder / 'test_batch.bin').write_bytes(b'x'), 'test_batch.bin is not the official file'),
  ],
)
def test_a_wrong_file_of_the_archive_is_named(spoil, says, tmp_path, monkeypatch):
  write_bins(tmp_path, monkeypatch)
  spoil(tmp_path)
  with pytest.raises(BadSetting, match=says):
    prepare('cifar10', source=tmp_path, data_dir=tmp_path / 'data')
  assert not (tmp_path / 'data' / 'cifar10').exists()


def test_svhn_from_tiny_matlab_files(tmp_path, monkeypatch):
  parts = {split: random_part(n, (32, 32, 3)) for split, n in (('train', 30), ('test', 10), ('extra', 10))}
  for split, (images, labels) in parts.items():
    ones_to_ten = np.where(labels == 0, 10, labels)[:, None]
    savemat(tmp_path / f'{split}_32x32.mat', {'X': images.transpose(1, 2, 3, 0), 'y': ones_to_ten})
  expect_files(monkeypatch, 'svhn_cropped', tmp_path, validation=10)
  prepare('svhn_cropped', source=tmp_path, data_dir=tmp_path / 'data')
  check_parts(load('svhn_cropped', data_dir=tmp_path / 'data'), parts['train'], parts['test'])


def test_stl10_from_a_tiny_archive_with_its_unlabeled_split_and_folds(tmp_path, monkeypatch):
  train, test = random_part(40, (96, 96, 3)), random_part(10, (96, 96, 3))
  unlabeled, _ = random_part(12, (96, 96, 3))
  folds = [np.random.default_rng(seed).permutation(40)[:20] for seed in range(3)]

  def binary(images):
    return images.transpose(0, 3, 2, 1).tobytes()

  with tarfile.open(tmp_path / 'stl10_binary.tar.gz', 'w:gz') as tar:
    add(tar, 'stl10_binary/test_X.bin', binary(test[0]))
    add(tar, 'stl10_binary/test_y.bin', (test[1] + 1).tobytes())
    add(tar, 'stl10_binary/train_X.bin', binary(train[0]))
    add(tar, 'stl10_binary/train_y.bin', (train[1] + 1).tobytes())
    add(tar, 'stl10_binary/unlabeled_X.bin', binary(unlabeled))
    add(tar, 'stl10_binary/class_names.txt', '\n'.join(f'thing{i}' for i in range(10)).encode() + b'\n')
    lines = [' '.join(map(str, fold)) + ' \n' for fold in folds]
    add(tar, 'stl10_binary/fold_indices.txt', ''.join(lines).encode())
  expect_files(monkeypatch, 'stl10', tmp_path, validation=10)
  prepare('stl10', source=tmp_path, data_dir=tmp_path / 'data')
  data = load('stl10', data_dir=tmp_path / 'data')
  check_parts(data, train, test)
  assert data.label_names[9] == 'thing9'
  assert data.unlabeled_images.shape == (12, 96, 96, 3) and data.n_unlabeled == 42
  assert as_rows(data.unlabeled_images, np.zeros(12, int)) == as_rows(unlabeled, np.zeros(12, int))
  validation = {image.tobytes() for image in data.validation_images}
  for fold, official in zip(data.folds, folds, strict=True):
    expected = {train[0][i].tobytes() for i in official} - validation
    assert {data.train_images[i].tobytes() for i in fold} == expected
    assert len(fold) == len(expected) and np.all(np.diff(fold) > 0)


@pytest.mark.parametrize(
  'suffix, compress', [('', bytes), ('.gz', lambda b: gzip.compress(b, 1)), ('.xz', lzma.compress)]
)
def test_mnist_takes_any_compression_of_the_right_content(suffix, compress, tmp_path, monkeypatch):
  contents = tmp_path / 'plain'
  contents.mkdir()
  write_idx(contents, bytes, '')
  write_idx(tmp_path, compress, suffix)
  md5 = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in contents.iterdir()}
  monkeypatch.setitem(files.CONTENT_MD5, 'mnist', md5)
  found = files.locate('mnist', tmp_path, files.official_files('mnist'))
  assert {path.name for path in found.values()} == {f'{name}{suffix}' for name in md5}


def test_the_registered_files_and_versions_are_those_of_tfds():
  import tensorflow_datasets as tfds

  for name, source in SOURCES.items():
    if source.kind != 'image':  # read from other files than those of TFDS
      continue
    assert str(tfds.builder_cls(name).VERSION) == source.version
    assert set(files.official_files(name)) == set(source.files)


@pytest.mark.parametrize('spoil, says', [
  (lambda path: path.write_bytes(b'x' * path.stat().st_size), 'checksum is wrong'),
  (lambda path: path.write_bytes(path.read_bytes()[:-9]), 'checksum is wrong'),
  (lambda path: path.unlink(), 'has no t10k-labels-idx1-ubyte.gz'),
])  # fmt: skip
def test_a_wrong_file_is_named_and_nothing_is_written(spoil, says, tmp_path, monkeypatch):
  write_idx(tmp_path)
  expect_files(monkeypatch, 'kmnist', tmp_path)
  spoil(tmp_path / 't10k-labels-idx1-ubyte.gz')
  with pytest.raises(BadSetting, match=says) as error:
    prepare('kmnist', source=tmp_path, data_dir=tmp_path / 'data')
  assert 't10k-labels-idx1-ubyte.gz' in str(error.value)
  assert not (tmp_path / 'data').exists()


def test_a_missing_folder_is_named(tmp_path):
  with pytest.raises(BadSetting, match='there is no folder'):
    prepare('mnist', source=tmp_path / 'nowhere', data_dir=tmp_path)


def test_a_bundled_set_says_that_there_is_nothing_to_prepare(tmp_path):
  said = []
  assert prepare('digits', source=tmp_path, progress=said.append) is None
  assert said == ['digits comes with the installation; there is nothing to prepare']
  with pytest.raises(BadSetting, match=r'there is no folder .*nowhere; digits comes with the installation'):
    prepare('digits', source=tmp_path / 'nowhere')


@pytest.mark.parametrize('spoil, says', [
  (lambda folder: (folder / 'dataset_info.json').write_text(''), 'dataset_info.json is broken'),
  (lambda folder: (folder / 'dataset_info.json').write_text('[]'), 'dataset_info.json is broken'),
  (lambda folder: next(folder.glob('*test*')).write_bytes(b''), 'cannot be decoded'),
])  # fmt: skip
def test_records_of_tfds_that_are_broken_are_one_sentence(spoil, says, tmp_path, monkeypatch):
  write_idx(tmp_path)
  expect_files(monkeypatch, 'kmnist', tmp_path, validation=20)
  root = tmp_path / 'data'
  prepare('kmnist', source=tmp_path, data_dir=root)
  decoded_folder('kmnist', root).rename(tmp_path / 'moved')
  spoil(prepared_folder('kmnist', root))
  with pytest.raises(BadSetting, match=says) as error:
    load('kmnist', data_dir=root)
  assert 'ssl-bench data prepare kmnist' in str(error.value)
  assert not decoded_folder('kmnist', root).exists()


def test_a_host_that_cannot_be_reached_is_said_quickly(tmp_path, monkeypatch):
  write_idx(tmp_path)
  expect_files(monkeypatch, 'kmnist', tmp_path)  # its address is a closed port of this machine
  for proxy in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
    monkeypatch.delenv(proxy, raising=False)
  start = time.perf_counter()
  with pytest.raises(BadSetting, match=r'cannot download http://localhost:9/.*--from FOLDER'):
    prepare('kmnist', data_dir=tmp_path / 'data')
  assert time.perf_counter() - start < 6
  assert not (tmp_path / 'data').exists()


@pytest.fixture
def server(tmp_path, monkeypatch):
  """The port of a web server that serves `tmp_path` on this machine."""
  monkeypatch.setenv('no_proxy', 'localhost')
  handler = partial(QuietHandler, directory=str(tmp_path))
  with ThreadingHTTPServer(('localhost', 0), handler) as running:
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running.server_port
    running.shutdown()


class QuietHandler(SimpleHTTPRequestHandler):
  def log_message(self, *args):
    pass


def test_a_set_is_downloaded_and_its_checksums_are_enforced(tmp_path, monkeypatch, server):
  train, test = write_idx(tmp_path)
  expect_files(monkeypatch, 'kmnist', tmp_path, port=server, validation=20)
  labels = tmp_path / 't10k-labels-idx1-ubyte.gz'
  right = labels.read_bytes()
  labels.write_bytes(right + b'!')
  with pytest.raises(BadSetting, match='wrong checksum'):
    prepare('kmnist', data_dir=tmp_path / 'data')
  assert not prepared_folder('kmnist', tmp_path / 'data').exists()
  assert not list((tmp_path / 'data').rglob('*tmp*'))
  labels.write_bytes(right)
  prepare('kmnist', data_dir=tmp_path / 'data')
  check_parts(load('kmnist', data_dir=tmp_path / 'data'), train, test)


def test_a_host_that_does_not_answer_is_given_up(monkeypatch):
  def silent(*args, **kwargs):
    time.sleep(2)
    raise OSError

  monkeypatch.setattr(reach.urllib.request, 'urlopen', silent)
  with pytest.raises(BadSetting, match=r'no answer in 0\.2 s'):
    reach.check_reachable(['http://localhost:9/x'], how_to_get('mnist'), seconds=0.2)


def test_a_failure_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
  write_idx(tmp_path)
  expect_files(monkeypatch, 'kmnist', tmp_path, validation=20)
  root = tmp_path / 'data'

  def interrupt(*args):
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr('ssl_bench.data.builders.png', interrupt)
    with pytest.raises(KeyboardInterrupt):
      prepare('kmnist', source=tmp_path, data_dir=root)
  assert not prepared_folder('kmnist', root).exists()
  assert [path.name for path in (root / 'ssl_bench').iterdir()] == ['.kmnist.lock']
  prepare('kmnist', source=tmp_path, data_dir=root)
  assert load('kmnist', data_dir=root).n_train == 40


KILLED = """
import sys, time
from ssl_bench.data import builders, preparation
root, source = sys.argv[1:]
def slow(image):
  print('building', file=sys.stderr, flush=True)
  time.sleep(60)
builders.png = slow
preparation.prepare('mnist', source=source, data_dir=root)
"""


@pytest.mark.slow
def test_mnist_equals_its_official_files_even_after_a_killed_preparation(tmp_path, shared):
  root = tmp_path / 'data'
  command = [sys.executable, '-c', KILLED, str(root), str(shared / 'mnist')]
  env = os.environ | {'PYTHONPATH': str(ROOT)}
  with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
    assert any(line == 'building\n' for line in process.stderr)
    process.send_signal(signal.SIGKILL)
  assert not prepared_folder('mnist', root).exists()
  assert (root / 'ssl_bench' / '.mnist.partial').exists()
  with pytest.raises(BadSetting, match='is not in'):
    load('mnist', data_dir=root)
  check_real('mnist', shared / 'mnist', root)
  assert not (root / 'ssl_bench' / '.mnist.partial').exists()


@pytest.fixture
def shared():
  if not (SHARED / 'mnist').is_dir():
    pytest.skip('the folder ../shared/data with MNIST and Fashion-MNIST is not beside the checkout')
  return SHARED


def check_real(name, folder, root):
  prepare(name, source=folder, data_dir=root)
  data = load(name, data_dir=root)
  openers = {'.gz': gzip.open, '.xz': lzma.open}

  def official(part):
    images, labels = (next(folder.glob(f'{part}-{kind}*')) for kind in ('images', 'labels'))
    pixels, classes = (openers[path.suffix](path).read() for path in (images, labels))
    return np.frombuffer(pixels[16:], np.uint8).reshape(-1, 784), classes[8:]

  check_parts(data, official('train'), official('t10k'))
  assert (data.n_train, len(data.validation_labels), len(data.test_labels)) == (55_000, 5_000, 10_000)
  assert data.fingerprint == FINGERPRINTS[name]


@pytest.mark.slow
def test_fashion_mnist_equals_its_official_files(tmp_path, shared):
  check_real('fashion_mnist', shared / 'fashion_mnist', tmp_path)


@pytest.mark.slow
def test_cifar10_equals_its_official_files(tmp_path, shared):
  unpack = shared / 'cifar10' / 'unpack.py'
  if not unpack.is_file():
    pytest.skip('CIFAR-10 is not in ../shared/data')
  subprocess.run([sys.executable, str(unpack), str(tmp_path / 'bins')], check=True, capture_output=True)
  prepare('cifar10', source=tmp_path / 'bins', data_dir=tmp_path)
  data = load('cifar10', data_dir=tmp_path)

  def official(*names):
    rows = np.concatenate([np.fromfile(tmp_path / 'bins' / f'{n}.bin', np.uint8) for n in names])
    rows = rows.reshape(-1, 3073)
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images.reshape(len(images), -1), rows[:, 0]

  check_parts(data, official(*(f'data_batch_{i}' for i in range(1, 6))), official('test_batch'))
  assert data.fingerprint == FINGERPRINTS['cifar10']


@pytest.mark.slow
def test_a_folder_of_the_wrong_set_is_refused(tmp_path, shared):
  with pytest.raises(BadSetting, match='use the same file names'):
    prepare('mnist', source=shared / 'fashion_mnist', data_dir=tmp_path)
