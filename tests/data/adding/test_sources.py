"""Every kind of source gives the pixels, labels and parts that NumPy and Pillow say it holds."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from support import own_images as own

from ssl_bench.data import check, load
from ssl_bench.data.adding.add import add

PARTS = ('train', 'validation', 'test')
ALL = own.pictures(20)


def added(tmp_path, name='mine', **given):
  """The set that `add` makes, loaded again, and checked whole."""
  add(name, data_dir=tmp_path / 'data', **given)
  assert not check(name, data_dir=tmp_path / 'data').wrong
  return load(name, data_dir=tmp_path / 'data')


def everything(data):
  """(image, label) of all labeled images as sorted byte strings."""
  return sorted(row for part in PARTS for row in own.rows_of(data, part))


def expected(images, labels):
  return sorted(np.asarray(image).tobytes() + bytes([label]) for image, label in zip(images, labels))


def labels_of_classes(each=10):
  return [0] * each + [1] * each


def test_folders_by_class(tmp_path):
  data = added(tmp_path, images=own.write_classes(tmp_path / 'photos'))
  assert data.label_names == own.CLASSES and data.shape == (12, 12, 3)
  assert everything(data) == expected(ALL, labels_of_classes())
  assert [len(getattr(data, f'{part}_labels')) for part in PARTS] == [14, 2, 4]
  assert set(np.bincount(data.test_labels)) == {2} and set(np.bincount(data.validation_labels)) == {1}
  assert isinstance(data.train_images, np.memmap) and not data.train_images.flags.writeable


def test_folders_of_parts_stay_as_they_are(tmp_path):
  folder = tmp_path / 'photos'
  own.write_classes(folder / 'Train')
  own.write_classes(folder / 'val', each=3, first=40)
  own.write_classes(folder / 'test', each=4, first=60)
  for i, image in enumerate(own.pictures(5, first=90)):
    own.write(folder / 'unlabeled' / f'box{i % 2}' / f'{i}.PNG', own.encoded(image))
  own.write(folder / 'README.txt', b'about')
  own.write(folder / 'test' / 'cat' / '.DS_Store', b'left behind')
  own.write(folder / 'test' / 'cat' / 'notes.txt', b'about')
  data = added(tmp_path, images=folder)
  assert own.rows_of(data, 'train') == expected(ALL, labels_of_classes())
  assert own.rows_of(data, 'validation') == expected(own.pictures(6, first=40), labels_of_classes(3))
  assert own.rows_of(data, 'test') == expected(own.pictures(8, first=60), labels_of_classes(4))
  extra = sorted(image.tobytes() for image in own.pictures(5, first=90))
  assert sorted(image.tobytes() for image in data.unlabeled_images) == extra
  assert data.n_unlabeled == 25
  notes = json.loads((next((tmp_path / 'data').rglob('meta.json'))).read_text())['added']['notes']
  assert notes == ['ignored 2 files with no suffix of an image']


def test_further_images_and_a_test_folder_beside(tmp_path):
  for i, image in enumerate(own.pictures(4, first=60)):
    own.write(tmp_path / 'more' / f'{i}.png', own.encoded(image))
  test = own.write_classes(tmp_path / 'test', each=3, first=80)
  data = added(
    tmp_path, images=own.write_classes(tmp_path / 'photos'), unlabeled=tmp_path / 'more', test=str(test)
  )
  assert own.rows_of(data, 'test') == expected(own.pictures(6, first=80), labels_of_classes(3))
  assert len(data.unlabeled_images) == 4 and data.n_train == 18


@pytest.mark.parametrize('suffix', ['', '.png'])
@pytest.mark.parametrize('delimiter', [',', ';', '\t'])
def test_a_folder_with_a_csv_file(suffix, delimiter, tmp_path):
  folder, _ = own.write_flat(tmp_path / 'photos')
  rows = [f'{i}{suffix}{delimiter}{("" if i >= 16 else 10 - i % 2)}' for i in range(20)]
  file = own.write(tmp_path / 'l.csv', ('\ufeff' + '\n'.join([f'id{delimiter}class', *rows, ''])).encode())
  data = added(tmp_path, images=folder, labels=file)
  assert data.label_names == ('9', '10')  # by value
  assert everything(data) == expected(ALL[:16], [1 - i % 2 for i in range(16)])
  assert sorted(i.tobytes() for i in data.unlabeled_images) == sorted(i.tobytes() for i in ALL[16:])


def test_a_csv_file_with_parts_and_unusual_columns(tmp_path):
  folder, _ = own.write_flat(tmp_path / 'a' / 'photos')
  parts = ['train'] * 10 + ['valid'] * 4 + ['test'] * 4 + ['unlabelled'] * 2
  rows = [[f'photos/{i}.png', own.CLASSES[i % 2], part] for i, part in enumerate(parts)]
  file = own.write_csv(tmp_path / 'l.csv', [['where', 'animal', 'split'], *rows])
  data = added(tmp_path, images=folder.parent, labels=file, image_column='where', label_column='animal')
  assert own.rows_of(data, 'validation') == expected(ALL[10:14], [0, 1, 0, 1])
  assert own.rows_of(data, 'test') == expected(ALL[14:18], [0, 1, 0, 1])
  assert len(data.unlabeled_images) == 2


@pytest.mark.parametrize('kind', ['csv', 'parquet', 'metadata.csv'])
def test_whole_numbers_with_a_point_are_the_whole_numbers(kind, tmp_path):
  labels = ['-1.0' if i >= 16 else f'{10 - i % 2}.0' for i in range(20)]
  folder, file = own.write_flat(tmp_path / 'photos')
  rows = [[f'{i}.png', label] for i, label in enumerate(labels)]
  given = {'images': folder, 'labels': file}
  if kind == 'csv':
    own.write_csv(file, [['file', 'label'], *rows])
  elif kind == 'parquet':
    columns = {'image': [own.encoded(image) for image in ALL], 'label': labels}
    given = {'images': own.write_parquet(tmp_path / 'mine.parquet', columns)}
  else:
    own.write_csv(folder / kind, [['file_name', 'label'], *rows])
    given = {'huggingface': folder}
  data = added(tmp_path, **given)
  assert data.label_names == ('9', '10')  # by value
  assert everything(data) == expected(ALL[:16], [1 - i % 2 for i in range(16)])
  assert len(data.unlabeled_images) == 4


def test_numbers_among_names_are_names(tmp_path):
  folder, file = own.write_flat(tmp_path / 'photos')
  own.write_csv(file, [['file', 'label'], *([f'{i}.png', ('2.5', 'v1.0')[i % 2]] for i in range(20))])
  assert added(tmp_path, images=folder, labels=file).label_names == ('2.5', 'v1.0')
  folders = own.write_classes(tmp_path / 'folders', ['0.5', '1.0'])
  assert added(tmp_path, 'other', images=folders).label_names == ('0.5', '1.0')


SCALES = {
  'uint8': (np.stack(ALL), np.stack(ALL)),
  'gray': (np.stack(ALL)[..., 0], np.stack(ALL)[..., :1]),
  'unit': (np.stack(ALL) / 255, np.stack(ALL)),
  'float32': ((np.stack(ALL) / 255).astype(np.float32), np.stack(ALL)),
  'whole floats': (np.stack(ALL).astype(np.float32), np.stack(ALL)),
  'int64': (np.stack(ALL).astype(np.int64), np.stack(ALL)),
  'sixteen': (np.stack(ALL).astype(np.uint16) * 256 + 77, np.stack(ALL)),
  'first': (np.moveaxis(np.stack(ALL), -1, 1), np.stack(ALL)),
  'bits': (np.stack(ALL)[..., 0] > 90, 255 * (np.stack(ALL)[..., :1] > 90)),
  'fortran': (np.asfortranarray(np.stack(ALL)), np.stack(ALL)),
  'big-endian': (np.stack(ALL).astype('>u2'), np.stack(ALL)),
}


@pytest.mark.parametrize('kind', SCALES)
@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
def test_arrays_become_uint8(kind, save, tmp_path):
  given, pixels = SCALES[kind]
  save(tmp_path / 'mine.npz', images=given, labels=np.arange(20)[:, None] % 2)
  data = added(tmp_path, images=tmp_path / 'mine.npz')
  assert everything(data) == expected(pixels.astype(np.uint8), np.arange(20) % 2)


def test_arrays_by_part_with_names(tmp_path):
  arrays = {
    'x_train': np.stack(ALL[:10]),
    'y_train': np.array([0, 1, 2, -1, 0, 1, 2, 0, 1, 2]),
    'val_images': np.stack(ALL[10:13]),
    'val_labels': np.arange(3),
    'test_x': np.stack(ALL[13:16]),
    'test_y': np.arange(3.0),
    'unlabeled': np.stack(ALL[16:]),
    'label_names': np.array(['zebra', 'ape', 'cow']),
    'comment': np.array('hello'),
  }
  np.savez(tmp_path / 'mine.npz', **arrays)
  data = added(tmp_path, images=tmp_path / 'mine.npz')
  assert data.label_names == ('zebra', 'ape', 'cow')  # in their own order
  assert own.rows_of(data, 'train') == expected(ALL[:3] + ALL[4:10], [0, 1, 2, 0, 1, 2, 0, 1, 2])
  assert own.rows_of(data, 'test') == expected(ALL[13:16], range(3))
  assert len(data.unlabeled_images) == 5


def test_texts_as_labels_of_arrays(tmp_path):
  own.write_npz(tmp_path / 'mine.npz', labels=np.array(own.CLASSES)[np.arange(20) % 2])
  assert added(tmp_path, images=tmp_path / 'mine.npz').label_names == own.CLASSES


# Parquet and Arrow

PNG = [own.encoded(image) for image in ALL]
STRUCT = [{'bytes': content, 'path': f'{i}.png'} for i, content in enumerate(PNG)]
FEATURES = {
  'image': {'_type': 'Image'},
  'label': {'_type': 'ClassLabel', 'names': ['dog', 'cat']},
}


@pytest.mark.parametrize('labels', [[i % 2 for i in range(20)], [own.CLASSES[i % 2] for i in range(20)]])
@pytest.mark.parametrize('images', [PNG, STRUCT])
def test_parquet_of_bytes_and_of_structs(images, labels, tmp_path):
  own.write_parquet(tmp_path / 'mine.parquet', {'img': images, 'target': labels})
  data = added(tmp_path, images=tmp_path / 'mine.parquet')
  assert everything(data) == expected(ALL, np.arange(20) % 2)
  assert data.label_names == (('0', '1') if labels[0] == 0 else own.CLASSES)


def test_parquet_of_paths_with_parts_a_dictionary_of_labels_and_nulls(tmp_path):
  own.write_flat(tmp_path / 'photos')
  labels = pa.array([None if i == 3 else own.CLASSES[i % 2] for i in range(20)]).dictionary_encode()
  table = {
    'path': [f'photos/{i}.png' for i in range(20)],
    'label': labels,
    'split': ['train'] * 14 + ['test'] * 6,
  }
  own.write_parquet(tmp_path / 'mine.parquet', table)
  data = added(tmp_path, images=tmp_path / 'mine.parquet')
  assert own.rows_of(data, 'test') == expected(ALL[14:], np.arange(14, 20) % 2)
  assert data.unlabeled_images.tobytes() == ALL[3].tobytes()


def test_parquet_without_labels_is_for_pretraining(tmp_path):
  own.write_parquet(tmp_path / 'mine.parquet', {'image': PNG, 'text': ['a'] * 20})
  data = added(tmp_path, images=tmp_path / 'mine.parquet', label_column='none')
  assert data.classes == 1 and everything(data) == expected(ALL, [0] * 20)


def hub(folder):
  """Shards as the hub has them, with the features in the schema of each file."""
  for part, rows in (('train', slice(0, 7)), ('train', slice(7, 14)), ('test', slice(14, 20))):
    number = int(rows.start > 0 and part == 'train')
    total = 2 if part == 'train' else 1
    columns = {'image': STRUCT[rows], 'label': [i % 2 for i in range(20)][rows]}
    own.write_parquet(folder / 'data' / f'{part}-0000{number}-of-0000{total}.parquet', columns, FEATURES)


def saved(folder):
  """As `save_to_disk` writes it: a stream of Arrow batches, state.json and dataset_info.json."""
  (folder).mkdir()
  (folder / 'dataset_dict.json').write_text(json.dumps({'splits': ['train', 'test']}))
  for part, rows in (('train', slice(0, 14)), ('test', slice(14, 20))):
    place = folder / part
    place.mkdir()
    table = pa.table({'image': STRUCT[rows], 'label': [i % 2 for i in range(20)][rows]})
    with pa.ipc.new_stream(place / 'data-00000-of-00001.arrow', table.schema) as writer:
      writer.write_table(table, max_chunksize=5)
    (place / 'state.json').write_text(
      json.dumps({'_data_files': [{'filename': 'data-00000-of-00001.arrow'}]})
    )
    (place / 'dataset_info.json').write_text(json.dumps({'features': FEATURES}))


def by_split_folders(folder):
  for part, rows in (('train', slice(0, 14)), ('test', slice(14, 20))):
    columns = {'image': STRUCT[rows], 'label': [i % 2 for i in range(20)][rows]}
    own.write_parquet(folder / part / '0.parquet', columns, FEATURES)


def image_folder(folder, kind='csv'):
  for part, rows in (('train', range(14)), ('test', range(14, 20))):
    for i in rows:
      own.write(folder / part / f'{i}.png', PNG[i])
    named = [(f'{i}.png', ('dog', 'cat')[i % 2]) for i in rows]
    if kind == 'csv':
      own.write_csv(folder / part / 'metadata.csv', [('file_name', 'label'), *named])
    else:
      lines = [json.dumps({'file_name': name, 'label': label}) for name, label in named]
      own.write(folder / part / 'metadata.jsonl', '\n'.join(lines).encode())


def image_folder_in_lines(folder):
  image_folder(folder, 'jsonl')


@pytest.mark.parametrize('layout', [hub, saved, by_split_folders, image_folder, image_folder_in_lines])
def test_hugging_face_folders(layout, tmp_path):
  layout(tmp_path / 'set')
  data = added(tmp_path, huggingface=tmp_path / 'set')
  known = layout not in (image_folder, image_folder_in_lines)
  assert data.label_names == (('dog', 'cat') if known else ('cat', 'dog'))
  labels = [i % 2 if known else 1 - i % 2 for i in range(20)]
  assert own.rows_of(data, 'test') == expected(ALL[14:], labels[14:])
  train = own.rows_of(data, 'train') + own.rows_of(data, 'validation')
  assert sorted(train) == expected(ALL[:14], labels[:14])


def test_one_saved_dataset_is_divided(tmp_path):
  saved(tmp_path / 'set')
  data = added(tmp_path, huggingface=tmp_path / 'set' / 'train')
  assert everything(data) == expected(ALL[:14], np.arange(14) % 2) and data.label_names == ('dog', 'cat')


def test_an_arrow_file_for_random_access(tmp_path):
  table = pa.table({'image': PNG, 'label': [i % 2 for i in range(20)]})
  with pa.ipc.new_file(tmp_path / 'mine.arrow', table.schema) as writer:
    writer.write_table(table, max_chunksize=6)
  assert everything(added(tmp_path, images=tmp_path / 'mine.arrow')) == expected(ALL, np.arange(20) % 2)


def test_two_columns_of_classes_ask_for_one(tmp_path):
  labels = [i % 2 for i in range(20)]
  features = {
    'img': FEATURES['image'],
    'fine': FEATURES['label'],
    'coarse': {'_type': 'ClassLabel', 'names': ['plant', 'animal']},
  }
  columns = {'img': STRUCT, 'fine': labels, 'coarse': labels}
  own.write_parquet(tmp_path / 'set' / 'data' / 'train-00000-of-00001.parquet', columns, features)
  data = added(tmp_path, huggingface=tmp_path / 'set', label_column='coarse')
  assert data.label_names == ('plant', 'animal')


# Real pixels


@pytest.mark.parametrize('kind', ['png', 'npz', 'parquet'])
def test_fashion_mnist_pixels_come_through_every_kind(kind, tmp_path):
  from ssl_bench.data.formats import read_idx
  from ssl_bench.docs import ROOT

  shared = ROOT.parent / 'shared' / 'data' / 'fashion_mnist'
  if not shared.is_dir():
    pytest.skip('there is no ../shared/data/fashion_mnist')
  images, labels = (
    read_idx(shared / f't10k-{what}-ubyte.gz')[:300] for what in ('images-idx3', 'labels-idx1')
  )
  if kind == 'png':
    for i, (image, label) in enumerate(zip(images, labels)):
      own.write(tmp_path / 'photos' / str(label) / f'{i}.png', own.encoded(image))
  elif kind == 'npz':
    np.savez(tmp_path / 'photos.npz', images=images, labels=labels)
  else:
    columns = {'image': [own.encoded(image) for image in images], 'label': labels.tolist()}
    own.write_parquet(tmp_path / 'photos.parquet', columns)
  place = tmp_path / ('photos' if kind == 'png' else f'photos.{kind}')
  data = added(tmp_path, images=place)
  assert data.shape == (28, 28, 1) and data.classes == 10
  assert everything(data) == expected(images, labels)


def test_jpeg_files_are_what_pillow_reads(tmp_path):
  for i, image in enumerate(ALL):
    own.write(tmp_path / 'photos' / own.CLASSES[i % 2] / f'{i}.jpeg', own.encoded(image, 'JPEG', quality=70))
  data = added(tmp_path, images=tmp_path / 'photos')
  read = [np.asarray(Image.open(io.BytesIO(own.encoded(image, 'JPEG', quality=70)))) for image in ALL]
  assert everything(data) == expected(read, np.arange(20) % 2)
