"""A set is stored whole or not at all, found by its name, replaced on demand, and removed."""

import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support import own_images as own

from ssl_bench.data import added, available, check, check_here, check_name, load
from ssl_bench.data.adding import store as storing
from ssl_bench.data.adding.add import add, remove
from ssl_bench.data.stage import alone
from ssl_bench.settings.signature import BadSetting

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def photos(tmp_path):
  return own.write_classes(tmp_path / 'photos')


@pytest.fixture
def others(tmp_path):
  return own.write_classes(tmp_path / 'others', ['cow', 'hen', 'pig'], first=100)


def files_of(root):
  return {path: path.stat().st_mtime_ns for path in root.rglob('*.npy')}


def test_a_set_is_listed_found_and_checked(photos, tmp_path):
  root = tmp_path / 'data'
  done = add('mine', images=photos, data_dir=root, license='CC0')
  [row] = [row for row in available(root) if row.name == 'mine']
  assert row.ready and row.license == 'CC0' and row.shape == (12, 12, 3) and row.classes == 2
  assert (row.train, row.validation, row.test, row.unlabeled) == (14, 2, 4, 0)
  assert row.fingerprint == done.meta.fingerprint == load('mine', data_dir=root).fingerprint
  assert row.version == row.fingerprint[:8] and row.bytes > 20 * 12 * 12 * 3
  check_name('mine', data_dir=root)
  check_here('mine', data_dir=root)
  assert check('mine', data_dir=root).verdict.startswith('mine is right')
  with pytest.raises(BadSetting, match="There is no dataset 'mime'; did you mean 'mine'"):
    load('mime', data_dir=root)
  with pytest.raises(BadSetting, match="There is no dataset 'mine'"):
    load('mine', data_dir=tmp_path / 'elsewhere')


def test_an_added_set_is_in_the_list_of_this_machine_and_not_in_the_documentation(
  photos, tmp_path, monkeypatch, capsys
):
  from ssl_bench.cli.listing import show
  from ssl_bench.docs.list_pages import datasets

  monkeypatch.setenv('SSL_BENCH_DATA', str(tmp_path / 'data'))
  before = datasets()
  add('mine', images=photos)
  assert datasets() == before
  show(['datasets'])
  [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith('mine/')]
  assert '14 + 2 + 4' in line and '12×12×3' in line and '(added)' in line


def test_the_same_again_changes_nothing(photos, tmp_path):
  first = add('mine', images=photos, data_dir=tmp_path / 'data')
  before = files_of(tmp_path / 'data')
  for replace in (False, True):
    again = add('mine', images=photos, data_dir=tmp_path / 'data', replace=replace)
    assert not again.new and again.folder == first.folder and again.meta == first.meta
  assert files_of(tmp_path / 'data') == before


def test_other_content_needs_to_be_asked_for(photos, others, tmp_path):
  root = tmp_path / 'data'
  first = add('mine', images=photos, data_dir=root)
  before = files_of(root)
  with pytest.raises(
    BadSetting, match=r"there is a set 'mine' of other content \(fingerprint .* give --replace"
  ):
    add('mine', images=others, data_dir=root)
  assert files_of(root) == before
  second = add('mine', images=others, data_dir=root, replace=True)
  assert second.new and second.before == first.meta.fingerprint
  assert load('mine', data_dir=root).label_names == ('cow', 'hen', 'pig')
  assert not first.folder.exists() and [row.name for row in available(root)].count('mine') == 1


def test_other_names_of_classes_are_other_content(photos, tmp_path):
  root = tmp_path / 'data'
  add('mine', images=photos, data_dir=root)
  (photos / 'dog').rename(photos / 'wolf')
  with pytest.raises(BadSetting, match='of other content'):
    add('mine', images=photos, data_dir=root)
  assert add('mine', images=photos, data_dir=root, replace=True).new
  assert load('mine', data_dir=root).label_names == ('cat', 'wolf')


def test_a_removed_set_is_gone_and_its_name_is_free(photos, others, tmp_path):
  root = tmp_path / 'data'
  for name in ('mine', 'mine-too'):
    add(name, images=photos, data_dir=root)
    check(name, data_dir=root)
  add('mine', images=others, data_dir=root, replace=True)
  check('mine', data_dir=root)
  assert len(list((root / 'ssl_bench' / 'checks').glob('mine-[!t]*'))) == 2
  remove('mine', data_dir=root)
  assert {path.name for path in (root / 'ssl_bench').iterdir()} == {'mine-too', '.mine-too.lock', 'checks'}
  [left] = (root / 'ssl_bench' / 'checks').iterdir()
  assert left.name.startswith('mine-too-') and check('mine-too', data_dir=root).findings
  with pytest.raises(BadSetting, match=r"There is no added set 'other'; choose from mine-too\.$"):
    remove('other', data_dir=root)
  remove('mine-too', data_dir=root)
  with pytest.raises(BadSetting, match=r"There is no added set 'mine'; none was added below .*data"):
    remove('mine', data_dir=root)
  with pytest.raises(BadSetting, match="'cifar10' was not added by a user; only added sets are removed"):
    remove('cifar10', data_dir=root)
  assert add('mine', images=others, data_dir=root).before is None


def test_a_set_that_another_command_has_just_removed_is_removed_already(photos, tmp_path, monkeypatch):
  add('mine', images=photos, data_dir=tmp_path)
  folder = added.folder_of('mine', tmp_path)
  remove('mine', data_dir=tmp_path)
  monkeypatch.setattr(added, 'folder_of', lambda name, root: folder)  # as it was before it waited
  with pytest.raises(BadSetting, match='mine is removed already, by another command'):
    remove('mine', data_dir=tmp_path)


def test_a_class_whose_name_is_no_utf_8_is_refused(photos, tmp_path):
  cats = next(path for path in sorted(photos.iterdir()) if path.is_dir())
  os.rename(os.fsencode(cats), os.fsencode(cats.parent) + b'/caf\xe9')
  with pytest.raises(BadSetting, match=r"the class 'caf\\udce9' has bytes in its name that are no UTF-8"):
    add('mine', images=photos, data_dir=tmp_path)


def test_who_waits_for_a_set_that_is_removed_is_alone_afterwards(tmp_path):
  """A lock on a file that is gone keeps nobody out, so whoever waited takes the new one."""
  lock, order = tmp_path / 'ssl_bench' / '.mine.lock', []

  def work(number):
    with alone('mine', tmp_path) as stage:
      order.append(('in', number))
      (stage / 'file').write_text('')
      time.sleep(0.1)
      order.append(('out', number))

  threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
  with alone('mine', tmp_path, last=True):
    for thread in threads[:2]:
      thread.start()
    time.sleep(0.2)  # both wait
  threads[2].start()
  for thread in threads:
    thread.join()
  assert lock.exists() and len(order) == 6
  assert all(a[0] == 'in' and b == ('out', a[1]) for a, b in zip(order[::2], order[1::2]))


def test_a_changed_file_is_found_and_says_what_to_do(photos, tmp_path):
  root = tmp_path / 'data'
  done = add('mine', images=photos, data_dir=root)
  images = np.lib.format.open_memmap(done.folder / 'test_images.npy', mode='r+')
  images[0, 0, 0, 0] ^= 1
  images.flush()
  says = r'its images or labels were changed .*; run: ssl-bench data remove mine, and add it again'
  with pytest.raises(BadSetting, match=says):
    load('mine', data_dir=root)
  assert check('mine', data_dir=root).wrong
  (done.folder / 'meta.json').write_text('{')
  [row] = [row for row in available(root) if row.name == 'mine']
  assert not row.ready and row.broken == 'meta.json is not JSON'
  with pytest.raises(BadSetting, match='is not JSON'):
    check_here('mine', data_dir=root)
  assert add('mine', images=photos, data_dir=root, replace=True).new
  assert not check('mine', data_dir=root).wrong


def test_a_failure_while_writing_leaves_the_old_set(photos, others, tmp_path, monkeypatch):
  root = tmp_path / 'data'
  add('mine', images=photos, data_dir=root)
  before = files_of(root)

  def fail(*args, **kwargs):
    raise RuntimeError

  monkeypatch.setattr(storing, 'write_set', fail)
  with pytest.raises(RuntimeError):
    add('mine', images=others, data_dir=root, replace=True)
  assert files_of(root) == before


def test_a_killed_command_leaves_nothing_that_counts(photos, tmp_path):
  root = tmp_path / 'data'
  code = (
    'import sys, time\nfrom ssl_bench.data.adding import store\nfrom ssl_bench.data.adding.add import add\n'
    'write = store.write_set\n'
    'store.write_set = lambda *a: (write(*a), print("written", flush=True), time.sleep(60))\n'
    'add("mine", images=sys.argv[1], data_dir=sys.argv[2])'
  )
  words = [sys.executable, '-c', code, str(photos), str(root)]
  process = subprocess.Popen(
    words, stdout=subprocess.PIPE, text=True, env={**os.environ, 'PYTHONPATH': str(ROOT)}
  )
  assert process.stdout.readline() == 'written\n'
  os.kill(process.pid, signal.SIGKILL)
  process.wait()
  process.stdout.close()
  assert 'mine' not in [row.name for row in available(root)]
  start = time.monotonic()
  assert add('mine', images=photos, data_dir=root).new  # the lock of the dead process is free
  assert time.monotonic() - start < 30 and not list((root / 'ssl_bench').glob('.*.partial'))


@pytest.mark.slow
def test_many_images_are_not_held_in_memory(tmp_path):
  """12,000 images of 64x64x3 are 147 MB; the process may hold half of that beside what it starts with."""
  images = np.lib.format.open_memmap(
    tmp_path / 'images.npy', mode='w+', dtype=np.uint8, shape=(12_000, 64, 64, 3)
  )
  images[:] = 0
  images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(12_000) % 256, np.arange(12_000) // 256
  images.flush()
  np.save(tmp_path / 'labels.npy', np.arange(12_000) % 2)
  with zipfile.ZipFile(tmp_path / 'mine.npz', 'w') as zipped:
    for name in ('images', 'labels'):
      zipped.write(tmp_path / f'{name}.npy', f'{name}.npy')
  code = (
    'import sys, resource\nfrom ssl_bench.data.adding.add import add\n'
    'def anonymous():\n'
    '  lines = open("/proc/self/status").read().splitlines()\n'
    '  return int(next(line.split()[1] for line in lines if line.startswith("RssAnon")))\n'
    'before, most = anonymous(), 0\n'
    'def watch(text):\n'
    '  global most\n  most = max(most, anonymous())\n'
    'add("mine", images=sys.argv[1], data_dir=sys.argv[2], progress=watch)\n'
    'print(most - before)'
  )
  words = [sys.executable, '-c', code, str(tmp_path / 'mine.npz'), str(tmp_path / 'data')]
  env = {**os.environ, 'PYTHONPATH': str(ROOT)}
  if not Path('/proc/self/status').exists():
    pytest.skip('this system does not say how much memory a process holds')
  done = subprocess.run(words, capture_output=True, text=True, check=True, env=env)
  assert int(done.stdout) < 80_000  # kB


def test_a_record_names_an_added_set_by_digits_of_its_images():
  from ssl_bench.data import is_added_version

  assert is_added_version('mine/0a1b2c3d')
  for text in (None, 'mine/1.0.0', 'cifar10/3.0.2', 'mine/0a1b2c3d4', 'a/b/0a1b2c3d', '/0a1b2c3d'):
    assert not is_added_version(text)
