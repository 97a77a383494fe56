"""What a cluster file says: the resources of a worker, and how its job begins."""

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


Line = Annotated[str, AfterValidator(_is_line)]
Word = Annotated[str, AfterValidator(_is_word)]


class Cluster(BaseModel):
  """One job, which is one worker; null is the scheduler's default.

  Such as {workers: 20, partition: gpu, time: '04:00:00', gpus: 1, setup: [module load cuda]}.
  """

  model_config = ConfigDict(frozen=True, extra='forbid')

  workers: StrictInt = Field(1, ge=1, le=100_000)  # jobs, each of which takes one task after another
  partition: Word | None = None
  account: Word | None = None
  time: Word | None = None  # of one job, such as 04:00:00; the work goes on in the next
  memory: Word | None = None  # such as 16G
  cpus: StrictInt = Field(1, ge=1, le=4096)
  gpus: StrictInt = Field(0, ge=0, le=4096)
  notice: StrictInt = Field(60, ge=10, le=3600)  # seconds before its time limit when a job saves
  nodes: StrictInt = Field(1, ge=1, le=100_000)  # that train each trial together, a process on each
  lines: tuple[Line, ...] = ()  # further options of sbatch
  setup: tuple[Line, ...] = ()  # shell commands before the worker starts


def read(path: Path | None) -> Cluster:
  """The cluster of a file, or the defaults without one; raises `BadSetting` with one sentence."""
  if path is None:
    return Cluster()
  if not path.is_file():
    raise BadSetting(f'There is no cluster file {str(path)!r}; docs/clusters.md shows one.')
  tree = read_yaml(path)
  try:
    return Cluster.model_validate(tree)
  except ValidationError as error:
    raise BadSetting(f'{path}: {explain(error.errors(), tree, Cluster, {})}') from None
