"""Slurm: an array of jobs, each of which is a worker that takes tasks until none is left.

A worker that leaves before, since its time is up or another job takes its place, or that dies, asks for its
job to be queued again.  What the scheduler says of a job is never taken for what became of a trial.
"""

import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ssl_bench.grid.engines.cluster import Cluster
from ssl_bench.grid.engines.engine import Outcome, Work
from ssl_bench.records.disk import write_whole
from ssl_bench.settings.signature import BadSetting
from ssl_bench.stop import AGAIN, CRASHED
from ssl_bench.trial.run_folder import RunFolder

State = Literal['queued', 'running', 'gone']
STATES: dict[str, State] = {
  **dict.fromkeys(
    ('PENDING', 'REQUEUED', 'REQUEUE_HOLD', 'REQUEUE_FED', 'SPECIAL_EXIT', 'SUSPENDED'), 'queued'
  ),
  **dict.fromkeys(('RUNNING', 'COMPLETING', 'CONFIGURING', 'STAGE_OUT', 'SIGNALING', 'RESIZING'), 'running'),
}
COMMAND = (sys.executable, '-m', 'ssl_bench.cli')
EVERY = 5.0  # seconds between two questions to the scheduler

WORKER = """
{command} &
worker=$! cancelled= again=
trap 'kill -USR2 $worker' USR2                  # before a time limit, or as another job takes its place
trap 'cancelled=1; kill -USR2 $worker' TERM
wait $worker; code=$?
while kill -0 $worker 2>/dev/null; do wait $worker; code=$?; done
if [ $code -eq {again} ]; then again=1; fi        # it saved, and left before the end
if [ $code -gt 128 ] || [ $code -eq {crashed} ]; then  # it died, or crashed
  if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {most} ]; then again=1; fi
fi
if [ -n "$again" ] && [ -z "$cancelled" ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit $code
"""
# A task at which workers die is left after three of them, so this comes to an end; what dies before it has a
# task does so after some attempts.
DEATHS = 10


class Slurm(NamedTuple):
  """An array of jobs with the resources of a cluster file, and whether to follow it to its end."""

  cluster: Cluster
  wait: bool = False

  def run(self, work: Work) -> Outcome:
    """Submits the jobs, and returns then or, with `wait`, when nothing is left or no job is any more."""
    job = submit(work.path, work.run_folder, self.cluster, len(work.todo.tasks))
    print(
      f'{len(work.todo.trials):,} trials are submitted as job {job}. How far they are: '
      f'ssl-bench status {work.run_folder.path}',
      flush=True,
    )
    if self.wait:
      follow(job, work.left)
    return Outcome(goes_on=not self.wait)


def submit(manifest: Path, run_folder: RunFolder, cluster: Cluster, tasks: int) -> str:
  """Submits an array of workers at a manifest and, after it, a job that builds the board; the array's id.

  Raises `BadSetting` where the scheduler refuses them.
  """
  place, folder = run_folder.path.absolute(), (run_folder.path / 'slurm').absolute()
  words = [*COMMAND, 'work', str(place), '--manifest', str(manifest.absolute()), '--pull']
  if cluster.nodes > 1:
    step = ('srun', '--ntasks-per-node=1', f'--cpus-per-task={cluster.cpus}', '--input=none')
    words = [*step, *words, '--coordinator=slurm']
  body = WORKER.format(command=shlex.join(words), again=AGAIN, crashed=CRASHED, most=DEATHS)
  count = min(tasks, cluster.workers)
  options = [f'--array=0-{count - 1}', '--requeue', f'--signal=B:USR2@{cluster.notice}', *_resources(cluster)]
  path = folder / f'{manifest.stem}.sh'
  write_whole(path, _script(place.name, folder, options, cluster, body))
  job = _sbatch([str(path)])
  board = [*COMMAND, 'leaderboard', '--records', str(place / 'records'), '--out', str(place / 'leaderboard')]
  options = _resources(cluster.model_copy(update={'gpus': 0, 'nodes': 1}))
  path = folder / f'{manifest.stem}.board.sh'
  write_whole(path, _script(f'{place.name}-board', folder, options, cluster, shlex.join(board)))
  _sbatch([f'--dependency=afterany:{job}', str(path)])
  return job


def _script(name: str, folder: Path, options: Sequence[str], cluster: Cluster, body: str) -> str:
  """A batch script."""
  options = [f'--job-name={name}', f'--output={folder}/%A_%a.out', *options]
  lines = [f'#SBATCH {option}' for option in options]
  return '\n'.join(['#!/bin/bash', *lines, *cluster.setup, body.strip(), ''])


def states(job: str) -> dict[str, State]:
  """What the scheduler says of each job of an array that it still knows; those that ended may be missing."""
  done = subprocess.run(
    ['squeue', '--noheader', '--array', '--states=all', f'--jobs={job}', '--format=%i %T'],
    capture_output=True,
    encoding='utf-8',
  )
  words = [line.split() for line in done.stdout.splitlines()]
  return {name: STATES.get(state, 'gone') for name, state in words}


def follow(job: str, left: Callable[[], int]) -> None:
  """Waits until nothing is left or no job of the array is any more, and says what changes."""
  told = ''
  while True:
    found = list(states(job).values())
    now = f'{left():,} trials left; jobs: {found.count("running")} running, {found.count("queued")} queued'
    if now != told:
      print(now, flush=True)
      told = now
    if not set(found) & {'running', 'queued'}:
      return
    time.sleep(EVERY)


def _resources(cluster: Cluster) -> list[str]:
  """The options of sbatch for what a job gets."""
  several = cluster.nodes > 1
  given = {
    'nodes': cluster.nodes if several else None,
    'ntasks-per-node': 1 if several else None,
    'partition': cluster.partition,
    'account': cluster.account,
    'time': cluster.time,
    'mem': cluster.memory,
    'cpus-per-task': cluster.cpus,
    'gpus-per-node': cluster.gpus or None,
  }
  return [f'--{name}={value}' for name, value in given.items() if value is not None] + list(cluster.lines)


def _sbatch(words: list[str]) -> str:
  """Submits a script; the job's id.  Raises `BadSetting` with what the scheduler said."""
  if not shutil.which('sbatch'):
    raise BadSetting('There is no sbatch on this machine; submit from a login node of the cluster.')
  done = subprocess.run(['sbatch', '--parsable', *words], capture_output=True, encoding='utf-8')
  if done.returncode:
    said = ' '.join(done.stderr.split()) or 'nothing'
    raise BadSetting(f'sbatch refused the job: {said}')
  return re.split(r'[;\s]', done.stdout)[0]
