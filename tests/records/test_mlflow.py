"""MLflow, read back by its own client: from a real server on loopback, a local database and a folder."""

import importlib.util
import subprocess
import sys
import warnings

import pytest
from support import live, mlflow_server
from support.cli import write_configs

from ssl_bench.grid import follow, manifest
from ssl_bench.grid.follow import Folder, following
from ssl_bench.grid.manifest import Manifest
from ssl_bench.records import trackers
from ssl_bench.records.trackers import Row, Run
from ssl_bench.records.trackers import mlflow as track
from ssl_bench.settings.signature import BadSetting

needs_client = pytest.mark.skipif(
  not importlib.util.find_spec('mlflow'), reason="mlflow-skinny is not installed (pip install '.[mlflow]')"
)
needs_server = pytest.mark.skipif(
  not mlflow_server.command(), reason='no MLflow that serves; .ci/run installs one in .venv/mlflow'
)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
  monkeypatch.setattr(follow, 'PATIENCE', 120.0)
  for name in ('MLFLOW_TRACKING_URI', 'MLFLOW_EXPERIMENT_NAME'):
    monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope='module')
def server(tmp_path_factory):
  with mlflow_server.serving(tmp_path_factory.mktemp('server')) as address:
    yield address


@pytest.fixture
def known(tmp_path):
  return live.known_of(write_configs(tmp_path / 'c') / 'fixmatch.yaml')


@pytest.fixture
def store(tmp_path, monkeypatch):
  """A tracker whose runs are in a folder."""
  monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
  return trackers.parse(f'mlflow(uri={(tmp_path / "store").as_uri()})').tracker


def client_of(place):
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    from mlflow.tracking import MlflowClient

    return MlflowClient(place)


def run_of(client, name, project='ssl_bench'):
  """The run of a trial; None where there is none."""
  experiment = client.get_experiment_by_name(project)
  found = experiment and client.search_runs([experiment.experiment_id], f"tags.`ssl_bench.id` = '{name}'")
  assert not found or len(found) == 1
  return found[0] if found else None


def curve_of(client, run, name='train/loss'):
  return sorted((point.step, point.value) for point in client.get_metric_history(run.info.run_id, name))


@pytest.mark.slow
@needs_client
@needs_server
def test_a_server_sees_the_curve_while_it_trains_and_then_the_record(server, known, tmp_path):
  folder, name, client = tmp_path / 'mine', known['id'], client_of(server)
  chosen = trackers.parse(f'mlflow(uri={server}, project=mine)', tags=['night'])
  with following([chosen], folder):
    with live.journal_of(folder, known) as journal:
      live.log(journal, 2, 4, look=(4,))
      run = live.wait_until(
        lambda: (r := run_of(client, name, 'mine')) and 'evaluate/test_accuracy' in r.data.metrics and r
      )
      assert run.info.status == 'RUNNING' and curve_of(client, run) == [(2, 0.5), (4, 0.25)]
      assert run.data.params['method.threshold'] == '0.3' and run.data.params['optimizer.lr'] == '0.03'
      made = live.record_of(folder, known, 2, 4, 8, look=(4,))
    live.wait_until(lambda: run_of(client, name, 'mine').info.status == 'FINISHED')
  run = run_of(client, name, 'mine')
  assert curve_of(client, run) == [(2, 0.5), (4, 0.25), (8, 0.125)]
  assert run.data.metrics['accuracy'] == 0.75 and run.data.tags['classifier'] == 'own'
  assert run.data.tags['mlflow.runName'] == 'fixmatch fake 20 labels, seed 0/0'
  assert run.data.tags['ssl_bench.group'] == 'mine/fixmatch' and 'night' in run.data.tags['ssl_bench.tags']
  assert chosen.mirror([made], folder, [made]) == 0


@pytest.mark.slow
@needs_client
@needs_server
def test_a_run_that_was_left_goes_on_and_a_record_that_changed_takes_its_place(server, known, tmp_path):
  folder, name, client = tmp_path / 'mine', known['id'], client_of(server)
  chosen = trackers.parse(f'mlflow(uri={server}, project=left)')
  with (
    following([chosen], folder),
    pytest.raises(KeyboardInterrupt),
    live.journal_of(folder, known) as journal,
  ):
    live.log(journal, 2, 4)
    live.wait_until(lambda: (r := run_of(client, name, 'left')) and r.data.metrics.get('train/loss') == 0.25)
    raise KeyboardInterrupt
  left = run_of(client, name, 'left')
  assert left.info.status == 'KILLED'
  with following([chosen], folder), live.journal_of(folder, known) as journal:
    live.log(journal, 4, 6)
    live.wait_until(lambda: run_of(client, name, 'left').data.metrics['train/loss'] < 0.2)
    failed = live.record_of(folder, known, 2, 4, 6, status='failed', error='OSError: no', metrics={})
  run = run_of(client, name, 'left')
  assert (run.info.run_id, run.info.status) == (left.info.run_id, 'FAILED')
  assert curve_of(client, run) == [(2, 0.5), (4, 0.25), (6, 1 / 6)]
  assert chosen.mirror([failed], folder, [failed]) == 0
  made = live.record_of(folder, known, 2, 4)
  assert chosen.mirror([made], folder, [made]) == 1
  run = run_of(client, name, 'left')
  assert run.info.status == 'FINISHED' and curve_of(client, run) == [(2, 0.5), (4, 0.25)]


@pytest.mark.slow
@needs_client
@pytest.mark.parametrize('place', ['', 'file'])
def test_without_a_server_records_are_in_a_database_or_a_folder(place, known, tmp_path, monkeypatch):
  if not place and not importlib.util.find_spec('alembic'):
    pytest.skip('sqlalchemy and alembic are not installed')
  folder = tmp_path / 'mine'
  checkpoint = folder / 'checkpoints' / known['training'] / '12'
  checkpoint.mkdir(parents=True)
  (checkpoint / 'weights').write_text('weights')
  uri = f'uri={(tmp_path / "store").as_uri()}, ' if place else ''
  chosen = trackers.parse(f'mlflow({uri}artifacts=[checkpoint])')
  made = live.record_of(folder, known, 2, 4, look=(4,))
  assert chosen.mirror([made], folder, [made]) == 1 and chosen.mirror([made], folder, [made]) == 0
  monkeypatch.setenv('MLFLOW_ALLOW_FILE_STORE', 'true')
  client = client_of((tmp_path / 'store').as_uri() if place else f'sqlite:///{folder / "mlflow/mlflow.db"}')
  run = run_of(client, made['id'])
  assert run.info.status == 'FINISHED' and run.data.metrics['accuracy'] == 0.75
  assert curve_of(client, run, 'evaluate/test_accuracy') == [(4, 0.04)]
  assert (
    folder / 'mlflow/artifacts' / run.info.run_id / 'artifacts/checkpoint/weights'
  ).read_text() == 'weights'


@needs_client
def test_a_run_that_another_process_follows_is_left_alone(known, store, tmp_path):
  run = Run(known['id'], known, {}, '')
  first, second = store.follow(tmp_path), store.follow(tmp_path)
  for one in (first, second):
    one.start(run)
  for one in (second, first):
    one.log(run, Row(2, 'curve', {'loss': 0.5}, 1.0, 48, None))
  second.end(run, None)
  client = client_of(store.uri)
  found = run_of(client, known['id'])
  assert found.info.status == 'RUNNING' and len(curve_of(client, found)) == 1
  made = live.record_of(tmp_path, known, 2)
  assert store.mirror([made], tmp_path, [made]) == 0
  first.end(run, made)
  assert run_of(client, known['id']).info.status == 'FINISHED'


PARTS = {'loss': 0.5, 'loss/image_to_text': 0.25, 'retrieval/image_to_text@1': 0.75}


@needs_client
def test_numbers_whose_names_mlflow_refuses_are_there_under_others(known, store, tmp_path):
  run, client = Run(known['id'], known, {}, ''), client_of(store.uri)
  made = live.record_of(tmp_path, known, metrics={**live.METRICS, **PARTS}, curve=[{'step': 2, **PARTS}])
  follower = store.follow(tmp_path)
  follower.start(run)
  follower.log(run, Row(2, 'curve', PARTS, 1.0, 48, None))
  found = run_of(client, known['id']).data.metrics
  assert (found['train/loss'], found['train/loss.image_to_text']) == (0.5, 0.25)
  follower.end(run, made)
  found = run_of(client, known['id'])
  assert found.data.metrics['retrieval/image_to_text_1'] == 0.75 and found.info.status == 'FINISHED'
  assert curve_of(client, found, 'train/retrieval/image_to_text_1') == [(2, 0.75)]


@needs_client
def test_a_trial_that_mlflow_does_not_take_keeps_no_other_from_it(known, store, tmp_path):
  other = {**live.known_of(tmp_path / 'c/fixmatch.yaml', 'seed=1'), 'id': "it's no id"}
  first, second = Run(other['id'], other, {}, ''), Run(known['id'], known, {}, '')
  follower = store.follow(tmp_path)
  for run in (first, second):
    follower.start(run)
    follower.log(run, Row(2, 'curve', {'loss': 0.5}, 1.0, 48, None))
  follower.end(first, None)
  follower.close()
  assert curve_of(client_of(store.uri), run_of(client_of(store.uri), known['id'])) == [(2, 0.5)]
  follower.end(second, None)
  made = live.record_of(tmp_path, known, 2)
  records = [{**made, 'id': other['id']}, made]
  with pytest.warns(trackers.NotMirrored, match='MLflow mirrored 1 of 2 new records'):
    assert store.mirror(records, tmp_path, records) == 1


@needs_client
def test_a_run_whose_rows_are_not_those_of_the_record_is_made_anew(known, store, tmp_path):
  run, client, follower = Run(known['id'], known, {}, ''), client_of(store.uri), store.follow(tmp_path)
  follower.start(run)
  for step, loss in (2, 0.5), (4, 7.0):  # another training logged 7.0
    follower.log(run, Row(step, 'curve', {'loss': loss}, 1.0, 48, None))
  made = live.record_of(tmp_path, known, 2, 4)
  follower.end(run, made)
  assert curve_of(client, run_of(client, known['id'])) == [(2, 0.5), (4, 0.25)]
  assert store.mirror([made], tmp_path, [made]) == 0


@needs_client
def test_what_was_followed_is_not_mirrored_again_when_a_later_sweep_varies_more(known, store, tmp_path):
  manifest.write(Manifest('mine', {'fixmatch': []}, (), ()), tmp_path / 'manifests')
  folder = Folder(tmp_path, lambda: store.follow(tmp_path))
  with live.journal_of(tmp_path, known):
    folder.look()
    first = live.record_of(tmp_path, known, 2)
  folder.look()
  second = live.record_of(tmp_path, live.known_of(tmp_path / 'c/fixmatch.yaml', 'optimizer.lr=0.1'), 2)
  assert store.mirror([first, second], tmp_path, [first, second]) == 1


@pytest.mark.slow
@needs_client
def test_a_server_that_is_away_is_one_sentence(known, tmp_path, monkeypatch, capsys):
  made = live.record_of(tmp_path, known, 2)
  trackers.mirror_and_say([trackers.parse('mlflow(uri=http://127.0.0.1:9)')], [made], [made], tmp_path)
  errors = capsys.readouterr().err
  assert errors.startswith('ssl-bench: MLflow mirrored 0 of 1 new records (') and errors.count('\n') == 1


def test_without_the_package_a_sentence_names_the_extra(monkeypatch):
  monkeypatch.setattr(track, 'find_spec', lambda name: None)
  with pytest.raises(BadSetting, match=r"pip install 'ssl_bench\[mlflow\]'"):
    trackers.parse('mlflow').check()


def test_mlflow_is_not_imported_where_it_is_not_asked_for():
  code = 'import sys, ssl_bench.records.trackers.mlflow as m; m.mlflow(); print("mlflow" in sys.modules)'
  assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout == 'False\n'
