"""What is written for Kubernetes, against the official schemas and the rules that those do not hold."""

import copy
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.cli import command
from support.kubernetes_api import OneJob
from support.sweep import grid_of, planned

from ssl_bench.grid import manifest
from ssl_bench.grid.engines.cluster import Cluster
from ssl_bench.grid.engines.engine import Work
from ssl_bench.grid.engines.kubernetes import Kubernetes, jobs
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import AGAIN, CRASHED
from ssl_bench.trial.run_folder import RunFolder

kubernetes_validate = pytest.importorskip(
  'kubernetes_validate', reason="The schemas are not installed: pip install 'ssl_bench[dev]'"
)

VERSIONS = '1.31', kubernetes_validate.latest_version()  # from which `backoffLimitPerIndex` is no longer beta
GRID = 'name: small\nbase: configs\nblocks: [{method: [supervised, simclr], labels: [20, 40], seed: [0, 1]}]'
ALL = {
  'workers': 3,
  'cpus': 4,
  'gpus': 2,
  'memory': '16G',
  'notice': 45,
  'image': 'registry.example/ssl-bench:1',
  'claim': 'runs',
  'queue': 'research',
  'namespace': 'mine',
}


@pytest.fixture
def work(tmp_path):
  run_folder = RunFolder(tmp_path / 'runs/Small_Grid')
  todo, _ = planned(grid_of(tmp_path, GRID), run_folder)
  return Work(manifest.write(todo, run_folder.manifests), todo, run_folder, 8, 0)


@pytest.fixture
def both(work, tmp_path, monkeypatch):
  monkeypatch.setenv('SSL_BENCH_DATA', str(tmp_path / 'data'))
  monkeypatch.delenv('TFDS_DATA_DIR', raising=False)
  return jobs(work, Cluster(**ALL, mount=str(tmp_path)))


@pytest.mark.parametrize('version', VERSIONS)
def test_both_jobs_are_what_the_official_schemas_say(both, work, tmp_path, version):
  few = Cluster(image='one', claim='runs', mount=str(tmp_path))
  for job in (*both, *jobs(work, few)):
    kubernetes_validate.validate(yaml.safe_load(yaml.safe_dump(job)), version, strict=True)


BROKEN = {
  'a count that is a word': (('spec', 'completions'), 'three'),
  'a setting that is none': (('spec', 'backofLimitPerIndex'), 3),
  'a rule without an action': (('spec', 'podFailurePolicy', 'rules', 0), {}),
  'a command that is one word': (('spec', 'template', 'spec', 'containers', 0, 'command'), 'ssl-bench'),
  'a volume without a claim': (('spec', 'template', 'spec', 'volumes', 0, 'persistentVolumeClaim'), {}),
}


@pytest.mark.parametrize('case', BROKEN)
def test_the_schemas_refuse_a_broken_job(both, case):
  (*way, last), value = BROKEN[case]
  job = copy.deepcopy(both[0])
  place = job
  for name in way:
    place = place[name]
  place[last] = value
  with pytest.raises(kubernetes_validate.ValidationError):
    kubernetes_validate.validate(job, VERSIONS[-1], strict=True)


def test_workers_are_indexed_and_only_what_is_their_fault_counts(both, work, tmp_path):
  job, board = both
  spec, pod = job['spec'], job['spec']['template']['spec']
  assert spec['completionMode'] == 'Indexed' and spec['completions'] == spec['parallelism'] == 3
  assert spec['backoffLimitPerIndex'] == 3 and pod['restartPolicy'] == 'Never'  # the failure policy needs it
  rules = [
    (rule['action'], rule.get('onExitCodes', {}).get('values') or rule['onPodConditions'][0]['type'])
    for rule in spec['podFailurePolicy']['rules']
  ]
  assert rules == [('Ignore', 'DisruptionTarget'), ('Ignore', [AGAIN]), ('FailIndex', [1, 2])]
  assert CRASHED not in (AGAIN, 1, 2)  # no rule: it counts, and the pod is started again three times
  (container,) = pod['containers']
  names = {rule['onExitCodes']['containerName'] for rule in spec['podFailurePolicy']['rules'][1:]}
  assert names == {container['name']}
  assert container['command'][1:] == [
    'work',
    str(work.run_folder.path),
    '--manifest',
    str(work.path),
    '--pull',
    '--gpus',
    '2',
  ]
  assert container['env'] == [{'name': 'SSL_BENCH_DATA', 'value': str(tmp_path / 'data')}]
  assert pod['terminationGracePeriodSeconds'] == 45
  needs = container['resources']
  assert needs['requests'] == {'cpu': '4', 'memory': f'{16 * 2**20}Ki'}
  assert needs['limits'] == {'memory': f'{16 * 2**20}Ki', 'nvidia.com/gpu': '2'}
  assert pod['volumes'][0]['persistentVolumeClaim'] == {'claimName': 'runs'}
  assert container['volumeMounts'][0]['mountPath'] == str(tmp_path)
  for one in both:
    assert one['metadata']['labels']['kueue.x-k8s.io/queue-name'] == 'research' and one['spec']['suspend']
    assert one['metadata']['namespace'] == 'mine'
    assert re.fullmatch(r'small-grid-[0-9a-f]{8}(-board)?', one['metadata']['name'])
  assert 'nvidia.com/gpu' not in str(board) and 'completionMode' not in board['spec']


def test_there_are_no_more_workers_than_trainings(work, tmp_path):
  job, _ = jobs(work, Cluster(workers=500, image='one', claim='runs', mount=str(tmp_path)))
  assert job['spec']['completions'] == len(work.todo.tasks) == 6
  assert 'suspend' not in job['spec'] and 'namespace' not in job['metadata']


def test_what_a_pod_would_not_find_is_refused(work, tmp_path, monkeypatch):
  with pytest.raises(BadSetting, match='needs image and mount'):
    jobs(work, Cluster(claim='runs'))
  good = {'image': 'one', 'claim': 'runs'}
  with pytest.raises(BadSetting, match='is not below /elsewhere, where the volume is mounted'):
    jobs(work, Cluster(**good, mount='/elsewhere'))
  monkeypatch.setenv('TFDS_DATA_DIR', '/data')
  with pytest.raises(BadSetting, match='/data is not below'):
    jobs(work, Cluster(**good, mount=str(tmp_path)))


ENDS = {
  'Complete': [{}, {'Suspended': 'False'}, {'SuccessCriteriaMet': 'True'}, {'Complete': 'True'}],
  'Failed': [{}, {'FailureTarget': 'True'}, {'FailureTarget': 'True', 'Failed': 'True'}],
}


@pytest.mark.skipif(not shutil.which('kubectl'), reason='kubectl is not installed')
@pytest.mark.parametrize('end', ENDS)
def test_the_printed_command_returns_when_the_job_has_ended_well_or_not(end, work, tmp_path, capsys):
  """With a real kubectl; the pause between two questions is shorter."""
  Kubernetes(Cluster(image='one', claim='runs', mount=str(tmp_path), namespace='mine')).run(work)
  (line,) = (line for line in capsys.readouterr().out.splitlines() if 'until ' in line)
  name = f'small-grid-{work.path.stem[:8]}'
  with OneJob(tmp_path, 'mine', name, ENDS[end]) as job:
    words = ['bash', '-c', line.replace('sleep 10', 'sleep 0.1')]
    done = subprocess.run(words, env=job.environment, capture_output=True, text=True, timeout=60)
  assert (done.returncode, done.stdout) == (0, f'{end}\n'), done.stderr
  assert job.read == len(ENDS[end])


@pytest.mark.slow
def test_the_command_writes_them_and_what_they_run_ends_well(tmp_path, monkeypatch):
  """As the pods do: both commands of the files, one after the other."""
  monkeypatch.delenv('SSL_BENCH_DATA', raising=False)
  monkeypatch.delenv('TFDS_DATA_DIR', raising=False)
  grid_of(tmp_path, GRID)
  (tmp_path / 'cluster.yaml').write_text(f'image: one\nclaim: runs\nmount: {tmp_path}')
  words = ('grid', tmp_path / 'small.yaml', '--runs', tmp_path / 'runs', '--wandb=disabled', '--no-timing')
  out = command(*words, '--engine=kubernetes', '--cluster', tmp_path / 'cluster.yaml')
  assert 'nothing is applied' in out and not (tmp_path / 'runs/small/records').exists()
  paths = [Path(line.split()[-1]) for line in out.splitlines() if line.startswith('  kubectl apply -f ')]
  assert len(paths) == 2 and f'job/{paths[0].stem}' in out
  for path in paths:
    job = yaml.safe_load(path.read_text())
    kubernetes_validate.validate(job, VERSIONS[-1], strict=True)
    first, *rest = job['spec']['template']['spec']['containers'][0]['command']
    assert first == 'ssl-bench' and shlex.join(rest)
    command(*rest)
  assert len(RunFolder(tmp_path / 'runs/small').names()) == 8
  assert (tmp_path / 'runs/small/leaderboard/README.md').is_file()
