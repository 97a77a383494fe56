"""Sets of TFDS by their name: an official builder without TensorFlow, and records that lie there already."""

import hashlib
import struct
import zipfile

import numpy as np
import pytest
from support import own_images as own

from ssl_bench.data import available, check, check_here, check_name, load, prepare
from ssl_bench.data.adding import tfds_sets
from ssl_bench.data.adding.sizes import ask
from ssl_bench.data.adding.store import Wish
from ssl_bench.settings.signature import BadSetting

BEANS = ('angular_leaf_spot', 'bean_rust', 'healthy')
COUNTS = {'train': 15, 'validation': 6, 'test': 6}


def expected(part, side=16):
  first = {'train': 0, 'validation': 100, 'test': 200}[part]
  images = own.pictures(COUNTS[part], side, first)
  return sorted(image.tobytes() + bytes([i % 3]) for i, image in enumerate(images))


@pytest.fixture
def beans(tmp_path, monkeypatch):
  """The three files of `beans` with tiny lossless images, and TFDS' own builder that expects those files."""
  import tensorflow_datasets as tfds

  folder = tmp_path / 'files'
  folder.mkdir()
  for part, first in (('train', 0), ('validation', 100), ('test', 200)):
    with zipfile.ZipFile(folder / f'{part}.zip', 'w') as zipped:
      for i, image in enumerate(own.pictures(COUNTS[part], 16, first)):
        zipped.writestr(f'{part}/{BEANS[i % 3]}/{i}.jpg', own.encoded(image))
  official = tfds.builder_cls('beans')

  def info(url):
    file = url.rpartition('/')[2]
    content = (folder / file).read_bytes()
    return tfds.download.checksums.UrlInfo(len(content), hashlib.sha256(content).hexdigest(), file)

  body = {
    'name': 'beans',
    'pkg_dir_path': official.pkg_dir_path,
    'url_infos': {url: info(url) for url in official.url_infos},
    '__module__': __name__,
  }
  small = type('Beans', (official,), body, skip_registration=True)
  small._info = lambda self: self.dataset_info_from_configs(features=features(), supervised_keys=None)
  monkeypatch.setattr(tfds_sets, 'make_builder', lambda name, root: small(data_dir=str(root)))
  return folder


def features():
  import tensorflow_datasets as tfds

  return tfds.features.FeaturesDict({
    'image': tfds.features.Image(shape=(None, None, 3)),
    'label': tfds.features.ClassLabel(names=list(BEANS)),
  })  # fmt: skip


def test_an_official_builder_runs_without_tensorflow(beans, tmp_path):
  root = tmp_path / 'data'
  with pytest.raises(
    BadSetting, match=r'tfds/beans is not in .*; get it with: ssl-bench data prepare tfds/beans'
  ):
    check_here('tfds/beans', data_dir=root)
  prepare('tfds/beans', source=beans, data_dir=root)
  data = load('tfds/beans', data_dir=root)
  for part in COUNTS:
    assert own.rows_of(data, part) == expected(part)
  assert data.label_names == BEANS and data.version == '0.1.0' and data.name == 'tfds/beans'
  assert not check('tfds/beans', data_dir=root).wrong
  assert 'tfds/beans' in [row.name for row in available(root)]
  check_here('tfds/beans', data_dir=root)
  said = []
  prepare('tfds/beans', source=beans, data_dir=root, progress=said.append)
  assert said == [f'tfds/beans is prepared already, in {root}']
  prepare('tfds/beans', data_dir=root, wish=Wish(ask('8', 'crop', 'gray')))
  assert load('tfds/beans', data_dir=root).shape == (8, 8, 1)


def frame(record):
  return struct.pack('<QI', len(record), 0) + record + struct.pack('<I', 0)


def test_what_tensorflow_wrote_is_read_without_it(beans, tmp_path):
  """The same set as TFRecords, a frame around each record (the checksums are not looked at)."""
  from array_record.python.array_record_module import ArrayRecordReader

  root = tmp_path / 'data'
  prepare('tfds/beans', source=beans, data_dir=root)
  first = load('tfds/beans', data_dir=root)
  folder = root / 'beans' / '0.1.0'
  for path in folder.glob('*.array_record*'):
    reader = ArrayRecordReader(str(path))
    records = [reader.read([i])[0] for i in range(reader.num_records())]
    reader.close()
    path.unlink()
    path.with_name(path.name.replace('array_record', 'tfrecord')).write_bytes(b''.join(map(frame, records)))
  info = folder / 'dataset_info.json'
  info.write_text(info.read_text().replace('array_record', 'tfrecord'))
  (root / 'ssl_bench').rename(tmp_path / 'away')
  assert load('tfds/beans', data_dir=root).fingerprint == first.fingerprint  # decoded where it is asked for
  shard = next(folder.glob('*train*.tfrecord*'))
  shard.write_bytes(shard.read_bytes()[:-30])
  (root / 'ssl_bench').rename(tmp_path / 'away too')
  with pytest.raises(BadSetting, match=r'train.*tfrecord.* is cut short; prepare the set again'):
    load('tfds/beans', data_dir=root)


def test_images_of_several_sizes_ask_for_one(beans, tmp_path):
  with zipfile.ZipFile(beans / 'train.zip', 'a') as zipped:
    zipped.writestr('train/healthy/large.jpg', own.encoded(own.pictures(1, 40, 300)[0]))
  import tensorflow_datasets as tfds

  content = (beans / 'train.zip').read_bytes()
  builder = tfds_sets.make_builder('tfds/beans', tmp_path / 'data')
  for url, entry in builder.url_infos.items():
    if url.endswith('train.zip'):
      sha = hashlib.sha256(content).hexdigest()
      type(builder).url_infos[url] = tfds.download.checksums.UrlInfo(len(content), sha, entry.filename)
  says = r'tfds/beans: the images have 2 different sizes.* --size .*\(of ssl-bench data prepare tfds/beans\)'
  with pytest.raises(BadSetting, match=says):
    prepare('tfds/beans', source=beans, data_dir=tmp_path / 'data')
  with pytest.raises(BadSetting, match=says):
    load('tfds/beans', data_dir=tmp_path / 'data')
  prepare('tfds/beans', data_dir=tmp_path / 'data', wish=Wish(ask('16', 'crop', None)))
  assert load('tfds/beans', data_dir=tmp_path / 'data').shape == (16, 16, 3)


def test_a_wrong_file_is_named(beans, tmp_path):
  (beans / 'test.zip').write_bytes(b'something else')
  with pytest.raises(BadSetting, match=r'a file of tfds/beans has a wrong checksum .*test.zip'):
    prepare('tfds/beans', source=beans, data_dir=tmp_path / 'data')
  assert not list((tmp_path / 'data').rglob('*.npy'))


def test_a_builder_that_computes_with_tensorflow_is_named(beans, tmp_path, monkeypatch):
  from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow

  def generate(self, archive):
    yield 0, {'image': tensorflow.image.resize(np.zeros((4, 4, 3)), (2, 2)), 'label': 0}

  builder = tfds_sets.make_builder('tfds/beans', tmp_path / 'data')
  monkeypatch.setattr(type(builder), '_generate_examples', generate)
  says = r'the builder of tfds/beans calls tf.image.resize, which only TensorFlow has; prepare it where'
  with pytest.raises(BadSetting, match=says):
    prepare('tfds/beans', source=beans, data_dir=tmp_path / 'data')


def test_arrays_of_a_builder_become_png_files(beans, tmp_path, monkeypatch):
  def generate(self, archive):
    for i, image in enumerate(own.pictures(9, 16)):
      yield i, {'image': image, 'label': i % 3}

  builder = tfds_sets.make_builder('tfds/beans', tmp_path / 'data')
  monkeypatch.setattr(type(builder), '_generate_examples', generate)
  prepare('tfds/beans', source=beans, data_dir=tmp_path / 'data')
  pixels = sorted(image.tobytes() + bytes([i % 3]) for i, image in enumerate(own.pictures(9, 16)))
  assert own.rows_of(load('tfds/beans', data_dir=tmp_path / 'data'), 'test') == pixels


@pytest.mark.parametrize(
  ('name', 'says'),
  [
    ('tfds/cifar10', r'cifar10 is a set of this package; write cifar10 instead of tfds/cifar10'),
    ('tfds/beens', r"TFDS has no set 'tfds/beens'; did you mean 'tfds/beans'"),
    ('tfds/cmaterdb/banglla', r'TFDS cannot make tfds/cmaterdb/banglla: .*banglla'),
  ],
)
def test_a_set_that_cannot_be_had_by_that_name(name, says, tmp_path):
  check_name(name)
  with pytest.raises(BadSetting, match=says):
    prepare(name, source=tmp_path, data_dir=tmp_path / 'data')


@pytest.mark.parametrize('name', ['tfds/', 'tfds/../x', 'tfds/Beans', 'tfds/a/b/c', 'tfds//a'])
def test_a_name_that_no_set_of_tfds_has(name):
  with pytest.raises(BadSetting, match='is no name of a TFDS set; write tfds/NAME or tfds/NAME/CONFIG'):
    check_name(name)


def test_a_set_of_this_package_keeps_its_size(tmp_path):
  with pytest.raises(
    BadSetting, match='mnist keeps its official size; --size, --resize and --channels are for'
  ):
    prepare('mnist', data_dir=tmp_path, wish=Wish(ask('8', 'crop', None)))
