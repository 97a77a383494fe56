"""Prometheus finds at a port what runs: steps, losses, images a second, trials by state, memory."""

import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from ssl_bench.records.trackers import Follower
from ssl_bench.settings.signature import BadSetting, Range


class Prometheus(NamedTuple):
  """Prometheus as a tracker: it shows what runs, and keeps nothing of what ended but how many."""

  port: int
  host: str

  def check(self) -> None:
    with socket.socket() as test:
      test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      try:
        test.bind((self.host, self.port))
      except OSError as error:
        raise BadSetting(
          f'Port {self.port} of {self.host} cannot be had ({error.strerror}); choose another --metrics-port.'
        ) from None

  def mirror(
    self, records: Iterable[Mapping[str, Any]], folder: Path, among: Iterable[Mapping[str, Any]]
  ) -> int:
    return 0

  def follow(self, folder: Path) -> Follower:
    from ssl_bench.records.trackers._exporter import Exporter

    return Exporter(self.host, self.port)


def prometheus(*, port: Annotated[int, Range(1, 65535)] = 9091, host: str = '0.0.0.0') -> Prometheus:
  """Numbers for Prometheus at http://HOST:PORT/metrics.

  Args:
    port: one that is free on this machine.
    host: the address at which it listens; 127.0.0.1 for this machine alone.
  """
  return Prometheus(port, host)
