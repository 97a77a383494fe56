"""Whether the hosts of downloads answer, asked before a library tries them for minutes."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterable

from ssl_bench.settings.signature import BadSetting

REACH_SECONDS = 5.0


def check_reachable(urls: Iterable[str], how: str, seconds: float = REACH_SECONDS) -> None:
  """Raises `BadSetting` where a host gives no answer in `seconds`; TFDS itself would try for minutes.

  `how` is the command that takes the files from a folder.
  """
  failures: list[str] = []

  def ask(url: str) -> None:
    try:
      urllib.request.urlopen(urllib.request.Request(url, method='HEAD'), timeout=seconds).close()
    except (OSError, ValueError) as error:
      failures.append(f'{url} ({getattr(error, "reason", error)})')

  def in_time(url: str) -> None:
    thread = threading.Thread(target=ask, args=(url,), daemon=True)  # a look-up of names ignores time-outs
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
      failures.append(f'{url} (no answer in {seconds:g} s)')

  for url in urls:
    in_time(url)
    if failures:
      raise BadSetting(f'cannot download {failures[0]}; fetch the files elsewhere and run {how}.')
