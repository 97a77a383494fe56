"""A headless Chromium, driven by the DevTools protocol over two pipes: no port, no package."""

import base64
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
FLAGS = (
  '--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--hide-scrollbars',
  '--disable-dev-shm-usage',
)  # fmt: skip


class Browser:
  """One browser with one page; `close` ends it.

  `console` holds what the page wrote or threw, `requests` the addresses that it asked for.
  """

  def __init__(self, folder: Path, width: int = 1280, height: int = 900) -> None:
    self.console: list[str] = []
    self.requests: list[str] = []
    self.events: list[dict[str, Any]] = []
    self._last = 0
    self._rest = b''
    there, self._write = os.pipe()
    self._read, here = os.pipe()
    moved = [(os.POSIX_SPAWN_DUP2, there, 3), (os.POSIX_SPAWN_DUP2, here, 4)]
    quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (1, 2)]
    words = [CHROMIUM, *FLAGS, f'--user-data-dir={folder}', f'--window-size={width},{height}', 'about:blank']
    self.pid = os.posix_spawn(words[0], words, os.environ, file_actions=[*moved, *quiet], setpgroup=0)
    os.close(there)
    os.close(here)
    target = self.call('Target.getTargets', session=None)['targetInfos']
    (page,) = [one['targetId'] for one in target if one['type'] == 'page']
    self._session = None
    attached = self.call('Target.attachToTarget', session=None, targetId=page, flatten=True)
    self._session = attached['sessionId']
    for domain in ('Page', 'Runtime', 'Network', 'Log'):
      self.call(f'{domain}.enable')
    self.call('Emulation.setFocusEmulationEnabled', enabled=True)
    self.size(width, height)

  def call(self, method: str, session: Any = ..., **params: Any) -> Any:
    """The result of a command; raises RuntimeError with what the browser says is wrong with it."""
    self._last += 1
    message = {'id': self._last, 'method': method, 'params': params}
    if session is ... and self._session:
      message['sessionId'] = self._session
    os.write(self._write, json.dumps(message).encode() + b'\0')
    while True:
      answer = self._next()
      if answer.get('id') == self._last:
        if 'error' in answer:
          raise RuntimeError(f'{method}: {answer["error"]}')
        return answer['result']

  def _next(self) -> dict[str, Any]:
    while b'\0' not in self._rest:
      piece = os.read(self._read, 2**20)
      if not piece:
        raise RuntimeError('the browser ended')
      self._rest += piece
    text, _, self._rest = self._rest.partition(b'\0')
    message = json.loads(text)
    self._note(message.get('method', ''), message.get('params', {}))
    return message

  def _note(self, method: str, params: dict[str, Any]) -> None:
    if method == 'Runtime.consoleAPICalled':
      self.console.append(' '.join(str(one.get('value', one.get('description'))) for one in params['args']))
    elif method == 'Runtime.exceptionThrown':
      found = params['exceptionDetails']
      self.console.append(found.get('exception', {}).get('description', found['text']))
    elif method == 'Log.entryAdded':
      self.console.append(params['entry']['text'])
    elif method == 'Network.requestWillBeSent':
      self.requests.append(params['request']['url'])
    if method:
      self.events.append({'method': method, **params})

  def size(self, width: int, height: int = 900) -> None:
    """The window, in CSS pixels."""
    size = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': False}
    self.call('Emulation.setDeviceMetricsOverride', **size)

  def media(self, kind: str = '', scheme: str = 'light') -> None:
    """As on paper with kind='print'; scheme is light or dark."""
    features = [{'name': 'prefers-color-scheme', 'value': scheme}]
    self.call('Emulation.setEmulatedMedia', media=kind, features=features)

  def open(self, address: str) -> None:
    """Goes to an address, and waits until the page says that it is ready."""
    self.call('Page.navigate', url='about:blank')
    self.call('Page.navigate', url=address)
    self.wait('document.documentElement.dataset.ready === "yes"')

  def run(self, script: str) -> Any:
    """The value of an expression in the page, its promise awaited; raises RuntimeError where it throws."""
    words = {'expression': script, 'returnByValue': True, 'awaitPromise': True, 'userGesture': True}
    answer = self.call('Runtime.evaluate', **words)
    if 'exceptionDetails' in answer:
      raise RuntimeError(answer['exceptionDetails'].get('exception', {}).get('description', str(answer)))
    return answer['result'].get('value')

  def wait(self, condition: str, seconds: float = 20) -> None:
    """Until a condition holds in the page; raises TimeoutError with what the console said."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
      try:
        if self.run(f'Boolean({condition})'):
          return
      except RuntimeError:  # between two pages
        pass
      time.sleep(0.02)
    raise TimeoutError(f'{condition} never held; the console said {self.console}')

  def key(self, name: str, code: int, text: str = '', modifiers: int = 0) -> None:
    """Presses a key, such as ('Tab', 9)."""
    for kind in ('keyDown', 'keyUp'):
      down = {'text': text} if text and kind == 'keyDown' else {}
      pressed = {'key': name, 'code': name, 'windowsVirtualKeyCode': code, 'modifiers': modifiers, **down}
      self.call('Input.dispatchKeyEvent', type=kind, **pressed)

  def picture(self, path: Path, whole: bool = False) -> None:
    """A screenshot as PNG, of the window or of the whole page."""
    words: dict[str, Any] = {'format': 'png'}
    if whole:
      size = self.call('Page.getLayoutMetrics')['cssContentSize']
      clip = {'x': 0, 'y': 0, 'scale': 1, 'width': size['width'], 'height': size['height']}
      words |= {'captureBeyondViewport': True, 'clip': clip}
    path.write_bytes(base64.b64decode(self.call('Page.captureScreenshot', **words)['data']))

  def close(self) -> None:
    """Ends the browser and all of its processes."""
    for end in (self._write, self._read):
      os.close(end)
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self.pid, signal.SIGKILL)
    os.waitpid(self.pid, 0)


def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
  """The first true value of a condition of this process; raises TimeoutError."""
  end = time.monotonic() + seconds
  while time.monotonic() < end:
    if found := condition():
      return found
    time.sleep(0.02)
  raise TimeoutError('what was waited for did not happen')


def folder() -> tempfile.TemporaryDirectory:
  """A folder for a browser's profile, which may still be written while it is removed."""
  return tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
