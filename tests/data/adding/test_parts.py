"""Which image lands in which part: by its content alone, balanced, and without copies across parts."""

import os
import shutil

import numpy as np
import pytest
from support import own_images as own

from ssl_bench.data import load
from ssl_bench.data.adding.add import add
from ssl_bench.settings.signature import BadSetting

PARTS = ('train', 'validation', 'test')


def made(tmp_path, where='data', **given):
  add('mine', data_dir=tmp_path / where, **given)
  return load('mine', data_dir=tmp_path / where)


def parts_of(data):
  return {part: own.rows_of(data, part) for part in PARTS}


def sizes_of(data):
  return [len(getattr(data, f'{part}_labels')) for part in PARTS]


def test_the_same_files_make_the_same_set_whatever_their_names_and_order(tmp_path):
  own.write_classes(tmp_path / 'a', each=30)
  files = sorted((tmp_path / 'a').rglob('*.png'))
  for i, path in enumerate(np.random.default_rng(0).permutation(len(files))):
    target = tmp_path / 'b' / files[path].parent.name / f'other{i}.png'
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(files[path], target)
  rows = [{'image': path.read_bytes(), 'label': path.parent.name} for path in reversed(files)]
  columns = {key: [row[key] for row in rows] for key in ('image', 'label')}
  own.write_parquet(tmp_path / 'c.parquet', columns)
  first, *others = (
    made(tmp_path, f'data_{place}', images=tmp_path / place) for place in ('a', 'b', 'c.parquet')
  )
  for other in others:
    assert other.fingerprint == first.fingerprint and parts_of(other) == parts_of(first)


def test_another_size_keeps_the_parts(tmp_path):
  folder = own.write_classes(tmp_path / 'photos', each=30)
  whole, small = (
    made(tmp_path, 'a', images=folder),
    made(tmp_path, 'b', images=folder, size='6', resize='stretch'),
  )
  for part in PARTS:  # the mark in the corner of each picture tells it from the others
    labels = [getattr(data, f'{part}_labels') for data in (whole, small)]
    np.testing.assert_array_equal(*labels)
  assert whole.fingerprint != small.fingerprint


@pytest.mark.parametrize(
  ('given', 'sizes'),
  [
    ({}, [84, 12, 24]),  # a fifth for the test, an eighth of 96 is 12: a tenth, rounded down to whole classes
    ({'validation': '30'}, [66, 30, 24]),
    ({'validation': '31'}, [66, 30, 24]),
    ({'validation': '0.25'}, [72, 24, 24]),
    ({'test': '0.5'}, [54, 6, 60]),
    ({'test': '6', 'validation': '3'}, [111, 3, 6]),
  ],
)
def test_parts_have_the_size_that_was_asked_for(given, sizes, tmp_path):
  folder = own.write_classes(tmp_path / 'photos', ['a', 'b', 'c'], each=40)
  data = made(tmp_path, images=folder, **given)
  if not given:
    each = int(0.1 * 96 / 3)
    sizes = [96 - 3 * each, 3 * each, 24]
  assert sizes_of(data) == sizes
  assert np.ptp(np.bincount(data.validation_labels)) == np.ptp(np.bincount(data.test_labels)) == 0


def test_the_test_part_is_in_proportion_and_the_validation_part_is_balanced(tmp_path):
  own.write_classes(tmp_path / 'photos', ['many'], each=100)
  own.write_classes(tmp_path / 'photos', ['few'], each=5, first=200)
  data = made(tmp_path, images=tmp_path / 'photos')
  assert data.label_names == ('few', 'many')
  assert np.bincount(data.test_labels).tolist() == [1, 20]
  assert np.bincount(data.validation_labels).tolist() == [2, 2]  # at most half of the smallest class
  assert np.bincount(data.train_labels).tolist() == [2, 78]


def test_the_smallest_classes_that_are_divided(tmp_path):
  data = made(tmp_path, images=own.write_classes(tmp_path / 'photos', each=3))
  assert sizes_of(data) == [2, 2, 2]


def test_copies_stay_in_training(tmp_path):
  folder = own.write_classes(tmp_path / 'photos', each=12)
  for name in own.CLASSES:
    for i in range(6):
      shutil.copyfile(folder / name / f'{i}.png', folder / name / f'copy{i}.png')
  data = made(tmp_path, images=folder)
  rows = {part: [row[:-1] for row in own.rows_of(data, part)] for part in PARTS}
  assert not set(rows['train']) & set(rows['test'] + rows['validation'])
  assert len(set(rows['test'] + rows['validation'])) == len(rows['test'] + rows['validation'])
  meta = add('mine', images=folder, data_dir=tmp_path / 'data').meta
  assert '12 images are copies of another, byte by byte' in meta.added.notes


def test_copies_in_two_parts_and_with_two_labels_are_said(tmp_path):
  """A training image is a test image twice, once of another class; another has a copy without a label."""
  train, test = own.write_classes(tmp_path / 'p/train'), own.write_classes(tmp_path / 'p/test', first=50)
  for source, target in (
    (train / 'cat/3.png', test / 'cat/a.png'),
    (train / 'cat/3.png', test / 'dog/b.png'),
    (train / 'dog/7.png', train / 'dog/again.png'),
    (test / 'dog/1.png', tmp_path / 'p/unlabeled/c.png'),
  ):
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
  notes = add('mine', images=tmp_path / 'p', data_dir=tmp_path / 'data').meta.added.notes
  assert notes == (
    '4 images are copies of another, byte by byte',
    f'2 test images have copies in train, such as {test}/cat/a.png and {train}/cat/3.png',
    f'1 test image has a copy in unlabeled, such as {test}/dog/1.png and {tmp_path}/p/unlabeled/c.png',
    f'2 pairs of copies have different labels, such as {test}/cat/a.png and {test}/dog/b.png',
  )


def test_a_set_of_copies_cannot_be_divided(tmp_path):
  folder = own.write_classes(tmp_path / 'photos', each=4)
  for path in list(folder.rglob('*.png')):
    shutil.copyfile(path, path.with_name(f'copy{path.name}'))
  with pytest.raises(
    BadSetting, match=r"the class 'cat' has 0 images without a copy, and the test part needs 2"
  ):
    made(tmp_path, images=folder)


def test_classes_of_numbers_are_in_their_order(tmp_path):
  folder = own.write_classes(tmp_path / 'photos', [str(i) for i in range(12)], each=3)
  assert made(tmp_path, images=folder).label_names == tuple(str(i) for i in range(12))


def test_a_class_that_the_test_part_lacks_is_noted(tmp_path):
  own.write_classes(tmp_path / 'photos' / 'train')
  own.write_classes(tmp_path / 'photos' / 'test', ['cat'], first=50)
  done = add('mine', images=tmp_path / 'photos', data_dir=tmp_path / 'data')
  assert done.meta.added.notes == ('test: no image of dog',)


def test_images_without_labels_make_a_set_of_one_class(tmp_path):
  for i, image in enumerate(own.pictures(30)):
    own.write(tmp_path / 'photos' / f'{i}.png', own.encoded(image))
  data = made(tmp_path, unlabeled=tmp_path / 'photos')
  assert data.classes == 1 and data.label_names == ('unlabeled',) and sizes_of(data) == [25, 2, 3]


def test_links_are_followed_once(tmp_path):
  folder = own.write_classes(tmp_path / 'real')
  (tmp_path / 'photos').mkdir()
  for name in own.CLASSES:
    os.symlink(folder / name, tmp_path / 'photos' / name)
  os.symlink(folder / 'cat', folder / 'cat' / 'again')
  assert sum(sizes_of(made(tmp_path, images=tmp_path / 'photos'))) == 20
