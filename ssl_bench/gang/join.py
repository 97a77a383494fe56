"""How the processes of a gang find each other: where the first one listens, how many there are."""

import os
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from ssl_bench import gang
from ssl_bench.gang.roll_call import call_roll
from ssl_bench.settings.signature import BadSetting

START = 60  # seconds in which all have to connect, once they are there
PARTING = 86_400  # seconds that the others wait at the end for the first, which mirrors what it recorded
PORTS = range(61440, 65536)  # above those that Linux gives to outgoing connections


class Place(NamedTuple):
  """One process of a gang."""

  host: str  # of the first process
  port: int
  processes: int
  process: int  # from 0

  @property
  def coordinator(self) -> str:
    return f'[{self.host}]:{self.port}' if ':' in self.host else f'{self.host}:{self.port}'


def place(
  coordinator: str | None,
  processes: int | None,
  process: int | None,
  environment: Mapping[str, str] = os.environ,
) -> Place | None:
  """The place of this process, or None for a process alone; raises `BadSetting` where settings are missing.

  Args:
    coordinator: HOST:PORT at which the first process listens, or `slurm` for a step of `srun`.
    processes: how many there are.
    process: which this one is, from 0; by default that of an Indexed Job of Kubernetes, if it is one.
    environment: variables of Slurm and Kubernetes.
  """
  if coordinator == 'slurm':
    return _in_slurm(environment)
  if process is None and coordinator and environment.get('JOB_COMPLETION_INDEX', '').isdecimal():
    process = int(environment['JOB_COMPLETION_INDEX'])
  given = {'--coordinator': coordinator, '--processes': processes, '--process': process}
  missing = [name for name, value in given.items() if value is None]
  if len(missing) == len(given):
    return None
  if coordinator is None or processes is None or process is None:
    raise BadSetting(
      f'{" and ".join(missing)} must be given too: a trial on several processes needs '
      '--coordinator HOST:PORT, --processes N and --process I.'
    )
  if not 0 <= process < processes:
    raise BadSetting(f'--process is 0 to {processes - 1} where --processes is {processes}, not {process}.')
  found = re.fullmatch(r'\[?([^\s\[\]]+?)\]?:(\d+)', coordinator)
  if not found or not 0 < int(found[2]) < 65536:
    raise BadSetting(f'--coordinator is HOST:PORT, such as node1:6000, or slurm, not {coordinator!r}.')
  return Place(found[1], int(found[2]), processes, process)


def _in_slurm(environment: Mapping[str, str]) -> Place:
  """The place of a task of a step of `srun`: the first one listens at a port that follows from the job."""
  names = ('SLURM_JOB_ID', 'SLURM_STEP_NODELIST', 'SLURM_NTASKS', 'SLURM_PROCID')
  try:
    job, nodes, processes, process = (environment[name] for name in names)
  except KeyError as error:
    raise BadSetting(
      f'--coordinator=slurm is for what srun starts, and {error.args[0]} is not set here; give HOST:PORT.'
    ) from None
  first = re.match(r'[^,\[]+(?:\[\d+)?', nodes)
  host = first[0].replace('[', '') if first else nodes
  try:
    socket.getaddrinfo(host, None)
  except OSError:  # a name that Slurm alone knows
    host = environment.get('SLURM_LAUNCH_NODE_IPADDR', host)
  return Place(host, PORTS[int(job) % len(PORTS)], int(processes), int(process))


@contextmanager
def joined(where: Place | None, seconds: float) -> Iterator[None]:
  """As one process of a gang, for as long as the context is open; nothing for a process alone.

  Raises `BadSetting` where the others are not there within some seconds.
  """
  if where is None:
    yield
    return
  import jax

  _connect(where, seconds)
  gang.enter(where.processes, where.process)
  try:
    with gang.all_or_none():
      gang.meet()
      _check_devices(where)
      yield
  finally:
    gang.enter(1, 0)
    jax.distributed.shutdown()


def _connect(where: Place, seconds: float) -> None:
  import jax

  call_roll(where.host, where.port, where.processes, where.process, seconds)
  jax.config.update('jax_enable_preemption_service', False)  # it would take SIGTERM
  jax.distributed.initialize(
    where.coordinator,
    where.processes,
    where.process,
    cluster_detection_method='deactivate',  # of a step of Slurm it would take one GPU a process
    initialization_timeout=START,
    heartbeat_timeout_seconds=gang.PATIENCE,
    shutdown_timeout_seconds=PARTING,
  )


def _check_devices(where: Place) -> None:
  """Raises `BadSetting` in all processes where they have not equally many devices."""
  import jax

  counts = Counter(device.process_index for device in jax.devices())
  if len(set(counts.values())) > 1:
    told = ', '.join(str(counts[process]) for process in range(where.processes))
    raise BadSetting(f'The processes of a trial need equally many devices each; these have {told}.')
