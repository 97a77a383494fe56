"""Plugin files: what a config names by `plugins: [path/to/file.py]`, loaded once a process.

A plugin file is one Python file.  It lists what it holds by kind, and may hold more:

    from ssl_bench.contract import Aux, Method, supervised_loss

    VERSION = 1  # of its methods and combinators; a new one gives their trials a new identity

    def agreement(encoder, classes, *, weight: float = 1.0): ...
    def tiny(*, width: int = 8): ...
    def darken(*, by: float = 0.5) -> Operation: ...

    PLUGINS = {'methods': [agreement], 'nets': [tiny], 'augment': [darken]}

The name of a function is the name by which a config asks for it; a row, such as a `Measure`, has a `name`.
"""

import hashlib
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ssl_bench.plugins.kinds import KINDS, kind_of
from ssl_bench.plugins.things import check_thing, fault
from ssl_bench.settings.signature import BadSetting, short, suggest

LIST = 'PLUGINS'


class Loaded(NamedTuple):
  """A plugin file as it was loaded."""

  shown: str  # its path as it was written
  text: str
  module: ModuleType
  things: dict[str, dict[str, Any]]  # kind -> name -> function or row


_loaded: dict[Path, Loaded] = {}


def load(shown: str, owner: Any) -> None:
  """Loads a plugin file, a path from the working directory, unless that is done.

  `owner` tells whose a name is, by kind and name, or None.  Raises `BadSetting` for a file that is not there,
  cannot be imported, lists nothing or something else, takes a name that is taken, or has changed since it was
  loaded in this process.
  """
  path = Path(shown).resolve()
  where = f'Plugin file {shown!r}'
  try:
    text = path.read_text(encoding='utf-8')
  except (OSError, UnicodeDecodeError) as error:
    if isinstance(error, FileNotFoundError):
      near = [p.as_posix() for p in sorted(Path(shown).parent.glob('*.py'))]
      raise BadSetting(
        f'There is no plugin file {shown!r}{"; " + suggest(shown, near) if near else "."}'
      ) from None
    raise BadSetting(f'{where} cannot be read: {fault(error)}.') from None
  if path in _loaded:
    if _loaded[path].text != text:
      raise BadSetting(f'{where} has changed since this process loaded it; start a new one.')
    return
  module = _run(path, text, where)
  try:
    things = _things(getattr(module, LIST, None), where, owner)
  except BadSetting:
    del sys.modules[module.__name__]
    raise
  _loaded[path] = Loaded(shown, text, module, things)


def _run(path: Path, text: str, where: str) -> ModuleType:
  """The file as a module; raises `BadSetting` with what it raises."""
  module = ModuleType(f'ssl_bench_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}')
  module.__file__ = str(path)
  sys.modules[module.__name__] = module
  try:
    exec(compile(text, str(path), 'exec'), vars(module))
  except (Exception, SystemExit) as error:
    del sys.modules[module.__name__]
    lines = [
      frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    at = f' at line {line}' if line else ''
    said = error.msg if isinstance(error, SyntaxError) else fault(error)
    raise BadSetting(f'{where} cannot be imported{at}: {said}.') from None
  return module


def _things(listed: Any, where: str, owner: Any) -> dict[str, dict[str, Any]]:
  """Kind -> name -> thing of what a file lists."""
  if not isinstance(listed, Mapping):
    raise BadSetting(f"{where} must list what it holds, such as {LIST} = {{'methods': [agreement]}}.")
  found: dict[str, dict[str, Any]] = {}
  for kind, things in listed.items():
    if kind not in list(KINDS):
      raise BadSetting(f'{where}: there is no kind of plugin {short(kind)}; {suggest(kind, KINDS)}')
    if not isinstance(things, Sequence) or isinstance(things, str):
      raise BadSetting(f'{where}: {LIST}[{kind!r}] must be a list, not {short(things)}.')
    for thing in things:
      name = check_thing(kind, thing, where)
      whose = 'this file' if name in found.get(kind, {}) else owner(kind, name)
      if whose:
        noun = kind_of(kind).noun
        an = 'an' if noun[0] in 'aeiou' else 'a'
        raise BadSetting(f'{where}: there is {an} {noun} {name!r} already, of {whose}; choose another name.')
      found.setdefault(kind, {})[name] = thing
  return found


def held(kind: str) -> dict[str, Loaded]:
  """Name -> the loaded file that holds it."""
  return {name: one for one in _loaded.values() for name in one.things.get(kind, ())}


def loaded_at(path: str) -> Loaded | None:
  """A plugin file that this process has loaded."""
  return _loaded.get(Path(path).resolve())


def paths() -> tuple[Path, ...]:
  """The plugin files that this process has loaded."""
  return tuple(_loaded)


def text_of(module: str) -> str | None:
  """The text of the plugin file that a module is of."""
  return next((one.text for one in _loaded.values() if one.module.__name__ == module), None)


def forget(paths: Iterable[str | Path] | None = None) -> None:
  """Unloads plugin files, all by default; what was compiled of them stays in the caches of others."""
  for path in list(_loaded) if paths is None else [Path(p).resolve() for p in paths]:
    one = _loaded.pop(path, None)
    if one:
      sys.modules.pop(one.module.__name__, None)
