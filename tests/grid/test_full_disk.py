"""A full disk: one sentence, no record of a trial that is not to blame, and it goes on when there is room."""

import subprocess

import pytest
from support.cli import command, records, write_configs

from ssl_bench.trial.run_folder import RunFolder

pytestmark = pytest.mark.slow

GRID = 'name: small\nbase: configs\nblocks: [{method: supervised, seed: [0, 1]}]'


@pytest.fixture
def disk(tmp_path):
  """A function that gives a file system of a size to a folder."""
  place = tmp_path / 'disk'
  place.mkdir()

  def resize(size: str, more: str = '') -> str:
    options = f'{more}size={size}'
    return subprocess.run(
      ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', place], capture_output=True, text=True
    ).stderr

  if error := resize('300k'):
    pytest.skip(f'No file system can be mounted here: {error.strip()}')
  yield place, lambda size: resize(size, 'remount,')
  subprocess.run(['umount', place], check=True)


@pytest.fixture
def words(tmp_path):
  write_configs(tmp_path / 'configs')
  (tmp_path / 'small.yaml').write_text(GRID)
  return 'grid', tmp_path / 'small.yaml', '--wandb=disabled', '--no-timing'


@pytest.mark.parametrize('workers', [1, 2])
def test_a_grid_on_a_full_disk_says_so_and_goes_on_where_there_is_room(disk, words, workers):
  place, resize = disk
  run_folder = RunFolder(place / 'runs/small')
  words = (*words, '--runs', place / 'runs', f'--workers={workers}')
  out = command(*words, code=2)
  *lines, last = out.splitlines()
  assert all(line.startswith(('[', 'Overhead')) for line in lines), out
  assert last.startswith(f'ssl-bench: {place}'), out
  assert last.endswith(
    'No space left on device. Make room, and the same command goes on from what was saved.'
  )
  before = records(run_folder.records)  # of a trial for which there was still room
  assert len(before) < 2 and all(r['status'] == 'done' for r in before.values())
  assert not resize('50m')
  out = command(*words)
  assert f'2 trials: {len(before)} recorded before, {2 - len(before)} done now.' in out
  after = records(run_folder.records)
  assert {r['status'] for r in after.values()} == {'done'} and before.items() <= after.items()


def test_a_worker_and_a_training_on_a_full_disk_say_so(disk, words, tmp_path):
  place, _ = disk
  command(*words, '--runs', place / 'runs', '--workers=1', code=2)
  (manifest,) = (place / 'runs/small/manifests').glob('*.jsonl')
  out = command('work', place / 'runs/small', '--manifest', manifest, '--pull', code=2)
  assert out.count('\n') == 1 and 'No space left on device' in out
  out = command(
    'train', tmp_path / 'configs/supervised.yaml', '--runs', place / 'runs', '--wandb=disabled', code=2
  )
  assert out.splitlines()[-1].endswith('No space left on device.') and 'Traceback' not in out
