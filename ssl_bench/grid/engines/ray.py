"""Ray: a task of Ray Core for each worker, on whatever nodes of a cluster have room for it.

The command stays until nothing is left, since its tasks end with it.  A worker whose process or node dies is
started again, elsewhere if need be, as long as trials are left.  What Ray says of a worker is never taken for
what became of a trial.
"""

import math
import os
import secrets
import socket
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench.grid.engines.cluster import Cluster, gpus
from ssl_bench.grid.engines.engine import DATA, FALSE_STARTS, Outcome, Work
from ssl_bench.grid.engines.ray_node import GRACE, serve
from ssl_bench.settings import plural
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import AGAIN, CRASHED, Stop

EVERY = 2.0  # seconds between two looks at what is left
ALWAYS = {'RAY_BACKEND_LOG_LEVEL': 'error'}
OWN = {  # of a Ray of this machine
  'RAY_USAGE_STATS_ENABLED': '0',
  'RAY_worker_niceness': '0',  # as other workers of this machine have
  'RAY_AUTH_MODE': 'token',  # nobody else can use it; the token is in no file of the home folder
}
OBJECTS = 80 * 2**20  # bytes of shared memory of such a Ray, through which go exit codes alone


class Ray(NamedTuple):
  """Workers with the resources of a cluster file, for at most so many seconds."""

  cluster: Cluster
  seconds: float | None = None

  def run(self, work: Work) -> Outcome:
    """Works until nothing is left, no worker can begin, a signal arrives, or time is up.

    Raises `BadSetting` where there is no Ray, or no worker can do the work.
    """
    with connected(self.cluster) as ray, Stop(grace=None) as stop:
      crew = _Crew(ray, self.cluster, work)
      is_early = crew.run(stop, math.inf if self.seconds is None else time.monotonic() + self.seconds)
    if crew.cannot and not is_early and work.left():
      raise BadSetting(crew.cannot)
    return Outcome(exit_code=stop.exit_code if stop() else AGAIN if is_early else 0)


@contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
  """The module `ray`, connected to a cluster, or to a Ray of this machine that leaves no file behind."""
  address = cluster.address or os.environ.get('RAY_ADDRESS')
  own = {} if address else OWN | {'RAY_AUTH_TOKEN': secrets.token_hex(32)}
  for name, value in (ALWAYS | own).items():
    os.environ.setdefault(name, value)  # Ray reads them as it is imported
  try:
    import ray
  except ImportError:
    raise BadSetting("--engine ray needs Ray: pip install 'ssl_bench[ray]'.") from None
  _check_answer(address)
  with tempfile.TemporaryDirectory(prefix='ray-', ignore_cleanup_errors=True) as folder:
    here: dict[str, Any] = {'include_dashboard': False, 'object_store_memory': OBJECTS, '_temp_dir': folder}
    try:
      with warnings.catch_warnings(action='ignore', category=RuntimeWarning):  # it forks to start its daemons
        ray.init(address or 'local', log_to_driver=False, logging_level=ERROR, **({} if address else here))
    except (ConnectionError, RuntimeError, ValueError) as error:
      said = ' '.join(str(error).split()).partition('. ')[0].rstrip('.')
      is_asked = 'RAY_AUTH_MODE' in os.environ
      hint = '' if is_asked else ' A cluster with a token needs: export RAY_AUTH_MODE=token.'
      raise BadSetting(f'No Ray answers at {address or "this machine"}: {said}.{hint}') from None
    try:
      _check_room(ray, cluster, is_own=not address)
      yield ray
    finally:
      ray.shutdown()


def _check_answer(address: str | None) -> None:
  """Raises `BadSetting` where nobody answers at an address, for which Ray itself waits several minutes."""
  host, _, port = (address or '').removeprefix('ray://').rpartition(':')
  if not (host and port.isdigit()):  # such as auto
    return
  try:
    socket.create_connection((host.strip('[]'), int(port)), timeout=10).close()
  except OSError as error:
    raise BadSetting(f'No Ray answers at {address}: {error.strerror or error}.') from None


def _check_room(ray: Any, cluster: Cluster, *, is_own: bool) -> None:
  """Says so where no node has what a worker needs; raises `BadSetting` where no other one can come."""
  needs = {'CPU': cluster.cpus, 'GPU': cluster.gpus, 'memory': cluster.bytes or 0}
  nodes = [node['Resources'] for node in ray.nodes() if node['Alive']]
  if any(all(node.get(name, 0) >= count for name, count in needs.items()) for node in nodes):
    return
  told = f'No node of Ray has what a worker needs ({_told(cluster)})'
  if is_own:
    raise BadSetting(f'{told}; lower it, or name a cluster by its address.')
  print(f'{told}; workers wait for one.', flush=True)


def _told(cluster: Cluster) -> str:
  memory = f', memory {cluster.memory}' if cluster.memory else ''
  return f'cpus {cluster.cpus}, gpus {cluster.gpus}{memory}'


class _Crew:
  """The workers that a command has on Ray."""

  def __init__(self, ray: Any, cluster: Cluster, work: Work):
    self.ray, self.work = ray, work
    self.count = min(cluster.workers, len(work.todo.tasks))
    self.logs = (work.run_folder.path / 'ray').absolute()
    self.logs.mkdir(exist_ok=True)
    self.words = ['work', str(work.run_folder.path.absolute()), '--manifest', str(work.path.absolute())]
    self.words += ['--pull', *(['--shared'] if self.count > 1 else []), *gpus(cluster)]
    threads = {name: str(cluster.cpus) for name in ('NPROC', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS')}
    self.environment = threads | {name: os.environ[name] for name in DATA if name in os.environ}
    resources = {'num_cpus': cluster.cpus, 'num_gpus': cluster.gpus, 'memory': cluster.bytes}
    self.start = ray.remote(serve).options(**resources, max_retries=0, scheduling_strategy='SPREAD')
    self.running: dict[Any, tuple[int, int]] = {}  # what Ray calls a worker -> its number, claims as it began
    self.false_starts = 0  # in a row
    self.cannot = ''  # why a worker cannot do the work
    print(f'{self.count} workers on Ray ({_told(cluster)}); their logs: {self.logs}', flush=True)

  def run(self, stop: Stop, end: float) -> bool:
    """Keeps the workers at it; returns whether it stopped while trials were left."""
    for number in range(self.count):
      self._start(number)
    told, left = '', self.work.left()
    while self.running and left and not stop() and time.monotonic() < end:
      if (now := f'{plural.count(left, "trial")} left') != told:
        print(now, flush=True)
        told = now
      ended, _ = self.ray.wait(list(self.running), timeout=EVERY)
      left = self.work.left()
      for worker in ended:
        self._bury(worker, left)
    is_early = bool(self.running and left)
    self._stop()
    return is_early

  def _start(self, number: int) -> None:
    worker = self.start.remote(self.words, self.environment, str(self._log(number)))
    self.running[worker] = number, self._claims()

  def _claims(self) -> int:
    """How many claims there have been."""
    return sum(1 + newest for newest in self.work.run_folder.claims.all().values())

  def _log(self, number: int) -> Path:
    return self.logs / f'{self.work.path.stem}.{number}.out'

  def _last_line(self, number: int) -> str:
    """What a worker said last, where its log is to be seen here."""
    try:
      return ''.join(self._log(number).read_text(encoding='utf-8', errors='replace').splitlines()[-1:])
    except OSError:
      return ''

  def _bury(self, worker: Any, left: int) -> None:
    """A worker ended: another takes its place where trials are left, unless none can even begin one."""
    number, claims = self.running.pop(worker)
    try:
      code = self.ray.get(worker)
    except self.ray.exceptions.RayError as error:
      code, why = None, f'its node or its process is gone ({type(error).__name__})'
    else:
      said = self._last_line(number).removeprefix('ssl-bench: ')
      told = f' ({said.rstrip(".")})' if said and code in (1, CRASHED) else ''
      why = f'its process ended with code {code}{told}'
    if not left or code == 0:
      return
    if code == 1:  # as it says, what is left is nothing that anybody takes up
      print(f'Worker {number}: {why}.', flush=True)
      return
    if code == 2:
      self.cannot = said or f'Worker {number}: {why}.'
      return
    self.false_starts = self.false_starts + 1 if self._claims() == claims else 0
    if self.false_starts < FALSE_STARTS:
      print(f'Worker {number}: {why}; another one takes its place.', flush=True)
      self._start(number)
    else:
      self.cannot = f'Workers die before they begin: {why}; see {self.logs}.'

  def _stop(self) -> None:
    """Asks what still runs or waits to save and end."""
    for worker in self.running:
      self.ray.cancel(worker)
    if self.running:
      self.ray.wait(list(self.running), num_returns=len(self.running), timeout=GRACE + 5)
