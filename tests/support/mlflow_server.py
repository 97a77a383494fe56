"""A real MLflow server on loopback, where its whole package is installed in an environment of its own."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from support.cli import ROOT


def command() -> str | None:
  """The command `mlflow` of an environment that can serve: one that MLFLOW names, or the one of .ci/run."""
  for place in (os.environ.get('MLFLOW', ''), str(ROOT / '.venv/mlflow/bin/mlflow')):
    if place and shutil.which(place):
      return place
  return None


def free_port() -> int:
  with socket.socket() as found:
    found.bind(('127.0.0.1', 0))
    return found.getsockname()[1]


@contextmanager
def serving(folder: Path):
  """The address of a server that keeps what it is told in a folder."""
  port = free_port()
  words = [command(), 'server', '--host', '127.0.0.1', '--port', str(port), '--workers', '1']
  words += ['--backend-store-uri', f'sqlite:///{folder / "server.db"}', '--serve-artifacts']
  words += ['--artifacts-destination', str(folder / 'files')]
  clean = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'MLFLOW_TRACKING_URI')}
  with open(folder / 'server.log', 'wb') as log:
    server = subprocess.Popen(words, stdout=log, stderr=log, cwd=folder, env=clean, start_new_session=True)
  address = f'http://127.0.0.1:{port}'
  try:
    end = time.monotonic() + 180
    while not _answers(address):
      assert server.poll() is None and time.monotonic() < end, (folder / 'server.log').read_text()
      time.sleep(0.2)
    yield address
  finally:
    os.killpg(server.pid, 15)
    server.wait(30)


def _answers(address: str) -> bool:
  try:
    with urllib.request.urlopen(f'{address}/health', timeout=5) as answer:
      return answer.status == 200
  except OSError:
    return False
