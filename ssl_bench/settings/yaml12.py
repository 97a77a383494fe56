"""YAML 1.2 (the core schema, section 10.3), read and written with PyYAML.

PyYAML by itself reads version 1.1, where 040 is 32, 1:40 is 100, 0_03 is 3 and `no` is false, and it drops
the first of two equal keys.  ruamel.yaml, the other reader of 1.2, reads 0_03 as a number too, so the schema
is written here.  There are no merge keys (`<<`), no dates, and no tags beyond those of the core schema.
"""

import re
from typing import Any

import yaml

DEEPEST = 64  # levels of nested brackets and blocks
MOST = 100_000  # values in one text, counting those that an alias repeats
DIGITS = 100  # digits of a whole number

_CORE = {
  'null': (r'null|Null|NULL|~|', ('~', 'n', 'N', '')),
  'bool': (r'true|True|TRUE|false|False|FALSE', 'tTfF'),
  'int': (r'[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+', '-+0123456789'),
  'float': (
    r'[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)',
    '-+.0123456789',
  ),
}
_TAG = 'tag:yaml.org,2002:'


def parse_yaml(text: str) -> Any:
  """Plain data: dict, list, str, int, float, bool or None; raises `yaml.YAMLError`."""
  return yaml.load(text, _Loader)


def write_yaml(value: Any) -> str:
  """Plain data as text for `parse_yaml`, such as `[1, two]`; text that looks like a number is quoted."""
  return yaml.dump([value], Dumper=Dumper, default_flow_style=True, width=10**6).strip()[1:-1]


def fault_of(error: yaml.YAMLError) -> tuple[int | None, str]:
  """(line number or None, the fault in one line) of an error."""
  mark, problem = getattr(error, 'problem_mark', None), getattr(error, 'problem', None)
  return mark and mark.line + 1, ' '.join(str(problem or getattr(error, 'reason', error)).split())


def is_yaml(error: yaml.YAMLError) -> bool:
  """Whether the text is YAML that is refused, such as a repeated name, rather than no YAML at all."""
  return isinstance(error, (yaml.constructor.ConstructorError, yaml.composer.ComposerError))


class _Loader(yaml.SafeLoader):
  """Loads the core schema; refuses equal keys, values within themselves, and too deep or too large texts."""

  def __init__(self, stream: str):
    super().__init__(stream)
    self.depth = 0
    self.sizes: dict[int, int] = {}  # id of a complete node -> the number of its values

  def compose_node(self, parent, index):
    mark = self.peek_event().start_mark
    self.depth += 1
    if self.depth > DEEPEST:
      raise yaml.composer.ComposerError(None, None, f'more than {DEEPEST} levels within one another', mark)
    is_alias = self.check_event(yaml.AliasEvent)
    node = super().compose_node(parent, index)
    assert node is not None
    self.depth -= 1
    if is_alias and id(node) not in self.sizes:
      raise yaml.composer.ComposerError(None, None, 'a value stands within itself', mark)
    if not is_alias:
      self.sizes[id(node)] = 1 + sum([self.sizes[id(part)] for part in _parts(node)])
    if self.sizes[id(node)] > MOST:
      raise yaml.composer.ComposerError(None, None, f'more than {MOST:,} values', mark)
    return node


_Loader.yaml_implicit_resolvers, _Loader.yaml_constructors = {}, {}  # none of version 1.1


class Dumper(yaml.SafeDumper):
  """Quotes texts that either version of YAML would read as another type; writes no aliases."""

  def ignore_aliases(self, data):
    return True


def _parts(node: yaml.Node) -> list[yaml.Node]:
  if isinstance(node, yaml.ScalarNode):
    return []
  return [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]


def _error(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
  return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _scalar(node: yaml.Node, kind: str) -> str:
  """A scalar's text, which an explicit tag may contradict."""
  text = node.value
  if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(_CORE[kind][0], text):
    raise _error(f'this is no {kind}, as its tag says', node)
  return text


def _null(loader: _Loader, node: yaml.Node) -> None:
  _scalar(node, 'null')


def _int(loader: _Loader, node: yaml.Node) -> int:
  text = _scalar(node, 'int')
  if len(text) > DIGITS:
    raise _error(f'a whole number of {len(text):,} digits; at most {DIGITS} can be read', node)
  return int(text, {'0o': 8, '0x': 16}.get(text[:2], 10))


def _float(loader: _Loader, node: yaml.Node) -> float:
  return float(_scalar(node, 'float').lower().replace('.inf', 'inf').replace('.nan', 'nan'))


def _text(loader: _Loader, node: yaml.Node) -> str:
  if not isinstance(node, yaml.ScalarNode):
    raise _error('this is no text, as its tag says', node)
  if re.search('[\ud800-\udfff]', node.value):
    raise _error('half a character, a surrogate', node)
  return node.value


def _list(loader: _Loader, node: yaml.Node) -> list[Any]:
  if not isinstance(node, yaml.SequenceNode):
    raise _error('this is no list, as its tag says', node)
  return [loader.construct_object(part, deep=True) for part in node.value]


def _mapping(loader: _Loader, node: yaml.Node) -> dict[Any, Any]:
  if not isinstance(node, yaml.MappingNode):
    raise _error('these are no names and values, as the tag says', node)
  mapping: dict[Any, Any] = {}
  for name, value in node.value:
    if not isinstance(name, yaml.ScalarNode):
      raise _error('a name must be text', name)
    key = loader.construct_object(name, deep=True)
    if key in mapping:
      raise _error(f'{name.value[:DIGITS]!r} stands twice; leave one of them out', name)
    mapping[key] = loader.construct_object(value, deep=True)
  return mapping


def _unknown(loader: _Loader, node: yaml.Node) -> Any:
  raise _error(f'there is no tag {node.tag.replace(_TAG, "!!")!r} here', node)


for _kind, (_pattern, _first) in _CORE.items():
  for _class in (_Loader, Dumper):
    _class.add_implicit_resolver(_TAG + _kind, re.compile(rf'(?:{_pattern})\Z'), list(_first))
_BOOLS = {'true': True, 'false': False}
_Loader.add_constructor(_TAG + 'null', _null)
_Loader.add_constructor(_TAG + 'bool', lambda loader, node: _BOOLS[_scalar(node, 'bool').lower()])
_Loader.add_constructor(_TAG + 'int', _int)
_Loader.add_constructor(_TAG + 'float', _float)
_Loader.add_constructor(_TAG + 'str', _text)
_Loader.add_constructor(_TAG + 'seq', _list)
_Loader.add_constructor(_TAG + 'map', _mapping)
_Loader.add_constructor(None, _unknown)
