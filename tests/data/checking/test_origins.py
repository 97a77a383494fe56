"""The report, the JSON and the page of pictures name the files that suspects of an added set came from."""

import json

import numpy as np
import pytest
from PIL import Image
from support import own_images as own

from ssl_bench import data
from ssl_bench.data.adding.add import add
from ssl_bench.data.checking.findings import find
from ssl_bench.data.checking.page import page
from ssl_bench.data.checking.report import report
from ssl_bench.data.origins import FILE, name_origins, read_origins


def folders(at):
  """A test image is a training image of another class; one training image is of one color."""
  own.write_classes(at / 'photos/train', each=12)
  own.write_classes(at / 'photos/test', each=3, first=50)
  own.write(at / 'photos/test/cat/0.png', (at / 'photos/train/dog/4.png').read_bytes())
  own.write(at / 'photos/train/cat/blank.png', own.encoded(np.full((12, 12, 3), 9, np.uint8)))
  return {'images': at / 'photos'}


def pixels(path):
  return np.asarray(Image.open(path))


def test_every_example_is_the_image_of_its_file(tmp_path):
  done = add('mine', data_dir=tmp_path / 'data', **folders(tmp_path))
  loaded = data.load('mine', data_dir=tmp_path / 'data')
  origins = read_origins(done.folder, done.meta.sizes.model_dump())
  for part in ('train', 'validation', 'test'):
    images, labels = getattr(loaded, f'{part}_images'), getattr(loaded, f'{part}_labels')
    assert len(set(origins[part])) == len(images)
    for image, label, file in zip(images, labels, origins[part], strict=True):
      assert (pixels(file) == image).all() and f'/{loaded.label_names[label]}/' in file


def test_suspects_are_named_by_their_files(tmp_path):
  given = folders(tmp_path)
  add('mine', data_dir=tmp_path / 'data', **given)
  checked = data.check('mine', data_dir=tmp_path / 'data', wrong_labels=True)
  test, train = (f'{tmp_path}/photos/{name}' for name in ('test/cat/0.png', 'train/dog/4.png'))
  blank = f'{tmp_path}/photos/train/cat/blank.png'
  [kept] = (tmp_path / 'data/ssl_bench/checks').iterdir()
  found = json.loads(kept.read_text())
  [pair] = found['equal']
  assert pair['from'] == [train, test] and pair['labels'] == [1, 0]
  part = next(part for part, kinds in found['inputs'].items() if kinds['blank'])
  assert found['inputs_from'][part]['blank'] == [blank]
  for one in found['wrong_labels']['suspects']:
    images = getattr(checked.data, f'{one["at"][0]}_images')
    assert (pixels(one['from']) == images[one['at'][1]]).all()
  line = next(k for k, text in enumerate(checked.lines) if 'almost one color' in text)
  assert checked.lines[line + 1] == f'    {blank}'
  assert f'    {train} and {test}: dog and cat' in checked.lines
  html = page(checked.data, checked.findings)
  assert all(name in html for name in (train, test, blank))


def test_the_report_names_the_first_of_many_files(tmp_path):
  add('mine', data_dir=tmp_path / 'data', images=own.write_classes(tmp_path / 'photos'))
  loaded = data.load('mine', data_dir=tmp_path / 'data')
  found = find(loaded)
  suspects = [{'at': ['train', k], 'given': 0, 'suggested': 1, 'margin': 0.5} for k in range(5)]
  found['wrong_labels'] = {'on': 'inputs', 'agreement': 0.9, 'suspects': suspects}
  name_origins(found, {'train': [f'{k}.png' for k in range(14)], 'validation': 'ab', 'test': 'abcd'})
  assert report(found)[-4:] == [*(f'  {k}.png: cat, perhaps dog' for k in range(3)), '  …']
  assert not any(line.startswith(' ') for line in report(found, some=0))


def test_rows_of_a_csv_file_and_of_a_table_are_named(tmp_path):
  folder, file = own.write_flat(tmp_path / 'photos')
  own.write_parquet(
    tmp_path / 'mine.parquet',
    {'image': [own.encoded(one) for one in own.pictures(20)], 'label': [i % 2 for i in range(20)]},
  )
  expected = {
    'folder': ({'images': folder, 'labels': file}, f'{folder}/7.png ({file}, line 9)'),
    'npz': ({'images': own.write_npz(tmp_path / 'mine.npz')}, f'image 7 of images of {tmp_path}/mine.npz'),
    'table': ({'images': tmp_path / 'mine.parquet'}, f'row 7 of {tmp_path}/mine.parquet'),
  }
  for name, (given, text) in expected.items():
    done = add(name, data_dir=tmp_path / 'data', **given)
    loaded = data.load(name, data_dir=tmp_path / 'data')
    origins = read_origins(done.folder, done.meta.sizes.model_dump())
    [(part, k)] = [
      (part, k)
      for part in ('train', 'validation', 'test')
      for k, one in enumerate(origins[part])
      if one == text
    ]
    assert (getattr(loaded, f'{part}_images')[k] == own.pictures(20)[7]).all()


@pytest.mark.parametrize('spoil', ['remove', 'shorten'])
def test_a_set_that_does_not_know_its_files_is_checked_as_before(spoil, tmp_path):
  given = folders(tmp_path)
  done = add('mine', data_dir=tmp_path / 'data', **given)
  (done.folder / FILE).unlink() if spoil == 'remove' else (done.folder / FILE).write_text('{"train": []}')
  checked = data.check('mine', data_dir=tmp_path / 'data')
  assert not checked.wrong and checked.findings['equal'] and 'from' not in checked.findings['equal'][0]
  assert 'photos' not in page(checked.data, checked.findings)
  again = add('mine', data_dir=tmp_path / 'data', **given)  # the same images: they are known again
  assert not again.new and again.meta.fingerprint == done.meta.fingerprint
  assert 'from' in data.check('mine', data_dir=tmp_path / 'data').findings['equal'][0]


def test_files_touch_no_fingerprint(tmp_path):
  first = add('a', data_dir=tmp_path / 'data', images=own.write_classes(tmp_path / 'here'))
  second = add('b', data_dir=tmp_path / 'data', images=own.write_classes(tmp_path / 'there'))
  assert first.meta.fingerprint == second.meta.fingerprint
  assert (first.folder / FILE).read_text() != (second.folder / FILE).read_text()


def test_a_name_that_is_no_text_is_shown_as_far_as_it_is(tmp_path):
  own.write_classes(tmp_path / 'photos')
  odd = tmp_path / 'photos/cat/\udcff.png'
  odd.write_bytes((tmp_path / 'photos/dog/0.png').read_bytes())
  add('mine', data_dir=tmp_path / 'data', images=tmp_path / 'photos')
  checked = data.check('mine', data_dir=tmp_path / 'data')
  '\n'.join(checked.lines).encode()
  page(checked.data, checked.findings).encode()
  assert any('cat/\N{REPLACEMENT CHARACTER}.png' in line for line in checked.lines)


def test_classes_are_counted_by_their_names(tmp_path):
  add('mine', data_dir=tmp_path / 'data', images=own.write_classes(tmp_path / 'photos'))
  lines = data.check('mine', data_dir=tmp_path / 'data').lines
  assert any('train_labels' in line and line.endswith('; 7 of cat, 7 of dog') for line in lines), lines
