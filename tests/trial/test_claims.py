"""Of all processes that want a training one has it, whatever clocks, file systems and kills do."""

import json
import multiprocessing
import os
import random
import signal
import threading
import time

import pytest

from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import LEAVING
from ssl_bench.training.loop import Interrupted
from ssl_bench.trial import claim_files, owner
from ssl_bench.trial import claims as module
from ssl_bench.trial.claim_files import Disk
from ssl_bench.trial.claims import ENDED, LEFT, Claims, Superseded

SOON = {'beat': 0.05, 'patience': 0.4}


@pytest.fixture
def folder(tmp_path):
  return tmp_path / 'claims'


def write_foreign(folder, name='a', number=0, beat=0, end=None, since='2026-01-01T00:00:00+00:00'):
  """A claim of a process of another machine, on whose clock nobody relies."""
  folder.mkdir(exist_ok=True)
  owner = {'host': 'far', 'machine': 'far away', 'pid': 1, 'process': '1', 'since': since}
  path = folder / f'{name}.{number}'
  path.write_text(json.dumps({'owner': owner, 'beat': beat, 'end': end, 'note': {}}))
  return path


def test_one_has_it_until_it_gives_it_back(folder):
  mine, other = Claims(folder), Claims(folder)
  assert mine.take('a') and not other.take('a') and other.take('b')
  mine.note('a', step=7)
  mine.give('a', ENDED, recorded=['x'])
  newest = other.newest('a')
  assert (newest.number, newest.end, newest.note) == (0, ENDED, {'step': 7, 'recorded': ['x']})
  assert f'process {os.getpid()} of' in newest.who
  assert other.take('a') and not mine.take('a')
  assert other.newest('a').number == 1 and other.all() == {'a': 1, 'b': 0}


def test_what_is_taken_twice_is_given_twice(folder):
  mine, other = Claims(folder), Claims(folder)
  assert mine.take('a') and mine.take('a')
  mine.give('a')
  assert not other.take('a')
  mine.give('a')
  assert other.take('a')


def test_whoever_wants_it_alone_is_told_who_has_it(folder):
  mine, other = Claims(folder), Claims(folder)
  with (
    mine.alone('a'),
    pytest.raises(BadSetting, match=rf'works at a in .* \(process {os.getpid()} of .*\); wait for it'),
    other.alone('a'),
  ):
    pass
  with other.alone('a'):
    pass


def test_whoever_waits_gets_it_next_or_stops(folder):
  mine, other = Claims(folder), Claims(folder)
  assert mine.take('a')
  with pytest.raises(Interrupted), other.holding('a', lambda: True):
    pass
  threading.Timer(0.2, mine.give, ('a',)).start()
  with other.holding('a'):
    assert other.newest('a').number == 1


def hold(folder, pipe):
  claims = Claims(folder)
  pipe.send(claims.take('a'))
  time.sleep(600)


def test_what_a_dead_process_of_this_machine_held_is_free_at_once(folder):
  context = multiprocessing.get_context('spawn')
  ours, theirs = context.Pipe()
  process = context.Process(target=hold, args=(folder, theirs), daemon=True)
  process.start()
  assert ours.recv() is True
  claims = Claims(folder)
  assert not claims.take('a')
  os.kill(process.pid, signal.SIGKILL)
  process.join()
  assert claims.deaths('a') == 1 and claims.take('a')
  assert claims.newest('a').number == 1 and claims.deaths('a') == 1
  claims.give('a', LEFT)
  assert claims.deaths('a') == 1 and claims.deaths('a', after=0) == 0


@pytest.mark.parametrize('since', ['2020-01-01T00:00:00+00:00', '2099-01-01T00:00:00+00:00'])
def test_an_owner_of_another_machine_is_dead_after_it_stood_still_by_our_clock(folder, since):
  """Its own clock may be off by years, and so may that of the file server."""
  path = write_foreign(folder, since=since)
  os.utime(path, (0, 0))
  claims = Claims(folder, **SOON)
  started = time.monotonic()
  while not claims.take('a'):
    assert time.monotonic() - started < 5
    time.sleep(0.02)
  assert time.monotonic() - started >= SOON['patience']


def test_an_owner_of_another_machine_that_beats_keeps_it(folder):
  claims = Claims(folder, **SOON)
  for beat in range(12):
    write_foreign(folder, beat=beat)
    assert not claims.take('a')
    time.sleep(0.1)


def test_a_claim_that_was_made_and_not_written_is_somebodys(folder):
  folder.mkdir()
  (folder / 'a.0').touch()
  claims = Claims(folder, **SOON)
  assert not claims.take('a')
  time.sleep(0.5)
  assert claims.take('a')


def test_it_beats_while_it_is_held_and_no_longer(folder):
  claims = Claims(folder, **SOON)
  assert claims.take('a')
  heart = claims._heart
  time.sleep(0.5)
  assert claims.newest('a').beat >= 3
  claims.give('a')
  heart.join(5)
  assert not heart.is_alive() and claims.newest('a').end == LEFT


def test_one_that_gave_no_sign_for_too_long_writes_nothing_any_more(folder, monkeypatch):
  """As after SIGSTOP and SIGCONT: by then another machine has the next number."""
  claims = Claims(folder, beat=600, patience=60)
  assert claims.take('a')
  claims.check()
  write_foreign(folder, number=1)
  claims.check()  # it has just beaten, so nobody can have had the right
  now = module._now()
  monkeypatch.setattr(module, '_now', lambda: now + 31)
  with pytest.raises(Superseded, match='Another process took over a, since this one gave no sign'):
    claims.check()
  with pytest.raises(Superseded):  # once lost, it stays so
    claims.check()


def test_a_beat_that_finds_a_newer_claim_is_the_last(folder):
  claims = Claims(folder, **SOON)
  assert claims.take('a')
  write_foreign(folder, number=1)
  time.sleep(0.3)
  with pytest.raises(Superseded):
    claims.check()
  assert claims.at('a', 0).beat <= 1 and claims.newest('a').owner['host'] == 'far'


def test_a_full_disk_stops_no_heart(folder):
  class Full(Disk):
    fails = False

    def write(self, path, content):
      if self.fails:
        raise OSError(28, 'No space left on device')
      super().write(path, content)

  disk = Full()
  claims = Claims(folder, disk=disk, **SOON)
  assert claims.take('a')
  disk.fails = True
  time.sleep(0.2)
  disk.fails = False
  time.sleep(0.2)
  assert claims._heart.is_alive() and claims.newest('a').beat >= 1


def reach(folder, names, pipe):
  claims = Claims(folder)
  pipe.recv()
  pipe.send([name for name in names if claims.take(name)])
  time.sleep(600)


def test_of_several_processes_that_reach_at_once_one_gets_it(folder):
  context, names = multiprocessing.get_context('spawn'), [f'name{i}' for i in range(300)]
  pipes = []
  for _ in range(4):
    ours, theirs = context.Pipe()
    context.Process(target=reach, args=(folder, names, theirs), daemon=True).start()
    pipes.append(ours)
  for pipe in pipes:
    pipe.send('go')
  taken = [name for pipe in pipes for name in pipe.recv()]
  for child in multiprocessing.active_children():
    child.kill()
  assert sorted(taken) == sorted(names)


class Late(Disk):
  """A network file system as one of its clients sees it: listings and contents that are a while old.

  What is created is the server's, as O_EXCL is.
  """

  def __init__(self, seed: int):
    self.random, self.listings, self.contents = random.Random(seed), [], {}

  def names(self, folder):
    self.listings = [*self.listings[-20:], super().names(folder)]
    return self.random.choice(self.listings)

  def read(self, path):
    self.contents[path] = [*self.contents.get(path, [])[-20:], super().read(path)]
    return self.random.choice(self.contents[path])


@pytest.mark.parametrize('seed', range(5))
def test_late_news_gives_nobody_what_another_one_has(folder, seed):
  """Clients of a slow network file system take and give at random; no two of them ever have the same."""
  draw, holders = random.Random(seed), {}
  clients = [Claims(folder, disk=Late(seed * 10 + i), beat=600, patience=600) for i in range(4)]
  taken = 0
  for _ in range(1500):
    client, name = draw.choice(clients), draw.choice('ab')
    if holders.get(name) is client:
      client.give(name)
      del holders[name]
    elif client.take(name):
      assert name not in holders, f'two have {name}'
      holders[name], taken = client, taken + 1
  assert taken > 100


def test_a_killed_owner_of_another_machine_is_outwaited_by_whoever_wants_it_alone(folder):
  """As after a reboot: `train` takes its training up again, once the claim has stood still."""
  write_foreign(folder)
  with Claims(folder, **SOON).alone('a'):
    pass
  path = write_foreign(folder, name='b')
  beating = threading.Timer(0.2, lambda: write_foreign(folder, name='b', beat=1))
  beating.start()
  with (
    pytest.raises(BadSetting, match=r'works at b .*process 1 of far'),
    Claims(folder, patience=30).alone('b'),
  ):
    pass
  assert path.exists()


def test_a_machine_that_slept_takes_nothing_from_an_owner_that_slept_with_it(folder, monkeypatch):
  """The clock of the owner goes on while the machine sleeps; that of whoever waits does not."""
  write_foreign(folder)
  claims = Claims(folder, beat=600, patience=60)
  assert not claims.take('a')
  now = module._now()
  monkeypatch.setattr(module, '_now', lambda: now + 3600)
  assert not claims.take('a')


def test_an_owner_that_the_system_does_not_show_is_not_dead(folder, monkeypatch):
  """As another user's process under hidepid."""
  mine, other = Claims(folder, **SOON), Claims(folder, **SOON)
  assert mine.take('a')
  monkeypatch.setattr(owner, '_started', lambda pid: owner.UNKNOWN)
  assert not other.take('a')


def test_what_is_held_is_given_back_before_a_forced_end(folder):
  claims = Claims(folder)
  assert claims.take('a') and claims.take('a')
  claims.leave()
  assert claims.newest('a').end == LEFT and claims.deaths('a') == 0 and claims in LEAVING


@pytest.mark.parametrize(
  'text', ['', 'null', '[]', '{}', '{"owner": {}}', '{"owner": 3, "note": {}, "beat": 0}', 'xx']
)
def test_a_claim_that_is_none_is_somebodys_for_a_while(folder, text):
  folder.mkdir()
  (folder / 'a.0').write_text(text)
  claims = Claims(folder, **SOON)
  assert not claims.take('a') and claims.newest('a').who == 'a process'
  time.sleep(0.5)
  assert claims.take('a')


def test_a_claim_that_a_full_disk_cuts_off_is_none(folder, monkeypatch):
  def fail(*words):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(claim_files.os, 'fdopen', fail)
  with pytest.raises(OSError):
    Claims(folder).take('a')
  monkeypatch.undo()
  assert not list(folder.iterdir()) and Claims(folder).take('a')
