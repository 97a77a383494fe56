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
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ssl_bench.grid import manifest
from ssl_bench.grid.engines.cluster import Cluster, gpus
from ssl_bench.grid.engines.engine import Outcome, Work
from ssl_bench.records.disk import write_whole
from ssl_bench.settings import plural
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
JOB = '.job'  # the end of a file that is named by an array and names its manifest

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
    """Submits the jobs, and returns then or, with `wait`, when nothing is left or no job is any more.

    With `wait`, no job is submitted where those of before do all that there is to do; they are followed.
    """
    jobs, trials = live(work.run_folder), plural.count(len(work.todo.trials), 'trial')
    named = ', '.join(jobs)
    if self.wait and _do_all(jobs.values(), work):
      print(f'Submitted already, as job {named}: {trials}.', flush=True)
    else:
      job = submit(work.path, work.run_folder, self.cluster, len(work.todo.tasks))
      beside = f', beside job {named} of before' if jobs else ''
      told = f'How far they are: ssl-bench status {work.run_folder.path}'
      print(f'Submitted as job {job}{beside}: {trials}. {told}', flush=True)
      jobs[job] = work.path
    if self.wait:
      follow(list(jobs), work.left)
    return Outcome(goes_on=not self.wait)


def submit(todo: Path, run_folder: RunFolder, cluster: Cluster, tasks: int) -> str:
  """Submits an array of workers at a manifest and, after it, a job that builds the board; the array's id.

  Raises `BadSetting` where the scheduler refuses them.
  """
  place, folder = run_folder.path.absolute(), (run_folder.path / 'slurm').absolute()
  words = [*COMMAND, 'work', str(place), '--manifest', str(todo.absolute()), '--pull', *gpus(cluster)]
  if cluster.nodes > 1:
    step = ('srun', '--ntasks-per-node=1', f'--cpus-per-task={cluster.cpus}', '--input=none')
    words = [*step, *words, '--coordinator=slurm']
  body = WORKER.format(command=shlex.join(words), again=AGAIN, crashed=CRASHED, most=DEATHS)
  count = min(tasks, cluster.workers)
  options = [f'--array=0-{count - 1}', '--requeue', f'--signal=B:USR2@{cluster.notice}', *_resources(cluster)]
  path = folder / f'{todo.stem}.sh'
  write_whole(path, _script(place.name, f'{folder}/%A_%a.out', options, cluster.setup, body))
  job = _sbatch([str(path)])
  write_whole(folder / f'{job}{JOB}', str(todo.absolute()))
  records = str(place / 'records')
  board = [*COMMAND, 'leaderboard', '--records', records, '--out', str(place / 'leaderboard')]
  options = _resources(cluster.model_copy(update={'gpus': 0, 'nodes': 1}))
  path = folder / f'{todo.stem}.board.sh'
  body = f'if [ -d {shlex.quote(records)} ]; then {shlex.join(board)}; fi'
  write_whole(path, _script(f'{place.name}-board', f'{folder}/%j.out', options, cluster.setup, body))
  _sbatch([f'--dependency=afterany:{job}', str(path)])
  return job


def _script(name: str, log: str, options: Sequence[str], setup: Sequence[str], body: str) -> str:
  """A batch script, whose log goes on where the job was queued again, and which ends where `setup` fails."""
  options = [f'--job-name={name}', f'--output={log}', '--open-mode=append', *options]
  lines = [f'#SBATCH {option}' for option in options]
  for line in setup:
    failed = shlex.quote(f'setup failed, so nothing was run: {line}')
    lines += [line, f'code=$?; if [ $code -ne 0 ]; then echo {failed} >&2; exit $code; fi']
  return '\n'.join(['#!/bin/bash', *lines, body.strip(), ''])


def live(run_folder: RunFolder) -> dict[str, Path]:
  """The arrays of a run folder that run or are queued -> their manifests."""
  if not shutil.which('squeue'):
    return {}
  known = {
    path.stem: Path(path.read_text(encoding='utf-8'))
    for path in sorted((run_folder.path / 'slurm').glob(f'*{JOB}'))
  }
  return {job: todo for job, todo in known.items() if {'running', 'queued'} & set(states([job]).values())}


def _do_all(manifests: Iterable[Path], work: Work) -> bool:
  """Whether workers at some manifests do all that there is to do."""
  found = [manifest.read(path).trials for path in manifests if path.is_file()]
  theirs = {(trial.id, trial.failed) for trials in found for trial in trials}
  return theirs.issuperset((trial.id, trial.failed) for trial in work.todo.trials)


def states(jobs: Sequence[str]) -> dict[str, State]:
  """What the scheduler says of each job of some arrays; those that ended may be missing."""
  done = subprocess.run(
    ['squeue', '--noheader', '--array', '--states=all', f'--jobs={",".join(jobs)}', '--format=%i %T'],
    capture_output=True,
    encoding='utf-8',
  )
  words = [line.split() for line in done.stdout.splitlines()]
  return {name: STATES.get(state, 'gone') for name, state in words}


def follow(jobs: Sequence[str], left: Callable[[], int]) -> None:
  """Waits until nothing is left or no job of the arrays is any more, and says what changes."""
  told = ''
  while True:
    found = list(states(jobs).values())
    jobs_now = f'{found.count("running")} running, {found.count("queued")} queued'
    now = f'{plural.count(left(), "trial")} left; jobs: {jobs_now}'
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
