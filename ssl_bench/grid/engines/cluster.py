"""What a cluster file says: the resources of a worker, and what else an engine has to know."""

import math
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, ValidationError

from ssl_bench.settings.explain import explain
from ssl_bench.settings.signature import BadSetting
from ssl_bench.settings.yaml import read_yaml


def _is_line(value: str) -> str:
  if not value or set(value) & {'\n', '\r'}:
    raise ValueError('must be one line')
  return value


def _is_word(value: str) -> str:
  if value.split() != [value]:
    raise ValueError('must be one word')
  return value


def _is_memory(value: str) -> str:
  if not MEMORY.fullmatch(value):
    raise ValueError('must be a number with K, M, G or T, such as 16G')
  return value


MEMORY = re.compile(r'(\d{1,9})([KMGT]?)')
TIMES = (  # how sbatch reads a time: days-hours:minutes:seconds, or minutes without a colon
  re.compile(r'(?P<d>\d+)-(?P<h>\d+)(:(?P<m>\d+)(:(?P<s>\d+))?)?'),
  re.compile(r'(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)'),
  re.compile(r'(?P<m>\d+)(:(?P<s>\d+))?'),
)
Line = Annotated[str, AfterValidator(_is_line)]
Word = Annotated[str, AfterValidator(_is_word)]
Memory = Annotated[str, AfterValidator(_is_memory)]


class Cluster(BaseModel):
  """What one worker gets, in a schema that all engines share; null is the scheduler's default.

  Such as {workers: 20, partition: gpu, time: '04:00:00', gpus: 1, setup: [module load cuda]}.
  """

  model_config = ConfigDict(frozen=True, extra='forbid')

  workers: StrictInt = Field(1, ge=1, le=100_000)  # each takes one task after another
  cpus: StrictInt = Field(1, ge=1, le=4096)
  gpus: StrictInt = Field(0, ge=0, le=4096)  # on all of which a worker trains one trial
  memory: Memory | None = None  # such as 16G; without a unit it counts megabytes
  notice: StrictInt = Field(60, ge=10, le=3600)  # seconds between the word to save and the end of a job

  partition: Word | None = None
  account: Word | None = None
  time: Word | None = None  # of one job, such as 04:00:00; the work goes on in the next
  nodes: StrictInt = Field(1, ge=1, le=100_000)  # that train each trial together, a process on each
  lines: tuple[Line, ...] = ()  # further options of sbatch
  setup: tuple[Line, ...] = ()  # shell commands before the worker starts

  address: Word | None = None  # of a Ray cluster; that of RAY_ADDRESS without one, else a Ray of this machine

  image: Word | None = None  # of a container in which ssl-bench is installed
  claim: Word | None = None  # the persistent volume claim with the run folder
  mount: Word | None = None  # where that volume is, in a container as on this machine
  queue: Word | None = None  # of Kueue
  namespace: Word | None = None

  @property
  def bytes(self) -> int | None:
    """The memory of a worker."""
    if self.memory is None:
      return None
    number, unit = MEMORY.fullmatch(self.memory).groups()  # type: ignore[union-attr]
    return int(number) * 1024 ** (1 + 'KMGT'.index(unit or 'M'))

  @property
  def seconds(self) -> float:
    """How long a job may take, infinity where the scheduler decides."""
    each = {'d': 86_400, 'h': 3600, 'm': 60, 's': 1}
    for form in TIMES:
      if match := form.fullmatch(self.time or ''):
        return sum(each[unit] * int(number) for unit, number in match.groupdict().items() if number)
    return math.inf

  @property
  def note(self) -> str:
    """What to know where a worker gets several GPUs of one node; else empty."""
    if self.gpus < 2 or self.nodes > 1:
      return ''
    return (
      f'Each worker gets {self.gpus} GPUs and trains one trial on all of them. '
      f'For one trial on each GPU, set gpus: 1 and {self.gpus} times the workers.'
    )


COMMON = ('workers', 'cpus', 'gpus', 'memory')
KNOWN = {  # engine -> the settings that it reads
  'slurm': (*COMMON, 'notice', 'partition', 'account', 'time', 'nodes', 'lines', 'setup'),
  'ray': (*COMMON, 'address'),
  'kubernetes': (*COMMON, 'notice', 'image', 'claim', 'mount', 'queue', 'namespace'),
}


def read(path: Path | None, engine: str) -> Cluster:
  """The cluster of a file for an engine, or the defaults without one; raises `BadSetting`."""
  if path is None:
    return Cluster()
  if not path.is_file():
    raise BadSetting(f'There is no cluster file {str(path)!r}; docs/clusters.md shows one.')
  tree = read_yaml(path)
  try:
    found = Cluster.model_validate(tree)
  except ValidationError as error:
    raise BadSetting(f'{path}: {explain(error.errors(), tree, Cluster, {})}') from None
  for name in tree:
    if name not in KNOWN[engine]:
      others = ' and '.join(other for other, names in KNOWN.items() if name in names)
      known = ', '.join(KNOWN[engine])
      raise BadSetting(f'{path}: {name} is for {others}; --engine {engine} knows {known}.')
  if found.seconds <= found.notice:
    raise BadSetting(
      f'{path}: time is {found.time}, no longer than notice, {found.notice} s; a job would save as soon as '
      'it starts. Give it more time.'
    )
  return found


def gpus(cluster: Cluster) -> list[str]:
  """The words that tell a worker how many GPUs it was given."""
  return ['--gpus', str(cluster.gpus)] if cluster.gpus else []
