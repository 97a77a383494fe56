"""Faults that are planted in a set, one at a time: each gives one fitting sentence, and no traceback."""

import json
import pickle

import numpy as np
import pytest

from ssl_bench import data
from ssl_bench.data import decoded
from ssl_bench.data.arrays import fingerprint
from ssl_bench.data.checking.inputs import broken
from ssl_bench.data.sources import SOURCES, decoded_folder
from ssl_bench.settings.signature import BadSetting

NAME = 'kmnist'
SIZES = {'train': 80, 'validation': 40, 'test': 40}
PARTS = tuple(SIZES)


def arrays():
  """Noise, of which no two images are alike; as many of each class."""
  rng = np.random.default_rng(0)
  made, start = {}, {'train': 0, 'validation': 80, 'test': 0}
  for part, size in SIZES.items():
    made[f'{part}_images'] = rng.integers(0, 256, (size, 28, 28, 1), np.uint8)
    made[f'{part}_labels'] = np.arange(size, dtype=np.int32) % 10
    made[f'{part}_index'] = np.arange(start[part], start[part] + size, dtype=np.int32)
  return made


def write(root, made, **changes):
  folder = decoded_folder(NAME, root)
  folder.mkdir(parents=True)
  for name, array in made.items():
    np.save(folder / f'{name}.npy', array)
  meta = {
    'version': SOURCES[NAME].version,
    'classes': 10,
    'label_names': list('abcdefghij'),
    'sizes': SIZES | {'unlabeled': 0},
    'shape': [28, 28, 1],
    'fingerprint': fingerprint(made.items()),
    'folds': 0,
  }
  (folder / 'meta.json').write_text(json.dumps({k: v for k, v in (meta | changes).items() if v is not None}))
  return folder


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
  monkeypatch.setattr(decoded, '_verified', {})


def sentences(root):
  """What is wrong, and what is suspect."""
  try:
    found = data.check(NAME, data_dir=root)
  except BadSetting as error:
    return [str(error)], []
  at = [k for k, line in enumerate(found.lines) if line.startswith('Suspect in')]
  suspect = found.lines[at[0] + 1 :] if at else []
  return found.wrong, [line for line in suspect if 'all of it:' not in line]


def test_nothing_is_said_of_a_set_that_is_right(tmp_path):
  write(tmp_path, arrays())
  assert sentences(tmp_path) == ([], ['  nothing is suspect'])


# On disk: what is done to the file of an array, and what is said of it.

FILES = {
  'missing': (lambda path: path.unlink(), 'is missing'),
  'empty': (lambda path: path.write_bytes(b''), 'cannot be read'),
  'cut short': (lambda path: path.write_bytes(path.read_bytes()[:-30]), 'cannot be read'),
  'only a header': (lambda path: path.write_bytes(path.read_bytes()[:64]), 'cannot be read'),
  'a pickle': (lambda path: path.write_bytes(pickle.dumps([1, 2])), 'cannot be read'),
  'text': (lambda path: path.write_text('1,2,3'), 'cannot be read'),
  'floats': (lambda path: np.save(path, np.load(path).astype(np.float32)), 'holds float32, not'),
  'fewer': (lambda path: np.save(path, np.load(path)[1:]), 'meta.json says'),
  'of one axis more': (lambda path: np.save(path, np.load(path)[None]), 'meta.json says'),
}
ARRAYS = [f'{part}_{what}' for part in PARTS for what in ('images', 'labels', 'index')]


@pytest.mark.parametrize('name', ARRAYS)
@pytest.mark.parametrize('fault', FILES)
def test_a_file_that_is_broken(name, fault, tmp_path):
  change, says = FILES[fault]
  change(write(tmp_path, arrays()) / f'{name}.npy')
  [told], suspect = sentences(tmp_path)
  assert f'{name}.npy' in told and says in told and '\n' not in told and told.endswith('.') and not suspect


METAS = {
  'no version': ({'version': None}, "says nothing of 'version'"),
  'no classes': ({'classes': None}, "says nothing of 'classes'"),
  'no sizes': ({'sizes': None}, "says nothing of 'sizes'"),
  'another version': ({'version': '9.9.9'}, 'says version 9.9.9'),
  'another shape': ({'shape': [28, 28, 3]}, 'says shape (28, 28, 3)'),
  'a name too few': ({'label_names': list('abcdefghi')}, '9 label_names for 10 classes'),
  'a text for a number': ({'folds': '0'}, 'meta.json is wrong: folds'),
  'a part of nothing': ({'sizes': SIZES | {'unlabeled': 0, 'test': 0}}, 'meta.json is wrong: sizes.test'),
  'a fold too many': ({'folds': 1}, 'fold_0.npy is missing'),
  'no fingerprint': ({'fingerprint': 'beef'}, 'meta.json is wrong: fingerprint'),
  'another fingerprint': ({'fingerprint': 'f' * 64}, 'its images or labels were changed'),
  'something more': ({'color': 1}, 'meta.json is wrong: color'),
}


@pytest.mark.parametrize('fault', METAS)
def test_a_description_that_is_wrong(fault, tmp_path):
  changes, says = METAS[fault]
  write(tmp_path, arrays(), **changes)
  [told], suspect = sentences(tmp_path)
  assert says in told and '\n' not in told and not suspect


@pytest.mark.parametrize('text', ['', '{', '[]', 'null', '{"version": 3}', '\x00'])
def test_a_description_that_is_not_one(text, tmp_path):
  (write(tmp_path, arrays()) / 'meta.json').write_text(text)
  [told], _ = sentences(tmp_path)
  assert 'meta.json' in told and '\n' not in told


# In the arrays, under a fingerprint of their own: what is broken, and what is suspect.


def put(name, place, value):
  def plant(made):
    made[name][place] = value

  return plant


def copy(target, source, change=lambda image: image):
  """An image of a part, put into another, under the label that it has there."""

  def plant(made):
    (to, i), (of, j) = target, source
    made[f'{to}_images'][i] = change(made[f'{of}_images'][j])

  return plant


def fainter(image):
  return (image * 0.7 + 30).astype(np.uint8)


def without(part, label):
  """Images of a class get the labels of the next ones, each another."""

  def plant(made):
    labels = made[f'{part}_labels']
    places = np.flatnonzero(labels == label)
    labels[places] = (label + 1 + np.arange(len(places)) % 9) % 10

  return plant


def smooth(made):
  made['test_images'][4] = 255
  made['test_images'][4, 3, 3] = 7


BROKEN = {
  **{f'{p}: a label beyond': (put(f'{p}_labels', 3, 77), f'{p}_labels.npy holds 77') for p in PARTS},
  **{f'{p}: a negative label': (put(f'{p}_labels', 3, -1), f'{p}_labels.npy holds -1') for p in PARTS},
  **{f'{p}: a position twice': (put(f'{p}_index', 1, v), 'holds a position twice')
     for p, v in (('train', 0), ('validation', 80), ('test', 0))},
  **{f'{p}: a position beyond': (put(f'{p}_index', 0, 999), f'{p}_index.npy holds 999') for p in PARTS},
  'validation in training': (put('validation_index', 0, 3), 'share a position'),
  **{f'{p}: one image': (put(f'{p}_images', slice(None), 9), f'all {SIZES[p]} {p} inputs are equal')
     for p in PARTS},
  'train: one class': (put('train_labels', slice(None), 4), 'all train labels are 4'),
}  # fmt: skip
SUSPECT = {
  **{f'{p}: a blank image': (put(f'{p}_images', 2, 40), f'{p} inputs that are almost one color: 1')
     for p in PARTS},
  'a saturated image': (smooth, 'test inputs that are almost all black or all white: 1 of 40'),
  **{f'{a} equal to {b}': (copy((a, 1), (b, 11)), f'{a} images with an equal one in {b}: 1 of 40')
     for a, b in (('test', 'train'), ('validation', 'train'), ('test', 'validation'))},
  **{f'{a} near {b}': (copy((a, 1), (b, 11), fainter), f'{a} images with a near-twin in {b}: 1 of 40')
     for a, b in (('test', 'train'), ('validation', 'train'), ('test', 'validation'))},
  **{f'{p}: equal images': (copy((p, 1), (p, 11)), f'pairs of {p} images, equal: 1') for p in PARTS},
  **{f'{p}: near-twins': (copy((p, 1), (p, 11), fainter), f'pairs of {p} images, near-twins: 1')
     for p in PARTS},
  **{f'{p}: a class is missing': (without(p, 3), f'classes without a {p} label: 1 of 10: 3')
     for p in PARTS},
  'uneven': (put('train_labels', slice(0, 30), 0), 'train labels are uneven: 5 to '),
}  # fmt: skip


@pytest.mark.parametrize('fault', BROKEN)
def test_what_is_broken_is_refused(fault, tmp_path):
  plant, says = BROKEN[fault]
  made = arrays()
  plant(made)
  write(tmp_path, made)
  [told], suspect = sentences(tmp_path)
  assert says in told and '\n' not in told and told.endswith('.') and not suspect


@pytest.mark.parametrize('fault', SUSPECT)
def test_what_is_suspect_is_said(fault, tmp_path):
  plant, says = SUSPECT[fault]
  made = arrays()
  plant(made)
  write(tmp_path, made)
  wrong, [told] = sentences(tmp_path)
  assert not wrong and told.strip().startswith(says)


def test_twins_with_different_labels_are_said_too(tmp_path):
  made = arrays()
  copy(('test', 1), ('train', 12))(made)
  write(tmp_path, made)
  _, told = sentences(tmp_path)
  assert told[1] == '  such pairs with different labels: 1 of 1; probably one is wrong'


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('part', PARTS)
def test_inputs_that_are_not_finite_are_broken(part, value):
  """Of kinds whose inputs are floats."""
  rng = np.random.default_rng(0)
  given = {p: rng.normal(size=(size, 3, 2)) for p, size in SIZES.items()}
  labels = {p: np.arange(size) % 10 for p, size in SIZES.items()}
  assert broken(given, labels, 10) == []
  given[part][7, 1] = value
  [told] = broken(given, labels, 10)
  assert told == f'1 of {SIZES[part]} {part} inputs are not finite (the first at 7)'


def test_a_hundred_faults_are_planted():
  assert len(FILES) * len(ARRAYS) + len(METAS) + 6 + len(BROKEN) + len(SUSPECT) + 9 >= 100
