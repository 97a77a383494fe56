"""A record never lacks its curves, and no others pass for them; what the board shows needs none."""

import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ssl_bench import cli
from ssl_bench.records import curves, record
from ssl_bench.records.submit import submit
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / 'leaderboard' / 'records' / 'digits' / 'supervised'


@pytest.fixture(scope='module')
def trials():
  """Records with their curves, of which the first two are on the committed board."""
  return record.read_all([COMMITTED], with_curves=True)[:4]


@pytest.fixture
def written(trials, tmp_path):
  """A record on disk: its path, and that of its curves."""
  path = record.write(trials[0], tmp_path / 'records')
  return path, curves.path_of(path)


def old_form(trial):
  """A record as it was written before its curves had a file of their own."""
  return json.dumps(trial | {'schema': 1})


def test_a_plain_program_reads_the_curves(trials, written):
  path, place = written
  assert place.name == f'{trials[0]["id"]}.curves.json.gz'
  with gzip.open(place) as file:
    text = file.read()
  assert json.loads(text) == {name: trials[0][name] for name in ('curve', 'evaluations')}
  assert json.loads(path.read_text())['curves'] == hashlib.sha256(text).hexdigest()
  assert record.read_curves(path) == json.loads(text)


def test_equal_curves_are_equal_bytes_at_any_time_and_under_any_name(trials, written, tmp_path, monkeypatch):
  monkeypatch.setattr(time, 'time', lambda: 0.0)
  other = tmp_path / 'of_another_name.gz'
  curves.write({name: trials[0][name] for name in curves.NAMES}, other)
  assert other.read_bytes() == written[1].read_bytes()
  assert int.from_bytes(other.read_bytes()[4:8], 'little') == 0  # RFC 1952: no time is available


def test_a_record_without_rows_has_no_file_of_curves(trials, tmp_path):
  path = record.write(trials[0] | {'curve': [], 'evaluations': []}, tmp_path)
  assert list(tmp_path.iterdir()) == [path] and record.read(path)['curves'] is None
  assert record.read_curves(path) == {'curve': [], 'evaluations': []}


def test_a_file_of_schema_1_is_the_same_record(trials, written, tmp_path):
  path, _ = written
  (tmp_path / 'old.json').write_text(old_form(trials[0]))
  assert record.read(tmp_path / 'old.json') == record.read(path)
  assert record.read_with_curves(tmp_path / 'old.json') == record.read_with_curves(path) == trials[0]
  records, bad = record.gather([tmp_path])
  assert len(records) == 1 and not bad
  assert submit(tmp_path / 'old.json', tmp_path / 'board', ours=True) == (1, 0, 0)
  (copied,) = (tmp_path / 'board').rglob('*.json')
  assert copied.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
  ('change', 'sentence'),
  [
    ({'curve': [{'loss': 1.0}]}, 'curve every row needs a step, a whole number, not None.'),
    ({'evaluations': [{'step': 5, 'knn': 2}]}, 'evaluations knn at step 5 must be in [0, 1], not 2.'),
    ({'curve': [{'step': 10**9, 'loss': 1.0}]}, 'step 1000000000 of its curve comes after its last, '),
    ({'curve': None}, 'curve must be a list, not None.'),
    ({'curves': None}, 'a record of schema 1 holds its curves as '),
  ],
)
def test_the_curves_inside_a_file_of_schema_1_have_their_form(trials, tmp_path, change, sentence):
  (tmp_path / 'old.json').write_text(old_form(trials[0] | change))
  for read in (record.read, record.read_with_curves):
    with pytest.raises(BadSetting, match=r'old\.json is not a sound record: ') as error:
      read(tmp_path / 'old.json')
    assert sentence in str(error.value) and str(error.value).endswith('.')
  lacking = json.loads(old_form(trials[0]))
  del lacking['evaluations']
  (tmp_path / 'old.json').write_text(json.dumps(lacking))
  with pytest.raises(BadSetting, match=r'evaluations is missing\.'):
    record.read(tmp_path / 'old.json')


def cut_short(place):
  place.write_bytes(place.read_bytes()[:-20])


def no_gzip(place):
  place.write_text('{"curve": [], "evaluations": []}')


def one_bit(place):
  content = bytearray(place.read_bytes())
  content[len(content) // 2] ^= 1
  place.write_bytes(content)


def of_another_run(place):
  rows = [{'step': 1, 'loss': 0.5}]
  curves.write({'curve': rows, 'evaluations': []}, place)


def a_folder(place):
  place.unlink()
  place.mkdir()


def a_bomb(place):
  place.write_bytes(gzip.compress(bytes(65 * 2**20)))


@pytest.mark.parametrize(
  ('harm', 'sentence'),
  [
    (Path.unlink, ' is missing; it holds the curves of '),
    (cut_short, ': it is no whole gzip file.'),
    (no_gzip, ': it is no whole gzip file.'),
    (one_bit, 'does not hold the curves of '),
    (of_another_run, ' names curves with another SHA-256, so copy both files anew.'),
    (a_folder, ': it is no file.'),
    (a_bomb, ': it unpacks to more than 64 MiB.'),
  ],
)
def test_curves_that_are_not_the_records_are_one_sentence_and_the_board_needs_none(
  trials, written, tmp_path, monkeypatch, capsys, harm, sentence
):
  path, place = written
  record.write(trials[1], path.parent)
  harm(place)
  for read in (record.read_curves, record.read_with_curves):
    with pytest.raises(BadSetting) as error:
      read(path)
    said = str(error.value)
    assert said.startswith(f'{place} ') and sentence in said and said.isprintable() and said[-1] == '.'
  records, bad = record.gather([tmp_path], with_curves=True)
  assert [one['id'] for one in records] == [trials[1]['id']] and bad == [said]
  with pytest.raises(BadSetting, match=r'\.curves\.json\.gz '):
    submit(path.parent, tmp_path / 'board')
  assert not (tmp_path / 'board').exists()
  words = ('leaderboard', '--records', str(path.parent), '--out', str(tmp_path / 'page'))
  monkeypatch.setattr(sys, 'argv', ['ssl-bench', *words])
  with pytest.raises(SystemExit) as end:
    cli.main()
  assert not end.value.code and 'Left out' not in capsys.readouterr().err
  assert '2 trials' in (tmp_path / 'page/README.md').read_text()


def test_records_that_differ_in_their_curves_alone_are_told_apart(trials, written, tmp_path):
  record.write(trials[0] | {'curve': [{'step': 1, 'loss': 0.5}]}, tmp_path / 'other')
  records, (bad,) = record.gather([tmp_path])
  assert not records and 'are different records with the id' in bad


CHILD = """
import os, signal, sys
from pathlib import Path
from ssl_bench.records import record
from ssl_bench.trial.run_folder import RunFolder

def kill(*_, **__):
  os.kill(os.getpid(), signal.SIGKILL)

folder, source = map(Path, sys.argv[1:])
trials = record.read_all([source], with_curves=True)[:4]
print('ready', flush=True)
"""
HALF_WRITTEN = """
replace, calls = os.replace, []
def replace_once(*names):
  calls.append(names)
  kill() if len(calls) > 1 else replace(*names)
os.replace = replace_once
record.write(trials[0], folder)
"""
HALF_MOVED = """
os.rename = kill
RunFolder(folder).put_aside(trials[0]['id'], [])
"""
MOVED = """
Path.unlink = kill
RunFolder(folder).put_aside(trials[0]['id'], [])
"""
FOREVER = """
while True:
  for number, trial in enumerate(trials):
    record.write(trial, folder / str(number % 2))
"""


def child(task, folder):
  words = [sys.executable, '-c', CHILD + task, folder, COMMITTED]
  environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
  return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)


def test_a_process_killed_between_the_two_files_leaves_no_record_and_the_next_writes_both(trials, tmp_path):
  process = child(HALF_WRITTEN, tmp_path)
  assert process.wait(60) == -signal.SIGKILL
  process.stdout.close()
  assert curves.path_of(tmp_path / f'{trials[0]["id"]}.json').is_file()
  assert record.gather([tmp_path]) == ([], [])  # curves without a record are nothing
  path = record.write(trials[0], tmp_path)
  assert record.read_with_curves(path) == trials[0]


@pytest.mark.slow
def test_processes_that_write_at_once_and_are_killed_leave_whole_records(trials, tmp_path):
  """Two workers write the same records, and one of them is killed at any moment."""
  workers = [child(FOREVER, tmp_path) for _ in range(2)]
  try:
    for worker in workers:
      assert worker.stdout.readline() == 'ready\n'
    deadline = time.monotonic() + 60
    while len(list(tmp_path.rglob('*.json'))) < len(trials) and time.monotonic() < deadline:
      time.sleep(0.01)
    workers[0].kill()
    for _ in range(20):
      records, bad = record.gather([tmp_path], with_curves=True)
      assert (records, bad) == (sorted(trials, key=lambda one: one['id']), [])
  finally:
    for worker in workers:
      worker.kill()
      worker.wait()
      worker.stdout.close()
  assert record.gather([tmp_path], with_curves=True).records == records


@pytest.mark.parametrize('task', [HALF_MOVED, MOVED], ids=['before its record moves', 'after'])
def test_a_process_killed_while_it_puts_a_record_aside_loses_nothing(trials, tmp_path, task):
  run_folder = RunFolder(tmp_path)
  record.write(trials[0], run_folder.records)
  process = child(task, tmp_path)
  assert process.wait(60) == -signal.SIGKILL
  process.stdout.close()
  run_folder.put_aside(trials[0]['id'], [])
  record.write(trials[1] | {'id': trials[0]['id']}, run_folder.records)  # the trial is run again
  (kept,) = run_folder.replaced.rglob('*.json')
  assert record.read_with_curves(kept) == trials[0]


def test_what_is_put_aside_twice_is_kept_twice_with_its_curves(trials, tmp_path):
  run_folder = RunFolder(tmp_path)
  again = trials[0] | {'curve': [{'step': 1, 'loss': 0.5}]}
  for trial in (trials[0], again):
    record.write(trial, run_folder.records)
    run_folder.put_aside(trial['id'], [])
  assert not list(run_folder.records.iterdir())
  kept = [
    record.read_with_curves(run_folder.replaced / f'records/{trials[0]["id"]}-{n}.json') for n in (1, 2)
  ]
  assert kept == [trials[0], again]
