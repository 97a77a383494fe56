"""A private Slurm on loopback: munged, slurmctld and one slurmd a node, without root, systemd or cgroups."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

NEEDS = ('munged', 'slurmctld', 'slurmd', 'sbatch')
MISSING = [name for name in NEEDS if not shutil.which(name, path=f'{os.environ["PATH"]}:/usr/sbin:/sbin')]
WHY = 'Slurm is not installed: apt-get install slurmctld slurmd slurm-client munge'

SETTINGS = {
  'ClusterName': 'local',
  'AuthType': 'auth/munge',
  'CredType': 'cred/munge',
  'CommunicationParameters': 'NoCtldInAddrAny,NoInAddrAny',
  'ProctrackType': 'proctrack/linuxproc',
  'TaskPlugin': 'task/none',
  'JobAcctGatherType': 'jobacct_gather/none',
  'MpiDefault': 'none',
  'SwitchType': 'switch/none',
  'MailProg': '/bin/true',
  'SelectType': 'select/cons_tres',
  'SelectTypeParameters': 'CR_Core',
  'SchedulerType': 'sched/backfill',
  'SchedulerParameters': 'sched_interval=2,sched_min_interval=0,bf_interval=2,batch_sched_delay=0',
  'PreemptType': 'preempt/partition_prio',
  'PreemptMode': 'REQUEUE',
  'SlurmctldParameters': 'preempt_send_user_signal',
  'SlurmdParameters': 'config_overrides',
  'ReturnToService': '1',
  'JobRequeue': '1',
  'KillWait': '5',
  'MinJobAge': '3600',
  'SlurmctldTimeout': '30',
  'SlurmdTimeout': '20',
  'AccountingStorageType': 'accounting_storage/none',
}


class LocalSlurm:
  """As a context: starts the daemons in a folder; `environment` is what its clients need.

  It has two partitions, `main` and `urgent`, whose jobs take the place of those of `main`, after 20 seconds.
  """

  def __init__(self, folder: Path, nodes: int = 2, cores: int = 1):
    self.folder, self.cores = folder, cores
    self.nodes = [f'n{i}' for i in range(nodes)]
    self.daemons: list[subprocess.Popen] = []
    self.environment = {
      'SLURM_CONF': str(folder / 'slurm.conf'),
      'PATH': f'{os.environ["PATH"]}:/usr/sbin:/sbin',
    }

  def __enter__(self) -> 'LocalSlurm':
    for name in ('munge', 'state', 'log', 'run', *(f'spool/{node}' for node in self.nodes)):
      (self.folder / name).mkdir(parents=True)
    (self.folder / 'munge').chmod(0o700)
    key = self.folder / 'munge/key'
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    pipe = self.folder / 'run/munge.socket'
    self._write_settings(pipe)
    try:
      self._start(
        'munged',
        '--foreground',
        '--force',
        f'--socket={pipe}',
        f'--key-file={key}',
        f'--pid-file={self.folder}/run/munged.pid',
        f'--seed-file={self.folder}/munge/seed',
        f'--log-file={self.folder}/log/munged.log',
      )
      self._wait(lambda: self.run('munge', '-S', pipe, '-n').returncode == 0)
      conf = self.environment['SLURM_CONF']
      self._start('slurmctld', '-D', '-f', conf)
      for node in self.nodes:
        self._start('slurmd', '-D', '-f', conf, '-N', node)
      idle = lambda: self.run('sinfo', '-h', '-N', '-p', 'main', '-o', '%T').stdout.split().count('idle')
      self._wait(lambda: idle() == len(self.nodes))
    except BaseException:
      self.__exit__()
      raise
    return self

  def __exit__(self, *error: object) -> None:
    self.run('scancel', '--full', '--signal=KILL', '--user', getpass.getuser())
    for daemon in reversed(self.daemons):
      daemon.send_signal(signal.SIGTERM)
    for daemon in self.daemons:
      try:
        daemon.wait(10)
      except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()

  def run(self, *words: object) -> subprocess.CompletedProcess:
    """One of Slurm's commands."""
    env = {**os.environ, **self.environment}
    return subprocess.run([*map(str, words)], env=env, capture_output=True, text=True)

  def _write_settings(self, pipe: Path) -> None:
    host, user = socket.gethostname().split('.')[0], getpass.getuser()
    ports = _free_ports(1 + len(self.nodes))
    settings = {
      **SETTINGS,
      'SlurmctldHost': f'{host}(127.0.0.1)',
      'SlurmctldPort': ports[0],
      'SlurmUser': user,
      'SlurmdUser': user,
      'AuthInfo': f'socket={pipe},cred_expire=10',
      'StateSaveLocation': self.folder / 'state',
      'SlurmdSpoolDir': self.folder / 'spool/%n',
      'SlurmctldPidFile': self.folder / 'run/slurmctld.pid',
      'SlurmdPidFile': self.folder / 'run/slurmd.%n.pid',
      'SlurmctldLogFile': self.folder / 'log/slurmctld.log',
      'SlurmdLogFile': self.folder / 'log/slurmd.%n.log',
    }
    nodes = ','.join(self.nodes)
    lines = [f'{name}={value}' for name, value in settings.items()]
    has = f'CPUs={self.cores} RealMemory=4000 State=UNKNOWN'
    lines += [
      f'NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} {has}'
      for node, port in zip(self.nodes, ports[1:])
    ]
    has = f'Nodes={nodes} MaxTime=INFINITE State=UP'
    lines += [
      f'PartitionName=main {has} Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=20',
      f'PartitionName=urgent {has} PriorityTier=10 PreemptMode=OFF',
    ]
    (self.folder / 'slurm.conf').write_text('\n'.join([*lines, '']))

  def _start(self, *words: object) -> None:
    with open(self.folder / f'log/{words[0]}.out', 'ab') as log:
      daemon = subprocess.Popen(
        [*map(str, words)],
        env={**os.environ, **self.environment},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
      )
    self.daemons.append(daemon)

  def _wait(self, is_up, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not is_up():
      dead = [daemon for daemon in self.daemons if daemon.poll() is not None]
      logs = '\n'.join(path.read_text()[-800:] for path in (self.folder / 'log').iterdir())
      assert not dead and time.monotonic() < end, f'Slurm did not come up:\n{logs}'
      time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
  sockets = [socket.socket() for _ in range(count)]
  for one in sockets:
    one.bind(('127.0.0.1', 0))
  ports = [one.getsockname()[1] for one in sockets]
  for one in sockets:
    one.close()
  return ports
