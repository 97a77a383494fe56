"""A decoded set that is not what its meta.json says is refused, and nobody else is harmed by it."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import cli

from ssl_bench import data
from ssl_bench.data import decoded
from ssl_bench.data.sources import SOURCES, decoded_folder
from ssl_bench.leaderboard.build import today
from ssl_bench.settings.signature import BadSetting

ROOT = Path(__file__).parents[2]
NAME = 'kmnist'
SIZES = {'train': 40, 'validation': 10, 'test': 20}


def arrays(folds=0):
  """A tiny set; images of one gray a class, and positions as the real parts have them."""
  made = {}
  start = {'train': 0, 'validation': 40, 'test': 0}
  for part, size in SIZES.items():
    labels = np.arange(size, dtype=np.int32) % 10
    pixels = np.broadcast_to(labels[:, None, None, None] * 20, (size, 28, 28, 1))
    made |= {f'{part}_images': pixels.astype(np.uint8), f'{part}_labels': labels}
    made[f'{part}_index'] = np.arange(start[part], start[part] + size, dtype=np.int32)
  return made | {f'fold_{i}': np.arange(i, 40, 2, dtype=np.int32) for i in range(folds)}


def sha256(made):
  """The fingerprint as the documentation has it: name, dtype, shape and bytes of each array, in order."""
  text = b''.join(f'{k} {v.dtype.str} {v.shape}\n'.encode() + v.tobytes() for k, v in made.items())
  return hashlib.sha256(text).hexdigest()


def write(root, made=None, **changes):
  """A decoded folder, as `data prepare` leaves it but for the notes."""
  made = made or arrays()
  folder = decoded_folder(NAME, root)
  folder.mkdir(parents=True)
  for name, array in made.items():
    np.save(folder / f'{name}.npy', array)
  meta = {
    'version': SOURCES[NAME].version,
    'classes': 10,
    'label_names': [f'name {i}' for i in range(10)],
    'sizes': SIZES | {'unlabeled': 0},
    'shape': [28, 28, 1],
    'fingerprint': sha256(made),
    'folds': sum(name.startswith('fold_') for name in made),
  }
  (folder / 'meta.json').write_text(json.dumps(meta | changes, indent=1))
  return folder


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
  """Nothing is remembered from one test, or one load, to the next."""
  monkeypatch.setattr(decoded, '_verified', {})


@pytest.fixture
def counted(monkeypatch):
  """How often the fingerprint was computed."""
  calls, real = [], decoded.fingerprint
  monkeypatch.setattr(decoded, 'fingerprint', lambda named: calls.append(1) or real(named))
  return calls


def overwrite(folder, name, change):
  """Changes an array in place, its file's size kept."""
  array = np.load(folder / f'{name}.npy')
  change(array)
  np.save(folder / f'{name}.npy', array)


def relabel(array):
  array[:] = 9 - array


def blacken(array):
  array[:] = 0


def refuse(root, says):
  with pytest.raises(BadSetting) as error:
    data.load(NAME, data_dir=root)
  told = str(error.value)
  assert says in told, told
  assert told.startswith(str(decoded_folder(NAME, root))) and '\n' not in told
  assert told.endswith(f'remove that folder and run: ssl-bench data prepare {NAME}.')


def test_a_set_that_is_right_is_loaded_and_its_fingerprint_computed_once(tmp_path, counted, monkeypatch):
  folder = write(tmp_path, arrays(folds=2))
  first = data.load(NAME, data_dir=tmp_path)
  assert first.fingerprint == sha256(arrays(folds=2)) and len(first.folds) == 2
  assert isinstance(first.train_images, np.memmap)
  assert len(counted) == 1
  data.load(NAME, data_dir=tmp_path)
  monkeypatch.setattr(decoded, '_verified', {})  # as another process
  data.load(NAME, data_dir=tmp_path)
  assert len(counted) == 1
  os.utime(folder / 'test_labels.npy', ns=(1, 1))
  data.load(NAME, data_dir=tmp_path)
  assert len(counted) == 2
  (folder / decoded.NOTES).write_text('{"fingerprint": [')
  monkeypatch.setattr(decoded, '_verified', {})
  data.load(NAME, data_dir=tmp_path)
  assert len(counted) == 3


@pytest.mark.parametrize(('name', 'change'), [
  ('train_labels', relabel), ('train_images', blacken), ('test_images', blacken), ('test_labels', relabel),
  ('fold_1', lambda fold: fold.__iadd__(-1)),
])  # fmt: skip
def test_what_was_overwritten_since_is_not_trained_on(name, change, tmp_path):
  folder = write(tmp_path, arrays(folds=2))
  data.load(NAME, data_dir=tmp_path)
  overwrite(folder, name, change)
  refuse(tmp_path, 'its images or labels were changed')


def test_a_fingerprint_in_another_meta_json_is_not_believed(tmp_path):
  folder = write(tmp_path)
  data.load(NAME, data_dir=tmp_path)
  meta = json.loads((folder / 'meta.json').read_text())
  (folder / 'meta.json').write_text(json.dumps(meta | {'fingerprint': 'f' * 64}))
  refuse(tmp_path, 'its images or labels were changed (fingerprint')


def put(name, array):
  return lambda folder: np.save(folder / f'{name}.npy', array)


def at(name, place, value):
  def spoil(folder):
    array = arrays()[name]
    array[place] = value
    np.save(folder / f'{name}.npy', array)

  return spoil


def cut(folder):
  path = folder / 'train_labels.npy'
  path.write_bytes(path.read_bytes()[:-20])


class Trap:
  def __reduce__(self):
    return (pytest.fail, ('a pickle was opened',))


def trap(folder):
  np.save(folder / 'train_labels.npy', np.array([Trap()] * 40, object))


def pickled(folder):
  (folder / 'test_images.npy').write_bytes(pickle.dumps(Trap()))


def zipped(folder):
  np.savez(folder / 'zip.npz', a=np.zeros(3))
  (folder / 'zip.npz').rename(folder / 'train_index.npy')


FAULTS = {
  'a label beyond the classes': (at('train_labels', 3, 77), 'train_labels.npy holds 77, which is not in'),
  'a negative label': (at('test_labels', 0, -1), 'test_labels.npy holds -1, which is not in 0 to 9'),
  'a position beyond': (at('train_index', 0, 50), 'train_index.npy holds 50, which is not in 0 to 49'),
  'a position twice': (at('train_index', 0, 7), 'train_index.npy holds a position twice'),
  'a position in two parts': (at('validation_index', 0, 3), 'share a position'),
  'a file cut short': (cut, 'train_labels.npy cannot be read'),
  'an empty file': (lambda f: (f / 'train_images.npy').write_bytes(b''), 'train_images.npy cannot be read'),
  'objects': (trap, 'train_labels.npy cannot be read'),
  'a pickle': (pickled, 'test_images.npy cannot be read'),
  'a zip': (zipped, 'train_index.npy cannot be read'),
  'a missing file': (lambda f: (f / 'test_images.npy').unlink(), 'test_images.npy is missing'),
  'fewer labels': (put('train_labels', np.zeros(39, np.int32)), 'of shape 39, and meta.json says 40'),
  'fewer images': (put('test_images', np.zeros((19, 28, 28, 1), np.uint8)), 'of shape 19×28×28×1, and'),
  'another shape': (put('test_images', np.zeros((20, 28, 28), np.uint8)), 'meta.json says 20×28×28×1'),
  'no shape': (put('test_labels', np.int32(3)), 'is of shape (), and meta.json says 20'),
  'another type': (put('train_labels', np.arange(40) % 10), 'train_labels.npy holds int64, not int32'),
  'floats': (put('train_images', np.zeros((40, 28, 28, 1), np.float32)), 'holds float32, not uint8'),
}  # fmt: skip


@pytest.mark.parametrize(('spoil', 'says'), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize('before', [False, True], ids=['found so', 'after it was right'])
def test_an_array_that_is_not_what_it_should_be_is_named(spoil, says, before, tmp_path):
  folder = write(tmp_path)
  if before:
    data.load(NAME, data_dir=tmp_path)
  spoil(folder)
  refuse(tmp_path, says)


def test_labels_beyond_the_classes_are_refused_under_a_fingerprint_of_their_own(tmp_path):
  made = arrays()
  made['train_labels'][3] = 77
  write(tmp_path, made)
  refuse(tmp_path, 'train_labels.npy holds 77, which is not in 0 to 9')


METAS = {
  'nothing': ('', 'meta.json is empty'),
  'spaces': (' \n', 'meta.json is empty'),
  'half': ('{"version": "1.0', 'meta.json is not JSON'),
  'bytes': ('\udcff\udcfe', 'meta.json is not JSON'),
  'a list': ('[]', 'meta.json is wrong'),
  'brackets': ('[' * 100_000, 'meta.json is not JSON'),
  'null': ('null', 'meta.json is wrong'),
}
CHANGES = {
  'one missing': ({'fingerprint': None}, "meta.json says nothing of 'fingerprint'"),
  'one more': ({'colour': 1}, 'meta.json is wrong: colour'),
  'a text for a number': ({'folds': '0'}, 'meta.json is wrong: folds'),
  'a negative count': ({'folds': -1}, 'meta.json is wrong: folds'),
  'no fingerprint': ({'fingerprint': 'beef'}, 'meta.json is wrong: fingerprint'),
  'sizes of another kind': ({'sizes': [1, 2, 3]}, 'meta.json is wrong: sizes'),
  'a size missing': ({'sizes': {'train': 40, 'validation': 10, 'test': 20}}, "nothing of 'sizes.unlabeled'"),
  'a part of nothing': ({'sizes': SIZES | {'unlabeled': 0, 'test': 0}}, 'meta.json is wrong: sizes.test'),
  'names that are too few': ({'label_names': ['a']}, '1 label_names for 10 classes'),
  'other classes': ({'classes': 1, 'label_names': ['a']}, 'says classes 1, and kmnist has 10'),
  'another version': ({'version': '9.9.9'}, 'says version 9.9.9, and kmnist has 3.0.1'),
  'another shape': ({'shape': [28, 28, 3]}, 'says shape (28, 28, 3), and kmnist has (28, 28, 1)'),
  'other sizes': ({'sizes': SIZES | {'unlabeled': 0, 'train': 39}}, 'is of shape 40×28×28×1, and'),
  'a fold that is not there': ({'folds': 1}, 'fold_0.npy is missing'),
  'more than can be': ({'sizes': SIZES | {'unlabeled': 10**30}}, 'unlabeled_images.npy is missing'),
}  # fmt: skip


def meta_texts():
  for name, (text, says) in METAS.items():
    yield pytest.param(lambda text, given=text: given, says, id=name)
  for name, (changes, says) in CHANGES.items():

    def change(text, changes=changes):
      tree = json.loads(text) | changes
      return json.dumps({k: v for k, v in tree.items() if v is not None})

    yield pytest.param(change, says, id=name)


@pytest.mark.parametrize(('change', 'says'), [*meta_texts()])
def test_a_meta_json_that_is_wrong_is_one_sentence(change, says, tmp_path):
  path = write(tmp_path) / 'meta.json'
  path.write_bytes(change(path.read_text()).encode(errors='surrogateescape'))
  refuse(tmp_path, says)


def test_a_meta_json_that_is_gone_or_a_folder_is_one_sentence(tmp_path):
  path = write(tmp_path) / 'meta.json'
  path.unlink()
  refuse(tmp_path, 'meta.json is missing')
  path.mkdir()
  refuse(tmp_path, 'meta.json cannot be read (Is a directory)')


def test_no_byte_of_a_header_or_of_meta_json_can_end_in_a_traceback(tmp_path):
  """Random bytes over the first 128 of a file: refused, or what was there says the same."""
  folder, rng = write(tmp_path), np.random.default_rng(0)
  right = {
    name: (folder / name).read_bytes() for name in ('train_labels.npy', 'train_images.npy', 'meta.json')
  }
  expected = data.load(NAME, data_dir=tmp_path)
  outcomes = {True: 0, False: 0}
  for turn in range(300):
    name = [*right][turn % 3]
    spoiled = bytearray(right[name])
    for _ in range(rng.integers(1, 4)):
      spoiled[rng.integers(128)] = rng.integers(256)
    (folder / name).write_bytes(spoiled)
    try:
      found = data.load(NAME, data_dir=tmp_path)
    except BadSetting as error:
      assert '\n' not in str(error)
      outcomes[False] += 1
    else:
      np.testing.assert_array_equal(found.train_labels, expected.train_labels)
      np.testing.assert_array_equal(found.train_images, expected.train_images)
      outcomes[True] += 1
    (folder / name).write_bytes(right[name])
  assert outcomes[False] > 200


def test_where_no_notes_can_be_written_the_fingerprint_is_computed_once_a_process(
  tmp_path, counted, monkeypatch
):
  folder = write(tmp_path)

  def full(*args, **kwargs):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(decoded.os, 'replace', full)
  data.load(NAME, data_dir=tmp_path)
  data.load(NAME, data_dir=tmp_path)
  assert len(counted) == 1 and sorted(p.name for p in folder.iterdir() if p.suffix != '.npy') == ['meta.json']
  overwrite(folder, 'train_labels', relabel)
  refuse(tmp_path, 'its images or labels were changed')


def run(monkeypatch, capsys, root, *words):
  monkeypatch.setenv('SSL_BENCH_DATA', str(root))
  return cli.run(monkeypatch, capsys, *words)


def test_data_check_says_what_is_there_and_that_it_is_right(monkeypatch, capsys, tmp_path):
  write(tmp_path, arrays(folds=1))
  code, out, errors = run(monkeypatch, capsys, tmp_path, 'data', 'check', NAME)
  assert (code, errors) == (0, '')
  assert 'train_images       uint8 40×28×28×1, 0 to 180' in out
  counts = ', '.join(f'4 of name {c}' for c in range(10))
  assert f'train_labels       int32 40, 0 to 9; {counts}\n' in out and 'fold_0 ' in out
  assert out.endswith(f'kmnist is right: fingerprint {sha256(arrays(folds=1))}.\n')


def test_data_check_computes_the_fingerprint_whatever_the_notes_say(monkeypatch, capsys, tmp_path):
  folder = write(tmp_path)
  data.load(NAME, data_dir=tmp_path)
  time = (folder / 'train_labels.npy').stat().st_mtime_ns
  overwrite(folder, 'train_labels', relabel)
  os.utime(folder / 'train_labels.npy', ns=(time, time))
  code, out, errors = run(monkeypatch, capsys, tmp_path, 'data', 'check', NAME)
  assert code == 2 and 'is right' not in out and 'train_labels' in out
  assert 'its images or labels were changed' in errors and errors.count('\n') == 1


def test_data_check_says_everything_that_is_wrong(monkeypatch, capsys, tmp_path):
  folder = write(tmp_path)
  at('train_labels', 3, 77)(folder)
  (folder / 'test_index.npy').unlink()
  code, out, errors = run(monkeypatch, capsys, tmp_path, 'data', 'check', NAME)
  assert code == 2 and '1 of 77' in out
  lines = errors.replace(str(tmp_path), '').splitlines()  # whose path may hold the number
  assert [('77' in line, 'test_index.npy is missing' in line) for line in lines] == [
    (False, True), (True, False)
  ]  # fmt: skip


def test_data_check_knows_the_right_fingerprint_of_some_sets(monkeypatch, capsys, tmp_path):
  monkeypatch.setitem(data.check.__globals__['KNOWN'], NAME, 'f' * 64)
  write(tmp_path)
  code, _, errors = run(monkeypatch, capsys, tmp_path, 'data', 'check', NAME)
  assert code == 2 and 'and the right one of kmnist is ffffffff' in errors


@pytest.mark.parametrize('name', ['digits', 'digits_captions', 'identifiers', 'fake'])
def test_data_check_of_a_set_that_comes_along(name, monkeypatch, capsys, tmp_path):
  code, out, _ = run(monkeypatch, capsys, tmp_path, 'data', 'check', name, '--quick')
  assert code == 0 and f'{name} is right: fingerprint {data.load(name).fingerprint}' in out


@pytest.mark.parametrize(('name', 'says'), [('minst', "did you mean 'mnist'"), ('mnist', 'mnist is not in')])
def test_data_check_of_what_is_not_there(name, says, monkeypatch, capsys, tmp_path):
  code, _, errors = run(monkeypatch, capsys, tmp_path, 'data', 'check', name)
  assert code == 2 and says in errors and errors.count('\n') == 1


@pytest.mark.parametrize('text', ['', '{}', '{"version": 3}', 'nonsense'])
def test_a_broken_set_harms_no_other(text, monkeypatch, capsys, tmp_path):
  """`data list` has a row that says so, the board knows the others, and `train` says one sentence."""
  folder = write(tmp_path)
  (folder / 'meta.json').write_text(text)
  code, out, _ = run(monkeypatch, capsys, tmp_path, 'data', 'list')
  (row,) = (line for line in out.splitlines() if line.startswith('kmnist/'))
  assert code == 0 and 'broken: meta.json' in row
  assert f'remove that folder and run: ssl-bench data prepare {NAME}.' in out
  assert 'digits/1.0.0' in out and 'ssl-bench data prepare cifar10' in out
  records = [
    {'config': {'method': {'name': 'fixmatch'}, 'dataset': name}} for name in (NAME, 'digits', 'wine')
  ]
  assert today(records)['datasets'].keys() == {'digits', 'wine'}
  for words in (
    ('train', ROOT / 'configs/mnist/supervised.yaml', 'dataset=kmnist'),
    ('data', 'prepare', NAME),
  ):
    code, _, errors = run(
      monkeypatch, capsys, tmp_path, *words, *(['--runs', tmp_path / 'r'] * (words[0] == 'train'))
    )
    assert code == 2, errors
    assert errors.splitlines()[-1].startswith(f'ssl-bench: {folder} is broken: meta.json'), errors
    assert 'Traceback' not in errors
  assert not (tmp_path / 'r').exists()


@pytest.mark.skipif(os.geteuid() == 0, reason='root may read everything')
def test_a_folder_that_may_not_be_read_harms_no_other(tmp_path):
  folder = write(tmp_path)
  folder.parent.chmod(0)
  try:
    rows = {row.name: row for row in data.available(tmp_path)}
  finally:
    folder.parent.chmod(0o755)
  assert rows[NAME].broken == 'Permission denied' and rows['digits'].ready


def test_checking_needs_no_tfds_and_no_jax(tmp_path):
  write(tmp_path)
  code = (
    f'import sys; from ssl_bench import data; data.check({NAME!r}); data.load({NAME!r})\n'
    'print([name for name in ("tensorflow_datasets", "jax", "sklearn") if name in sys.modules])'
  )
  env = {'SSL_BENCH_DATA': str(tmp_path), 'PYTHONPATH': str(ROOT)}
  done = subprocess.run([sys.executable, '-c', code], env=env, capture_output=True, text=True, check=True)
  assert done.stdout == '[]\n'
