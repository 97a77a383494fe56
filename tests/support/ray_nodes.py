"""A private Ray on loopback: two nodes of one core each, any of which can be killed."""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
from support.cli import ROOT

MISSING = find_spec('ray') is None
WHY = "Ray is not installed: pip install 'ssl_bench[ray]'"


class RayNodes:
  """As a context: starts the nodes; `environment` is what a command needs that uses them."""

  def __enter__(self) -> 'RayNodes':
    self.folder = tempfile.mkdtemp(prefix='ray-')  # short, since the names of sockets are
    with socket.socket() as found:
      found.bind(('127.0.0.1', 0))
      port = found.getsockname()[1]
    self.environment = {'RAY_AUTH_MODE': 'token', 'RAY_AUTH_TOKEN': secrets.token_hex(32)}
    self.environment['RAY_worker_niceness'] = '0'  # else 15: other work on the machine would go before
    self.nodes: list[subprocess.Popen] = []
    try:
      words = '--head', f'--port={port}', '--include-dashboard=false', f'--temp-dir={self.folder}'
      self.environment['RAY_ADDRESS'] = self._start(r"ray start --address='([^']*)'", *words)[1]
      self._start('Ray runtime started', f'--address={self.environment["RAY_ADDRESS"]}')
    except BaseException:
      self.__exit__()
      raise
    return self

  def __exit__(self, *error: object) -> None:
    for node in self.nodes:
      self.kill(node)
    shutil.rmtree(self.folder, ignore_errors=True)

  def _start(self, said: str, *words: str) -> re.Match:
    """Starts a node, and waits until it has said what matches; it says that in several writes."""
    command = [str(Path(sys.executable).parent / 'ray'), 'start', '--block', '--disable-usage-stats']
    command += ['--num-cpus=1', '--object-store-memory=80000000', *words]
    log = Path(self.folder) / f'{len(self.nodes)}.out'
    with open(log, 'wb') as out:
      env = {**os.environ, 'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu', **self.environment}
      node = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    self.nodes.append(node)
    while not (found := re.search(said, re.sub(r'\x1b\[\d*m', '', log.read_text(errors='replace')))):
      assert node.poll() is None, log.read_text()
      with suppress(subprocess.TimeoutExpired):
        node.wait(0.2)
    return found

  def pids(self, node: subprocess.Popen) -> list[int]:
    """All processes of a node."""
    with suppress(psutil.NoSuchProcess):
      return [node.pid, *(child.pid for child in psutil.Process(node.pid).children(recursive=True))]
    return []

  def kill(self, node: subprocess.Popen) -> None:
    """Ends all processes of a node at once, as a power failure does."""
    for pid in self.pids(node):
      with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    node.wait()
