"""Two processes with one device each give what one process with two gives, whoever stops or dies."""

import shutil
import signal
import time

import pytest
from support.cli import command, records, start, write_configs
from support.gang import DEVICES, FAST, checkpoints, ends, run_gang, start_gang, wait
from support.sweep import grid_of

from ssl_bench.gang import PATIENCE
from ssl_bench.grid.expand import expand
from ssl_bench.grid.run import prepare
from ssl_bench.records.record import read_with_curves
from ssl_bench.trial.claims import LEFT
from ssl_bench.trial.run_folder import RunFolder

pytestmark = pytest.mark.slow
TWO_DEVICES = {'XLA_FLAGS': f'{FAST} {DEVICES}2', 'NPROC': '16'}
GRID = """
name: small
base: configs
blocks:
  - {method: [fixmatch, simclr], net: {name: mlp, widths: [16, 8]}}
  - {method: deep_label_propagation, labels: [20, 40], steps: 40, evaluate.every: 20, log_every: 8}
  - {method: label_propagation}
  - {method: distill, teacher: {method: supervised}}
  - {method: supervised, federated: {clients: 4, participation: 0.5, local_steps: 2}, log_every: 4}
  - {method: supervised, private: {clip: 1.0, noise: 1.0}, labels: 100, net.norm: group}
"""


def whole(folder):
  """The records of a run folder with their curves, without clocks and machines."""
  curves = {path.stem: read_with_curves(path) for path in (folder / 'records').glob('*.json')}
  drawn = {name: (one['curve'], one['evaluations']) for name, one in curves.items()}
  return records(folder / 'records'), drawn


def test_a_worker_of_two_processes_records_what_one_with_two_devices_does(tmp_path):
  grid = grid_of(tmp_path, GRID)
  for name in ('one', 'two'):
    run_folder = RunFolder(tmp_path / name)
    words = ('work', run_folder.path, '--manifest', prepare(grid, run_folder).path, '--pull')
    if name == 'one':
      command(*words, **TWO_DEVICES)
    else:
      out = run_gang(*words)
      assert out.count(': accuracy ') == len(grid.configs), out
      assert 'accuracy' not in run_gang(*words)  # nothing is left
  one, two = whole(tmp_path / 'one'), whole(tmp_path / 'two')
  assert len(one[0]) == len(grid.configs) and {r['status'] for r in one[0].values()} == {'done'}
  assert one == two
  paths = (tmp_path / 'two/records').glob('*.json')
  devices = [read_with_curves(path)['environment']['device'] for path in paths]
  assert {(device['count'], device['processes']) for device in devices} == {(2, 2)}
  assert not list((tmp_path / 'two').glob('failures/*'))


LONG = """
steps: 1200
net: {name: mlp, widths: [16, 8]}
log_every: 100
evaluate: {every: 600, bootstrap: 100}
checkpoint: {every: 100}
"""


class Trial:
  """A trial of some seconds, once in a run folder for each way to train it."""

  def __init__(self, folder):
    self.folder = folder
    self.config = write_configs(folder / 'configs', LONG) / 'fixmatch.yaml'

  def words(self, name):
    return 'train', self.config, '--runs', self.folder / name, '--wandb=disabled'

  def runs(self, name):
    return RunFolder(self.folder / name / 'train')

  def begun(self, name):
    """Processes that have trained for a while."""
    gang = start_gang(*self.words(name))
    wait(lambda: checkpoints(self.runs(name).path), gang)
    return gang

  def claim(self, name):
    claims = self.runs(name).claims
    (training,) = claims.all()
    return claims.newest(training)


@pytest.fixture(scope='module')
def trial(tmp_path_factory):
  """The trial, trained to its end by one process with two devices as `whole`."""
  trial = Trial(tmp_path_factory.mktemp('gang'))
  command(*trial.words('whole'), **TWO_DEVICES)
  return trial


def test_a_stop_of_one_process_stops_all_at_one_step_and_any_number_goes_on(trial):
  one = start(*trial.words('stopped'), **TWO_DEVICES)
  wait(lambda: checkpoints(trial.runs('stopped').path), [one])
  one.send_signal(signal.SIGTERM)
  assert ends([one], 20)[0][0] == 128 + signal.SIGTERM
  first = checkpoints(trial.runs('stopped').path)[-1]
  gang = start_gang(*trial.words('stopped'))
  wait(lambda: checkpoints(trial.runs('stopped').path)[-1] > first, gang)
  gang[1].send_signal(signal.SIGTERM)
  found = ends(gang, 20)
  assert [code for code, _ in found] == [75, 75], found
  step = checkpoints(trial.runs('stopped').path)[-1]
  assert f'Stopped at step {step}, which is saved' in found[0][1] and first < step < 1200
  assert trial.claim('stopped').end == LEFT
  command(*trial.words('stopped'), **TWO_DEVICES)
  assert whole(trial.runs('stopped').path) == whole(trial.runs('whole').path)


@pytest.mark.parametrize('victim', [0, 1])
def test_where_one_process_dies_the_other_ends_and_the_same_command_goes_on(trial, victim):
  name = f'killed-{victim}'
  gang = trial.begun(name)
  gang[victim].kill()
  found = ends(gang, PATIENCE + 10)
  code, said = found[1 - victim]
  assert found[victim][0] == -signal.SIGKILL and code in (75, -signal.SIGABRT), found
  assert 'since another one is gone' in said or 'another task died' in said
  claim = trial.claim(name)
  assert claim.end is None and not trial.runs(name).names()  # a death, as of a worker alone
  command(*trial.words(name), **TWO_DEVICES)
  assert trial.claim(name).number == claim.number + 1
  assert whole(trial.runs(name).path) == whole(trial.runs('whole').path)


def test_where_one_process_stands_still_the_other_ends(trial):
  gang = trial.begun('still')
  gang[1].send_signal(signal.SIGSTOP)
  started = time.monotonic()
  code, _ = ends(gang[:1], PATIENCE + 20)[0]
  assert code in (75, -signal.SIGABRT) and time.monotonic() - started > 1
  gang[1].send_signal(signal.SIGCONT)
  assert ends(gang[1:], PATIENCE)[0][0] in (75, -signal.SIGABRT)


NET = """
from ssl_bench.nets.mlp import mlp

def narrow(*, width: int = {width}):
  return mlp(widths=(width,))

PLUGINS = {{'nets': [narrow]}}
"""


@pytest.fixture
def unlike(tmp_path):
  """A folder for each process, whose file `own.py` differs in its code; and the config of a trial."""
  folders = [tmp_path / name for name in ('first', 'other')]
  for folder, width in zip(folders, (8, 9)):
    folder.mkdir()
    (folder / 'own.py').write_text(NET.format(width=width))
  return folders, write_configs(tmp_path / 'configs') / 'supervised.yaml'


def test_processes_with_other_code_refuse_a_trial(unlike, tmp_path):
  folders, config = unlike
  own = ('plugins=[own.py]', 'net={name: narrow, width: 8}')
  gang = start_gang('train', config, *own, '--runs', tmp_path / 'runs', folders=folders)
  for code, said in ends(gang):
    assert code == 2 and 'Traceback' not in said, said
    assert 'The 2 processes of this trial differ in their settings, data or code; start all with' in said
  assert not RunFolder(tmp_path / 'runs/train').names() and not checkpoints(tmp_path / 'runs/train')


def test_processes_with_other_code_refuse_the_work(unlike, tmp_path, monkeypatch):
  """As on two machines: the folder of whoever wrote the manifest is on neither."""
  folders, _ = unlike
  shutil.copytree(folders[0], tmp_path / 'gone')
  monkeypatch.chdir(tmp_path / 'gone')
  text = 'base: ../configs\nplugins: [own.py]\nblocks: [{method: supervised, net: {name: narrow, width: 8}}]'
  (tmp_path / 'gone/small.yaml').write_text(text)
  run_folder = RunFolder(tmp_path / 'runs')
  path = prepare(expand(tmp_path / 'gone/small.yaml'), run_folder).path
  monkeypatch.chdir(tmp_path)
  shutil.rmtree(tmp_path / 'gone')
  gang = start_gang('work', run_folder.path, '--manifest', path, '--pull', folders=folders)
  for code, said in ends(gang):
    assert code == 2 and 'Traceback' not in said, said
    assert 'The 2 processes of this trial differ in their data or code; start all with the same.' in said
  assert not run_folder.names() and not checkpoints(run_folder.path)
  (training,) = run_folder.claims.all()
  assert run_folder.claims.newest(training).end == LEFT  # whoever has one code takes it up
