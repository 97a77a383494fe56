"""The digest of the code behind a record: its method, combinators and teachers, and what they use."""

import ast
import hashlib
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ssl_bench import combine, methods, plugins
from ssl_bench.config import Config
from ssl_bench.plugins.used import modules_in

PACKAGE = Path(__file__).parents[1]
FOLLOWED = ('ssl_bench.methods', 'ssl_bench.combine', 'ssl_bench.losses', 'ssl_bench.graph')
PARSING = threading.Lock()  # threads that make syntax trees at once can fail in Python 3.11 (SystemError)
# What Python's versions write differently, or what has no effect.
IGNORED = ('ctx', 'kind', 'type_comment', 'type_ignores', 'type_params')


def code_of(config: Config) -> str:
  """The SHA-256 (hex) of the code of a trial's method, combinators and teachers, and of the plugins it uses.

  It covers the module of each, and of `methods`, `combine`, `losses` and `graph`, and of a plugin's own
  package, those definitions that are reached from there.  Docstrings, comments and layout have no part in it,
  nor has the file that a definition stands in.
  """
  modules = [methods.module_of(config.method['name'])]
  modules += [combine.module_of(combine.parse(text)[0]) for text in config.combine]
  modules += [module for module in modules_in(config) if module not in modules]
  digests = [_digest(module, plugins.loaded_text(module)) for module in modules]
  if config.teacher:
    digests.append(code_of(config.teacher))
  return digests[0] if len(digests) == 1 else hashlib.sha256(' '.join(digests).encode()).hexdigest()


def digest_of(module: str) -> str:
  """The SHA-256 (hex) of a module and of the definitions that it reaches."""
  found: dict[tuple[str, str], Any] = {}
  _follow(module, '', found, (*FOLLOWED, *([] if _is_ours(module) else [module.partition('.')[0]])))
  definitions = sorted(repr((name, body)) for (_, name), body in found.items())
  return hashlib.sha256('\n'.join(definitions).encode()).hexdigest()


@cache
def _digest(module: str, loaded: str | None) -> str:
  """As `digest_of`; `loaded` is the text of a plugin file, which another may take the place of."""
  return digest_of(module)


def _is_ours(module: str) -> bool:
  return module.partition('.')[0] == PACKAGE.name


def _follow(module: str, name: str, found: dict[tuple[str, str], Any], rooms: tuple[str, ...]) -> None:
  """Adds a definition of a module to `found`, or the whole module for '', and what that reaches."""
  if (module, name) in found:
    return
  text = _text(module)
  assert text is not None, module
  with PARSING:
    tree = ast.parse(text)
  imported, own = _imported(tree, module), _definitions(tree)
  if name in imported and name not in own:  # passed on from another module
    return _reach(imported[name], '', found, rooms)
  if name and name not in own:  # bound in no way that is understood here
    return _follow(module, '', found, rooms)
  body = [own[name]] if name else [node for node in tree.body if not _is_import_of_ours(node)]
  found[module, name] = [_plain(node) for node in _without_docstrings(body)]
  for target in (target for name, target in imported.items() if '.' in name):  # used by its full name
    _reach(target, '', found, rooms)
  for used, attribute in _uses(body):
    if used in imported:
      _reach(imported[used], attribute, found, rooms)
    elif name and used in own:
      _follow(module, used, found, rooms)


def _reach(target: str, attribute: str, found: dict[tuple[str, str], Any], rooms: tuple[str, ...]) -> None:
  """Follows a full name, of a module or of a definition in one, where it is in a followed package."""
  if not any(target == room or target.startswith(f'{room}.') for room in rooms):
    return
  module, _, name = target.rpartition('.')
  if _text(target) is not None:
    _follow(target, attribute, found, rooms)
  elif _is_ours(target) or (module and _text(module) is not None):
    _follow(module, name, found, rooms)


def _text(module: str) -> str | None:
  """The text of a module of this package or of a plugin, or None where there is no such module."""
  if not _is_ours(module):
    return plugins.source_of(module)
  place = PACKAGE.parent.joinpath(*module.split('.'))
  path = next((p for p in (place.with_suffix('.py'), place / '__init__.py') if p.is_file()), None)
  return path.read_text(encoding='utf-8') if path else None


def _imported(tree: ast.Module, module: str) -> dict[str, str]:
  """Local name -> full name of what a module imports."""
  found: dict[str, str] = {}
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      found |= {alias.asname or alias.name: alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      package = module.rsplit('.', node.level)[0] + '.' if node.level else ''
      base = f'{package}{node.module or ""}'.rstrip('.')
      found |= {alias.asname or alias.name: f'{base}.{alias.name}' for alias in node.names}
  return found


def _is_import_of_ours(node: ast.stmt) -> bool:
  """Whether a statement imports from this package only, where what is imported is followed by its content."""
  if isinstance(node, ast.ImportFrom):
    return bool(node.level) or (node.module or '').partition('.')[0] == PACKAGE.name
  return isinstance(node, ast.Import) and all(a.name.partition('.')[0] == PACKAGE.name for a in node.names)


def _definitions(tree: ast.Module) -> dict[str, ast.stmt]:
  """Name -> the statement that binds it at the top of a module."""
  found: dict[str, ast.stmt] = {}
  for node in tree.body:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
      found[node.name] = node
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
      targets = node.targets if isinstance(node, ast.Assign) else [node.target]
      found |= {n.id: node for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
  return found


def _uses(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
  """(name, attribute or '') of every name that is read."""
  inner = set()
  for node in (node for statement in body for node in ast.walk(statement)):
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
      inner.add(node.value)
      yield node.value.id, node.attr
    elif isinstance(node, ast.Name) and node not in inner:
      yield node.id, ''


def _without_docstrings(body: list[ast.stmt]) -> list[ast.stmt]:
  return [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]


def _plain(node: Any) -> Any:
  """A syntax tree as nested lists of text that no version of Python, comment or line break changes."""
  if isinstance(node, ast.AST):
    fields = [(name, value) for name, value in ast.iter_fields(node) if name not in IGNORED]
    return [
      type(node).__name__,
      *([name, _plain(value)] for name, value in fields if value is not None and value != []),
    ]
  if isinstance(node, list):
    return [_plain(part) for part in _without_docstrings(node)]
  return repr(node)
