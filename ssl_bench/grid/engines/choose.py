"""The engine that a command line asks for."""

from pathlib import Path

from ssl_bench.grid.engines.cluster import read
from ssl_bench.grid.engines.engine import Engine
from ssl_bench.settings.signature import BadSetting


def choose(
  name: str,
  cluster: Path | None = None,
  *,
  workers: int | None = None,
  seconds: float | None = None,
  wait: bool = False,
) -> Engine:
  """An engine by its name.

  Args:
    name: local, slurm, ray or kubernetes.
    cluster: the file that says what a worker gets, for all but `local`.
    workers: how many; it wins over the file.
    seconds: after which the workers save and end, for `local` and `ray`.
    wait: follow the jobs of `slurm`; `ray` does so anyway.

  Says so where a trial will train on several GPUs.  Raises `BadSetting` for what the engine does not know.
  """
  if name == 'local':
    from ssl_bench.grid.engines.local import Local

    if cluster or wait:
      raise BadSetting('--cluster and --wait are for other machines; name their --engine with them.')
    return Local(workers, seconds)
  found = read(cluster, name)
  if workers:
    found = found.model_copy(update={'workers': workers})
  if found.note:
    print(found.note, flush=True)
  if name == 'ray':
    from ssl_bench.grid.engines.ray import Ray

    return Ray(found, seconds)
  if seconds is not None:
    advice = 'of a job of Slurm, the cluster file says time' if name == 'slurm' else 'leave it out'
    raise BadSetting(f'--time-limit is for --engine local and ray; {advice}.')
  if name == 'slurm':
    from ssl_bench.grid.engines.slurm import Slurm

    return Slurm(found, wait)
  if wait:
    raise BadSetting('--engine kubernetes applies nothing, so there is nothing to --wait for; leave it out.')
  from ssl_bench.grid.engines.kubernetes import Kubernetes

  return Kubernetes(found)
