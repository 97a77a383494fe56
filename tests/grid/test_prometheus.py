"""A real Prometheus reads a grid while it runs; its alert rules and the dashboard ask for what there is."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support import live
from support.cli import ROOT, start, write_configs
from support.mlflow_server import free_port

from ssl_bench.grid import follow
from ssl_bench.grid.follow import following
from ssl_bench.records import trackers
from ssl_bench.settings.signature import BadSetting

FILES = ROOT / 'docs/monitoring'
needs_prometheus = pytest.mark.skipif(
  not (shutil.which('prometheus') and shutil.which('promtool')),
  reason='Prometheus is not installed; .ci/run installs it from Debian',
)


def read(port):
  """What the exporter at a port says: name -> [(labels, value)]; nothing while it does not answer."""
  try:
    with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=10) as answer:
      families = list(text_string_to_metric_families(answer.read().decode()))
  except OSError:
    return {}
  found = {}
  for sample in (sample for family in families for sample in family.samples):
    found.setdefault(sample.name, []).append((sample.labels, sample.value))
  return found


@pytest.mark.slow
def test_the_numbers_are_those_of_the_journals_and_records(tmp_path, monkeypatch):
  monkeypatch.setattr(follow, 'PATIENCE', 60.0)
  path = write_configs(tmp_path / 'c') / 'fixmatch.yaml'
  folder, port = tmp_path / 'mine', free_port()
  known, other = live.known_of(path), live.known_of(path, 'seed=1')
  live.record_of(folder, other, 2, status='diverged', error='no', metrics={})
  chosen = trackers.parse(f'prometheus(port={port}, host=127.0.0.1)')
  chosen.check()
  with following([chosen], folder):
    with live.journal_of(folder, known) as journal:
      live.wait_until(lambda: read(port).get('ssl_bench_trials'))  # what came before is not counted
      live.log(journal, 2, 4, look=(4,))
      found = live.wait_until(lambda: (r := read(port)).get('ssl_bench_images_per_second') and r)
      ((labels, step),) = found['ssl_bench_step']
      assert labels == {'grid': 'mine', 'id': known['id'], 'trial': 'fixmatch, 20 labels, seeds 0/0'}
      assert step == 4 and found['ssl_bench_steps'] == [(labels, 12)]
      assert found['ssl_bench_loss'] == [(labels, 0.25)]
      assert found['ssl_bench_gradient_norm'] == [(labels, 2.0)]
      assert found['ssl_bench_evaluation'] == [({**labels, 'name': 'test_accuracy'}, 0.04)]
      assert found['ssl_bench_device_memory_bytes'] == [({**labels, 'device': 'cpu:0'}, 10)]
      assert abs(found['ssl_bench_last_sign_timestamp_seconds'][0][1] - time.time()) < 60
      assert found['ssl_bench_trained_images_total'][0][1] == 2 * 48
      assert 0 <= {d['device']: v for d, v in found['ssl_bench_device_utilization_ratio']}['cpu'] <= 1
      states = lambda: {labels['state']: int(n) for labels, n in read(port)['ssl_bench_trials'] if n}
      assert states() == {'running': 1, 'diverged': 1}
      with pytest.raises(BadSetting, match=f'Port {port} of 127.0.0.1 cannot be had'):
        chosen.check()
      live.record_of(folder, known, 2, 4)
    live.wait_until(lambda: states() == {'done': 1, 'diverged': 1})
    assert 'ssl_bench_step' not in read(port)


def test_no_step_is_counted_twice_and_none_of_before(tmp_path):
  from ssl_bench.records.trackers._exporter import Exporter

  known = live.known_of(write_configs(tmp_path / 'c') / 'fixmatch.yaml')
  run, before = trackers.Run(known['id'], known, {}, ''), time.time()
  exporter = Exporter('127.0.0.1', free_port())
  now = time.time()
  rows = [(2, before - 9), (4, before - 8), (6, now), (8, now + 1), (6, now + 2), (8, now + 3), (10, now + 4)]
  try:
    for count in 5, 7:  # the trial is left, and goes on
      exporter.start(run)
      for step, at in rows[:count]:
        exporter.log(run, trackers.Row(step, 'curve', {'loss': 0.5}, at, 48, None))
      exporter.end(run, None)
    assert (exporter.steps, exporter.images) == (6, 6 * 48)
  finally:
    exporter.close()


@contextmanager
def prometheus(folder, port):
  """A Prometheus that reads the exporter at a port; a function that asks it."""
  own = free_port()
  config = (FILES / 'prometheus.yml').read_text().replace('localhost:9091', f'127.0.0.1:{port}')
  (folder / 'prometheus.yml').write_text(config.replace('5s', '1s'))
  shutil.copy(FILES / 'rules.yml', folder)
  words = [
    'prometheus',
    f'--config.file={folder / "prometheus.yml"}',
    f'--storage.tsdb.path={folder / "tsdb"}',
  ]
  words += [f'--web.listen-address=127.0.0.1:{own}']
  with open(folder / 'prometheus.log', 'wb') as log:
    server = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder)

  def ask(path, **query):
    address = f'http://127.0.0.1:{own}/api/v1/{path}?{urllib.parse.urlencode(query)}'
    try:
      with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)['data']
    except OSError:
      return {'result': []}

  try:
    yield ask
  finally:
    server.terminate()
    server.wait(30)


@pytest.mark.slow
@needs_prometheus
def test_a_prometheus_reads_a_grid_while_it_runs(tmp_path):
  steps = 'steps: 100000\nlog_every: 200\nevaluate: {every: 1000}\ncheckpoint: {every: 100000}'
  write_configs(tmp_path / 'configs', steps)
  (tmp_path / 'mine.yaml').write_text('base: configs\nblocks: [{method: [fixmatch, supervised]}]')
  port = free_port()
  runs = ('--runs', tmp_path / 'runs', '--wandb=disabled', '--workers=1', f'--metrics-port={port}')
  with prometheus(tmp_path, port) as ask:
    grid = start('grid', tmp_path / 'mine.yaml', *runs)
    try:
      value = lambda query: ask('query', query=query)['result']
      (loss,) = live.wait_until(lambda: value('ssl_bench_loss'), seconds=240)
      assert loss['metric']['grid'] == 'mine' and float(loss['value'][1]) > 0
      assert re.fullmatch('(fixmatch|supervised), 20 labels, seeds 0/0', loss['metric']['trial'])
      live.wait_until(lambda: value('ssl_bench_images_per_second > 0'))
      live.wait_until(lambda: value('rate(ssl_bench_trained_images_total[10s]) > 0'))
      states = {one['metric']['state']: int(one['value'][1]) for one in value('ssl_bench_trials > 0')}
      assert states == {'running': 1, 'to do': 1}
      for query in queries():
        assert value(query) or 'evaluation' in query, query
      assert not [one for one in ask('rules')['groups'][0]['rules'] if one['health'] == 'err']
    finally:
      grid.terminate()
      out, errors = grid.communicate(timeout=120)
  assert grid.returncode == 128 + 15, out + errors


def queries():
  """What the panels of the dashboard ask, for all instances and grids."""
  panels = json.loads((FILES / 'dashboard.json').read_text())['panels']
  asked = [target['expr'] for panel in panels for target in panel['targets']]
  return [re.sub(r'\$\w+', '.*', text) for text in asked]


@needs_prometheus
def test_the_rules_are_sound_and_fire_when_they_should():
  for words in (['check', 'rules', 'rules.yml'], ['test', 'rules', 'rules.test.yml']):
    done = subprocess.run(['promtool', *words], cwd=FILES, capture_output=True, text=True)
    assert not done.returncode, done.stdout + done.stderr


def test_rules_and_dashboard_name_numbers_that_there_are():
  from ssl_bench.records.trackers._exporter import Exporter

  exporter = Exporter('127.0.0.1', free_port())
  try:
    there = {f'{one.name}{"_total" * (one.type == "counter")}' for one in exporter.collect()}
  finally:
    exporter.close()
  for text in ((FILES / 'rules.yml').read_text(), *queries()):
    assert set(re.findall(r'ssl_bench_\w+', text)) <= there


def test_a_port_that_is_taken_is_refused_before_anything_runs(tmp_path):
  with socket.socket() as taken:
    taken.bind(('0.0.0.0', 0))
    taken.listen()
    with pytest.raises(BadSetting, match=r'choose another --metrics-port'):
      trackers.parse(f'prometheus(port={taken.getsockname()[1]})').check()
