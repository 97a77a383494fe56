"""A table of planted faults: each is one sentence that names what is wrong, and nothing is stored."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import own_images as own

from ssl_bench.data.adding import write as writing
from ssl_bench.data.adding.add import add
from ssl_bench.settings.signature import BadSetting

FAULTS = {}


def fault(says: str):
  """Marks a function that plants a fault in an empty folder and returns what `add` is then given."""

  def keep(plant):
    assert plant.__name__ not in FAULTS
    FAULTS[plant.__name__] = (plant, says)
    return plant

  return keep


# Folders


@fault(r'there is no .*nowhere')
def no_folder(at):
  return {'images': at / 'nowhere'}


@fault(r'photos holds no folder of images; give a folder with one folder of images for each class')
def empty_folder(at):
  (at / 'photos').mkdir()
  return {'images': at / 'photos'}


@fault(r"all labeled images are of one class, 'cat'; give two at least")
def one_class(at):
  return {'images': own.write_classes(at / 'photos', ['cat'])}


@fault(r"dog holds no image; put images of the class 'dog' there, or remove it")
def a_class_without_an_image(at):
  own.write_classes(at / 'photos')
  for path in (at / 'photos' / 'dog').iterdir():
    path.unlink()
  return {'images': at / 'photos'}


@fault(r'dog holds no image')
def a_training_class_without_an_image(at):
  own.write_classes(at / 'photos' / 'train')
  own.write_classes(at / 'photos' / 'test', first=50)
  for path in (at / 'photos' / 'train' / 'dog').iterdir():
    path.unlink()
  return {'images': at / 'photos'}


@fault(r"test/owl/0.png is of the class 'owl', which has no training image; add some")
def a_test_class_without_a_training_image(at):
  own.write_classes(at / 'photos' / 'train')
  own.write_classes(at / 'photos' / 'test', ['cat', 'owl'], first=50)
  return {'images': at / 'photos'}


@fault(r"the class 'dog' has 2 images; give 3 at least")
def a_class_of_two_images(at):
  own.write_classes(at / 'photos', ['cat'])
  own.write_classes(at / 'photos', ['dog'], each=2, first=50)
  return {'images': at / 'photos'}


@fault(r'photos has test/ and no train/; add it')
def a_test_folder_alone(at):
  own.write_classes(at / 'photos' / 'test')
  return {'images': at / 'photos'}


@fault(r'photos has train/ and beside them birds/; move birds/ into one of them, or, where all .* classes')
def a_class_beside_train(at):
  own.write_classes(at / 'photos' / 'train')
  own.write_classes(at / 'photos', ['birds'])
  return {'images': at / 'photos'}


@fault(r'photos has val/ and validation/, which both are the validation part; join them')
def two_validation_folders(at):
  for part in ('train', 'val', 'validation'):
    own.write_classes(at / 'photos' / part)
  return {'images': at / 'photos'}


@fault(r'photos holds 20 images and no folder for each class; give .* --labels FILE.csv .*--unlabeled')
def a_flat_folder_without_labels(at):
  folder, _ = own.write_flat(at / 'photos')
  return {'images': folder}


@fault(r'stray.png lies beside the folders of the classes; move it into one, or remove it')
def an_image_beside_the_classes(at):
  own.write_classes(at / 'photos')
  own.write(at / 'photos' / 'stray.png', own.encoded(own.pictures(1)[0]))
  return {'images': at / 'photos'}


@fault(r'notes.txt is neither a folder nor an .npz, .parquet or .arrow file; give one of those')
def another_file(at):
  return {'images': own.write(at / 'notes.txt', b'hello')}


@fault(r'give --images with a folder or a file, or --huggingface with a folder: one of the two')
def nothing(at):
  return {}


@fault(r'one of the two')
def two_sources(at):
  return {'images': own.write_classes(at / 'photos'), 'huggingface': at}


@fault(r'more holds no image .* name a folder with images')
def an_unlabeled_folder_without_images(at):
  (at / 'more').mkdir()
  return {'images': own.write_classes(at / 'photos'), 'unlabeled': at / 'more'}


@fault(r'photos has a test part already; leave out --test')
def two_test_parts(at):
  own.write_classes(at / 'photos' / 'train')
  own.write_classes(at / 'photos' / 'test', first=50)
  return {'images': at / 'photos', 'test': str(own.write_classes(at / 'more', first=90))}


@fault(r'the test part is given already; leave out --test')
def a_test_part_and_a_share(at):
  own.write_classes(at / 'photos' / 'train')
  own.write_classes(at / 'photos' / 'test', first=50)
  return {'images': at / 'photos', 'test': '0.3'}


# Images


def with_file(name: str, content: bytes):
  """Plants one file among good ones."""

  def plant(at: Path):
    own.write_classes(at / 'photos')
    own.write(at / 'photos' / 'cat' / name, content)
    return {'images': at / 'photos'}

  return plant


@fault(
  r'cat/a.png is no image that can be read, .*cat/b.png is empty, .*dog/c.png is no image that can be read '
  r'and 2 more; mend or remove them, or leave out all such images with --skip-broken'
)
def several_broken_images(at):
  own.write_classes(at / 'photos')
  for name in ('cat/a.png', 'cat/b.png', 'dog/c.png', 'dog/d.png', 'dog/e.png'):
    own.write(at / 'photos' / name, b'' if name == 'cat/b.png' else b'this is a text')
  return {'images': at / 'photos'}


def good(kind: str = 'PNG') -> bytes:
  return own.encoded(own.pictures(1, first=99)[0], kind)


def frames() -> bytes:
  file = io.BytesIO()
  first, *rest = [Image.fromarray(image) for image in own.pictures(3)]
  first.save(file, 'GIF', save_all=True, append_images=rest)
  return file.getvalue()


def tiff(dtype: str) -> bytes:
  file = io.BytesIO()
  Image.fromarray(np.arange(144, dtype=dtype).reshape(12, 12)).save(file, 'TIFF')
  return file.getvalue()


def bomb() -> bytes:
  """A PNG file of a few bytes that says it has 100,000 x 100,000 pixels."""

  def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack('>I', len(content)) + name + content + struct.pack('>I', zlib.crc32(name + content))

  head = struct.pack('>IIBBBBB', 100_000, 100_000, 8, 0, 0, 0, 0)
  return (
    b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(b'\0')) + chunk(b'IEND', b'')
  )


BROKEN = {
  'cut.png': (good()[:-40], r'is cut short|cannot be decoded'),
  'cut.jpg': (good('JPEG')[:-100], r'is cut short'),
  'empty.png': (b'', r'is empty'),
  'text.png': (b'this is a text', r'is no image that can be read'),
  'head.png': (good()[:20], r'is cut short'),
  'frames.gif': (frames(), r'holds 3 frames, where one image is needed'),
  'float.tif': (tiff('float32'), r'holds numbers with a point, where 8 or 16 bits a channel can be read'),
  'long.tif': (tiff('int32'), r'holds 32-bit numbers, where 8 or 16 bits'),
  'bomb.png': (bomb(), r'has far too many pixels'),
}
for name, (content, says) in BROKEN.items():
  FAULTS[name] = (with_file(name, content), rf'cat/{name} ({says}).*; mend or remove it, .* --skip-broken')


@fault(r'none of the images can be read: .*cat/0.png is empty; give PNG or JPEG files')
def nothing_but_broken_images(at):
  own.write_classes(at / 'photos')
  for path in (at / 'photos').rglob('*.png'):
    path.write_bytes(b'')
  return {'images': at / 'photos'}


@fault(
  r'2 different sizes, from 12×12 \(.*cat/0.png\) to 20×20 \(.*dog/0.png\); say which one they get, .*--size'
)
def two_sizes(at):
  own.write_classes(at / 'photos', ['cat'])
  own.write_classes(at / 'photos', ['dog'], side=20)
  return {'images': at / 'photos'}


@fault(r'the images have 300×300 pixels, such as .*0.png; say which size they get, such as --size 64')
def large_images(at):
  return {'images': own.write_classes(at / 'photos', side=300, each=3)}


@fault(r'1 of the images are gray .*\{odd\}.png\) and 20 in color .*; give --channels gray or --channels rgb')
def gray_among_color(at):
  gray = own.pictures(1, first=99)[0][..., 0]
  return with_file('{odd}.png', own.encoded(gray))(at)


# A CSV file


def with_rows(*rows, keep: int = 20, head=('file', 'label'), **more):
  """Plants rows behind the first `keep` of a good CSV file."""

  def plant(at: Path):
    folder, _ = own.write_flat(at / 'photos')
    usual = [[f'{i}.png', own.CLASSES[i % 2]] for i in range(keep)]
    return {'images': folder, 'labels': own.write_csv(at / 'labels.csv', [head, *usual, *rows]), **more}

  return plant


CSV = {
  'an unknown file': (
    with_rows(['nobody.png', 'cat']),
    r"labels.csv, line 22, names 'nobody.png', which is no image",
  ),
  'a row twice': (with_rows(['3.png', 'cat']), r"line 22, names '3.png' a second time; leave one row"),
  'missing rows': (
    with_rows(keep=18),
    r'has no row for 2 images of .*, such as 18.png; add one, with an empty label',
  ),
  'a short row': (with_rows(['4.png']), r'line 22, has 1 cell, and the first line 2; mend it'),
  'no rows': (with_rows(keep=0), r'has no row below a first line such as file,label'),
  'no head': (
    with_rows(head=('0.png', 'cat')),
    r"labels.csv seems to have no header line, since its first line names the image '0.png'; write one above",
  ),
  'no usual column': (
    with_rows(head=('where', 'animal')),
    r"has the columns 'where, animal'; say which one with --image-column",
  ),
  'no label column': (with_rows(head=('file', 'animal')), r'say which one with --label-column'),
  'fractions': (
    with_rows(*([f'{i}.png', f'{i % 4 / 4:.3f}'] for i in range(20)), keep=0),
    r'labels.csv, line 3 has the label 0.250; a label is a whole number or a name',
  ),
  'an unknown column': (with_rows(label_column='lable'), r"has no column 'lable'; did you mean 'label'"),
  'a column twice': (with_rows(head=('file', 'file')), r"begins with 'file,file'; name its columns there"),
}  # fmt: skip
FAULTS |= CSV


@fault(r'line 2, has the part .*holdout.*; write one of train')
def an_unknown_part(at):
  folder, _ = own.write_flat(at / 'photos')
  rows = [[f'{i}.png', own.CLASSES[i % 2], 'holdout'] for i in range(20)]
  return {'images': folder, 'labels': own.write_csv(at / 'l.csv', [['file', 'label', 'split'], *rows])}


@fault(r'0.png is in the test part and has no label; give one, or leave it out')
def a_test_image_without_a_label(at):
  folder, _ = own.write_flat(at / 'photos')
  rows = [[f'{i}.png', own.CLASSES[i % 2] if i else '', 'train' if i > 5 else 'test'] for i in range(20)]
  return {'images': folder, 'labels': own.write_csv(at / 'l.csv', [['file', 'label', 'split'], *rows])}


@fault(r'labels.csv is no text in UTF-8; save it as CSV in UTF-8')
def no_text(at):
  folder, _ = own.write_flat(at / 'photos')
  return {'images': folder, 'labels': own.write(at / 'labels.csv', b'file,label\n0.png,\xff\xfe\n')}


@fault(r'there is no .*nowhere.csv')
def no_csv(at):
  return {'images': own.write_flat(at / 'photos')[0], 'labels': at / 'nowhere.csv'}


@fault(r'--labels belongs to --images with a folder')
def labels_of_an_npz_file(at):
  return {'images': own.write_npz(at / 'mine.npz'), 'labels': own.write_flat(at / 'photos')[1]}


# Arrays


def npz(**arrays):
  return lambda at: {'images': own.write_npz(at / 'mine.npz', **arrays)}


IMAGES = np.stack(own.pictures(20))
UNIT = IMAGES / 255
ARRAYS = {
  'NaN': (
    npz(images=np.where(IMAGES == 7, np.nan, UNIT)),
    r'images of .*mine.npz holds values that are not finite',
  ),
  'infinity': (npz(images=np.where(IMAGES == 7, np.inf, UNIT)), r'holds values that are not finite'),
  'below zero': (
    npz(images=UNIT * 2 - 1),
    r'holds values from -1 to 0.968627; scale them to 0 to 255, or to 0 to 1',
  ),
  'above 255': (npz(images=UNIT * 3000), r'holds values from 0 to 2952.94; scale them'),
  'wide': (npz(images=IMAGES.astype(np.int64) * 300), r'holds values from 0 to 75300; scale them'),
  'words': (npz(images=np.full((20, 4, 4), 'a')), r'images of .* holds <U1; give numbers, uint8 best of all'),
  'objects': (npz(images=np.full((20, 4, 4), None)), r'images of .* holds Python objects; save it as plain'),
  'flat': (
    npz(images=IMAGES.reshape(20, -1)),
    r'images of .* is of shape \[20, 432\]; give images \[N, height',
  ),
  'five channels': (
    npz(images=np.zeros((20, 6, 6, 5), np.uint8)),
    r'is of shape \[20, 6, 6, 5\]; give images',
  ),
  'no image': (npz(images=IMAGES[:0], labels=np.arange(0)), r'is of shape \[0, 12, 12, 3\]; give images'),
  'fewer labels': (
    npz(labels=np.arange(19) % 2),
    r'labels of .* has 19 labels, and images 20 images; give one',
  ),
  'hot labels': (
    npz(labels=np.eye(2)[np.arange(20) % 2]),
    r'labels of .* is of shape \[20, 2\]; give one label',
  ),
  'half labels': (
    npz(labels=np.arange(20) / 2),
    r'label 1 of labels of .* has the label 0.5; a label is a whole',
  ),
  'test alone': (
    npz(images=None, labels=None, x_test=IMAGES, y_test=np.arange(20) % 2),
    r'no images to train on; give x_train',
  ),
  'test without labels': (npz(x_test=IMAGES), r'has x_test and no labels for it; give x_train'),
  'labels of nothing': (npz(y_test=np.arange(20)), r'has y_test and no images for it'),
  'two of a kind': (npz(x_train=IMAGES), r'has images and x_train for one part; leave one of them out'),
  'beyond the names': (
    npz(label_names=np.array(['cat'])),
    r'has the label 1, and there are 1 classes, from 0',
  ),
  'one class only': (npz(labels=np.zeros(20, int)), r"all labeled images are of one class, '0'"),
}  # fmt: skip
FAULTS |= ARRAYS


@fault(r'mine.npz is no whole .npz file .*; write it with numpy.savez')
def an_npz_file_cut_short(at):
  path = own.write_npz(at / 'mine.npz')
  path.write_bytes(path.read_bytes()[:500])
  return {'images': path}


@fault(r'mine.npz is no whole .npz file')
def no_npz_file(at):
  return {'images': own.write(at / 'mine.npz', b'hello')}


# Parquet

PNG = [own.encoded(image) for image in own.pictures(20)]
LABELS = [i % 2 for i in range(20)]


def parquet(**columns):
  usual = {'image': PNG, 'label': LABELS}
  return lambda at: {
    'images': own.write_parquet(at / 'mine.parquet', {k: v for k, v in {**usual, **columns}.items() if v})
  }


TABLES = {
  'no image column': (
    parquet(image=None, number=LABELS),
    r"has the columns 'label, number'; say which one with --image-column",
  ),
  'numbers as images': (parquet(image=LABELS), r"has int64 in its column 'image'; images are bytes of PNG"),
  'no labels': (
    parquet(label=None, text=['a'] * 20),
    r"no column of labels .*; say which of 'text' it is with --label-column",
  ),
  'a null image': (parquet(image=[None, *PNG[1:]]), r'row 0 of .*mine.parquet is empty; mend or remove it'),
  'a broken image': (parquet(image=[b'x' * 50, *PNG[1:]]), r'row 0 of .* is no image that can be read'),
  'a missing path': (
    parquet(image=[f'{i}.png' for i in range(20)]),
    r'none of the images can be read: row 0 of .*mine.parquet cannot be read \(No such file',
  ),
  'lists as labels': (
    parquet(label=[[0, 1]] * 20),
    r'row 0 of .* has the label .*; a label is one whole number or one',
  ),
  'half a label': (parquet(label=[0.5] * 20), r'row 0 of .* has the label 0.5'),
  'half a label as text': (
    parquet(label=['1.0', '0.5'] * 10, image=[b'no image'] * 20),
    r'row 1 of .*mine.parquet has the label 0.5; a label is a whole number or a name',
  ),
}  # fmt: skip
FAULTS |= TABLES


@fault(r'mine.parquet is no whole Parquet file .*; write the file again')
def a_parquet_file_cut_short(at):
  path = parquet()(at)['images']
  path.write_bytes(path.read_bytes()[:-100])
  return {'images': path}


@fault(r'mine.arrow is no whole Arrow file .*; write the file again')
def no_arrow_file(at):
  return {'images': own.write(at / 'mine.arrow', b'hello' * 20)}


# Hugging Face


@fault(r'set holds no Hugging Face dataset; it should have data/train-00000')
def an_empty_huggingface_folder(at):
  (at / 'set').mkdir()
  return {'huggingface': at / 'set'}


@fault(r'dataset_dict.json should hold settings in JSON; save the dataset again')
def a_broken_dataset_dict(at):
  own.write(at / 'set' / 'dataset_dict.json', b'{"splits": [')
  return {'huggingface': at / 'set'}


@fault(r'there is no .*state.json')
def a_saved_split_that_is_missing(at):
  own.write(at / 'set' / 'dataset_dict.json', b'{"splits": ["train"]}')
  return {'huggingface': at / 'set'}


@fault(r'part-1.parquet is of no split that its name tells; begin it with train-, validation- or test-')
def shards_without_a_split(at):
  for i in (1, 2):
    own.write_parquet(at / 'set' / f'part-{i}.parquet', {'image': PNG, 'label': LABELS})
  return {'huggingface': at / 'set'}


@fault(r'holds several datasets \(big, small\); give --huggingface one of them')
def two_configurations(at):
  for name in ('big', 'small'):
    own.write_parquet(at / 'set' / name / 'train-00000-of-00001.parquet', {'image': PNG, 'label': LABELS})
  return {'huggingface': at / 'set'}


@fault(r"metadata.csv names 'nobody.png', which is no image there; mend the row")
def metadata_of_no_file(at):
  own.write_flat(at / 'set')
  own.write_csv(at / 'set' / 'metadata.csv', [['file_name', 'label'], ['nobody.png', 'cat']])
  return {'huggingface': at / 'set'}


@fault(r'metadata.csv, line 3, has not as many cells as the first line; mend it')
def metadata_of_a_short_row(at):
  own.write_flat(at / 'set')
  own.write_csv(at / 'set' / 'metadata.csv', [['file_name', 'label'], ['0.png', 'cat'], ['1.png']])
  return {'huggingface': at / 'set'}


@fault(r'metadata.jsonl should hold an object .* on each line; mend it')
def metadata_that_is_no_json(at):
  own.write_flat(at / 'set')
  own.write(at / 'set' / 'metadata.jsonl', b'{"file_name": "0.png", "label": "cat"}\n0.png cat\n')
  return {'huggingface': at / 'set'}


# Options


def option(**given):
  return lambda at: {'images': own.write_classes(at / 'photos'), **given}


OPTIONS = {
  'no size': (option(size='big'), r"--size must be a side in pixels such as 64, .*, not 'big'"),
  'size zero': (option(size='0'), r'--size must be 1 to 1024 pixels a side, not 0'),
  'huge size': (option(size='9999'), r'--size must be 1 to 1024 pixels a side, not 9999'),
  'unknown rule': (option(resize='squash'), r"--resize must be one of crop, pad, stretch, not 'squash'"),
  'unknown channels': (option(channels='blue'), r"--channels must be one of gray, rgb, not 'blue'"),
  'validation of words': (
    option(validation='some'),
    r"--validation must be a count such as 500 or a share such as 0.1, not 'some'",
  ),
  'validation of one': (option(validation='1.0'), r'--validation must be a count such as 500 or a share'),
  'too much validation': (
    option(validation='18'),
    r"--validation 18 is 9 of each of 2 classes, and 'cat' has 8 training images; ask for 2 to 14",
  ),
  'too little validation': (option(validation='1'), r'--validation 1 is 0 of each of 2 classes'),
  'all for the test': (option(test='20'), r'--test 20 is all of the 20 images or more; ask for less'),
  'negative test': (option(test='-3'), r'--test must be a count such as 500'),
  'no test folder': (option(test='nowhere'), r'there is no .*nowhere'),
  'columns of a folder': (option(label_column='label'), r'belong to a table, and .*photos is a folder'),
}  # fmt: skip
FAULTS |= OPTIONS

NAMES = {
  'a/b': 'cannot be the name of a set',
  '../x': 'cannot be the name of a set',
  '': 'cannot be the name of a set',
  '9lives': 'cannot be the name of a set',
  'a b': 'cannot be the name of a set',
  'x' * 65: 'cannot be the name of a set',
  'digits': 'comes with the package; choose another name',
  'cifar10': 'comes with the package; choose another name',
  'fake_mine': 'is kept for other sets; choose another name',
  'tfds': 'is kept for other sets; choose another name',
}


def stored(root: Path) -> list[Path]:
  """All files below a data folder but the locks."""
  return [path for path in root.rglob('*') if path.is_file() and path.suffix != '.lock']


def refuse(at: Path, says: str, name: str = 'mine', **given) -> None:
  with pytest.raises(BadSetting, match=says) as error:
    add(name, data_dir=at / 'data', **given)
  said = str(error.value)
  assert '\n' not in said and said.endswith(('.', '?')) and len(said) < 700, said
  assert not stored(at / 'data')


@pytest.mark.parametrize('name', FAULTS)
def test_a_planted_fault_is_one_sentence_and_nothing_is_stored(name, tmp_path):
  plant, says = FAULTS[name]
  refuse(tmp_path, says, **plant(tmp_path))


@pytest.mark.parametrize('name', NAMES)
def test_a_name_that_no_set_can_have(name, tmp_path):
  refuse(tmp_path, NAMES[name], name, **option()(tmp_path))


def test_the_table_is_long():
  assert len(FAULTS) + len(NAMES) >= 90


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read and write everything')
@pytest.mark.parametrize('spoil', ['read', 'write'])
def test_what_may_not_be_read_or_written_is_named(spoil, tmp_path):
  given = option()(tmp_path)
  place = tmp_path / 'photos' / 'cat' if spoil == 'read' else tmp_path / 'data'
  place.mkdir(exist_ok=True)
  place.chmod(0)
  try:
    with pytest.raises(BadSetting, match='cannot be read' if spoil == 'read' else 'cannot write to'):
      add('mine', data_dir=tmp_path / 'data', **given)
  finally:
    place.chmod(0o700)


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
  """As for a user without permission, whoever runs the tests."""

  def forbidden(*args, **kwargs):
    raise PermissionError(13, 'Permission denied', str(tmp_path / 'photos'))

  given = option()(tmp_path)
  monkeypatch.setattr(Path, 'iterdir', forbidden)
  with pytest.raises(BadSetting, match=r'photos cannot be read \(Permission denied\); allow that'):
    add('mine', data_dir=tmp_path / 'data', **given)


def test_a_disk_without_room_is_told_before_and_while_images_are_written(tmp_path, monkeypatch):
  given = option()(tmp_path)
  usage = type('Usage', (), {'free': 1000})
  with monkeypatch.context() as patch:
    patch.setattr(writing.shutil, 'disk_usage', lambda folder: usage)
    refuse(tmp_path, r'20 images of 12×12×3 need 0.0 GB in .* are free; choose a smaller --size', **given)

  def full(*args):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(writing.os, 'posix_fallocate', full)
  refuse(tmp_path, r'data has no room for the images \(No space left on device\)', **given)
