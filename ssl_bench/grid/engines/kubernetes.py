"""Kubernetes: an Indexed Job of workers, and a Job that builds the board, as files that a user applies.

Their form is batch/v1: https://kubernetes.io/docs/concepts/workloads/controllers/job/.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ssl_bench.grid.engines.cluster import Cluster, gpus
from ssl_bench.grid.engines.engine import DATA, Outcome, Work
from ssl_bench.records.disk import write_whole
from ssl_bench.settings import plural
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import AGAIN

EVERY = 10  # seconds between two questions of the command that waits
DEATHS = 3  # pods of a worker that may die or crash before no other one takes its place


class Kubernetes(NamedTuple):
  """A Job with the resources of a cluster file."""

  cluster: Cluster

  def run(self, work: Work) -> Outcome:
    """Writes the files, and prints the commands that apply them.

    Raises `BadSetting` where the cluster file lacks what a pod needs.
    """
    folder = (work.run_folder.path / 'kubernetes').absolute()
    paths = []
    for tree in jobs(work, self.cluster):
      paths.append(folder / f'{tree["metadata"]["name"]}.yaml')
      write_whole(paths[-1], yaml.safe_dump(tree, sort_keys=False))
    name = paths[0].stem
    space = f' --namespace {self.cluster.namespace}' if self.cluster.namespace else ''
    print(
      f'Two files hold {plural.count(len(work.todo.trials), "trial")}, and nothing is applied. The workers:\n'
      f'  kubectl apply -f {paths[0]}\n'
      f'How far they are: ssl-bench status {work.run_folder.path}\n'
      f'The board, when they have ended, which the first command waits for; it says Complete or Failed:\n'
      f'  {waiting(name, space)}\n'
      f'  kubectl apply -f {paths[1]}',
      flush=True,
    )
    return Outcome(goes_on=True)


def waiting(name: str, space: str) -> str:
  """The command that returns when a Job has ended, well or not; `kubectl wait` knows one condition alone."""
  asked = f'kubectl get job/{name}{space} -o jsonpath=\'{{.status.conditions[?(@.status=="True")].type}}\''
  return f"until {asked} | grep -Eow 'Complete|Failed'; do sleep {EVERY}; done"


def jobs(work: Work, cluster: Cluster) -> tuple[dict[str, Any], dict[str, Any]]:
  """The Job of the workers and that of the board, as plain data; raises `BadSetting`."""
  place = work.run_folder.path.absolute()
  missing = [name for name in ('image', 'claim', 'mount') if getattr(cluster, name) is None]
  if missing:
    raise BadSetting(f'The cluster file of --engine kubernetes needs {" and ".join(missing)}.')
  assert cluster.mount
  data = {name: os.environ[name] for name in DATA if name in os.environ}
  for path in (place, *map(Path, data.values())):
    if not path.is_absolute() or not path.is_relative_to(cluster.mount):
      raise BadSetting(
        f'{path} is not below {cluster.mount}, where the volume is mounted; choose another --runs or mount.'
      )
  name = f'{_label(place.name)}-{work.path.stem[:8]}'
  worker = ['work', str(place), '--manifest', str(work.path.absolute()), '--pull', *gpus(cluster)]
  count = min(cluster.workers, len(work.todo.tasks))
  failures = [
    {'action': 'Ignore', 'onPodConditions': [{'type': 'DisruptionTarget', 'status': 'True'}]},
    {'action': 'Ignore', 'onExitCodes': _codes(AGAIN)},  # it saved, and left before the end
    {'action': 'FailIndex', 'onExitCodes': _codes(1, 2)},  # it says why, and would say so again
  ]  # what dies or crashes counts, and is started again as often as the limit of its index says
  spec = {
    'completionMode': 'Indexed',
    'completions': count,
    'parallelism': count,
    'backoffLimitPerIndex': DEATHS,
    'podFailurePolicy': {'rules': failures},
  }
  board = ['leaderboard', '--records', str(place / 'records'), '--out', str(place / 'leaderboard')]
  few = cluster.model_copy(update={'gpus': 0})
  return (
    _job(name, cluster, spec, _pod('worker', worker, cluster, data)),
    _job(f'{name}-board', few, {'backoffLimit': DEATHS}, _pod('board', board, few, {})),
  )


def _job(name: str, cluster: Cluster, spec: dict[str, Any], pod: dict[str, Any]) -> dict[str, Any]:
  meta: dict[str, Any] = {'name': name, 'labels': {'app.kubernetes.io/name': 'ssl-bench'}}
  if cluster.namespace:
    meta['namespace'] = cluster.namespace
  if cluster.queue:  # Kueue lets it run when its queue has room
    meta['labels']['kueue.x-k8s.io/queue-name'] = cluster.queue
    spec = {'suspend': True, **spec}
  return {'apiVersion': 'batch/v1', 'kind': 'Job', 'metadata': meta, 'spec': {**spec, 'template': pod}}


def _pod(name: str, words: Sequence[str], cluster: Cluster, variables: dict[str, str]) -> dict[str, Any]:
  """A pod of one container that runs `ssl-bench` with the run folder's volume."""
  needs: dict[str, Any] = {'cpu': str(cluster.cpus)}
  limits: dict[str, Any] = {}
  if cluster.bytes:
    needs['memory'] = limits['memory'] = f'{cluster.bytes // 1024}Ki'
  if cluster.gpus:
    limits['nvidia.com/gpu'] = str(cluster.gpus)
  container = {
    'name': name,
    'image': cluster.image,
    'command': ['ssl-bench', *words],
    'env': [{'name': key, 'value': value} for key, value in variables.items()],
    'resources': {'requests': needs, 'limits': limits},
    'volumeMounts': [{'name': 'runs', 'mountPath': cluster.mount}],
  }
  spec = {
    'restartPolicy': 'Never',  # the failure policy asks for it
    'terminationGracePeriodSeconds': cluster.notice,
    'containers': [container],
    'volumes': [{'name': 'runs', 'persistentVolumeClaim': {'claimName': cluster.claim}}],
  }
  return {'spec': spec}


def _codes(*codes: int) -> dict[str, Any]:
  return {'containerName': 'worker', 'operator': 'In', 'values': list(codes)}


def _label(name: str) -> str:
  """A name as Kubernetes takes it: small letters, digits and dashes, with room for what is put after it."""
  return re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')[:40].strip('-') or 'grid'
