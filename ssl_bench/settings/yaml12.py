"""YAML as its version 1.2 has it (the core schema, section 10.3), read and written by PyYAML.

PyYAML itself speaks version 1.1, where 040 is 32, 1:40 is 100, 0_03 is 3 and `no` is false, and of two equal
keys it drops the first.  ruamel.yaml, the other reader of 1.2, still takes 0_03 for a number, so the schema
stands here.  No merge keys (`<<`), no dates, no tags but those of the core schema.
"""

import re
from typing import Any

import yaml

DEEPEST = 64  # brackets and blocks within one another
MOST = 100_000  # values in one text, those that an alias repeats included
DIGITS = 100  # of a whole number

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
  """(line, what is wrong in one line) of what could not be read."""
  mark, problem = getattr(error, 'problem_mark', None), getattr(error, 'problem', None)
  return mark and mark.line + 1, ' '.join(str(problem or getattr(error, 'reason', error)).split())


def is_yaml(error: yaml.YAMLError) -> bool:
  """Whether it is YAML that could not be read, such as one name twice, and not some other text."""
  return isinstance(error, (yaml.constructor.ConstructorError, yaml.composer.ComposerError))


class _Loader(yaml.SafeLoader):
  """The core schema; refuses equal keys, values within themselves, and what is too deep or too large."""

  def __init__(self, stream: str):
    super().__init__(stream)
    self.depth = 0
    self.sizes: dict[int, int] = {}  # values in a node that is complete

  def compose_node(self, parent, index):
    mark = self.peek_event().start_mark
    self.depth += 1
    if self.depth > DEEPEST:
      raise yaml.composer.ComposerError(None, None, f'more than {DEEPEST} levels within one another', mark)
    known = self.check_event(yaml.AliasEvent)
    node = super().compose_node(parent, index)
    assert node is not None
    self.depth -= 1
    if known and id(node) not in self.sizes:
      raise yaml.composer.ComposerError(None, None, 'a value stands within itself', mark)
    if not known:
      self.sizes[id(node)] = 1 + sum([self.sizes[id(part)] for part in _parts(node)])
    if self.sizes[id(node)] > MOST:
      raise yaml.composer.ComposerError(None, None, f'more than {MOST:,} values', mark)
    return node


_Loader.yaml_implicit_resolvers, _Loader.yaml_constructors = {}, {}  # none of version 1.1


class Dumper(yaml.SafeDumper):
  """Quotes what either version of YAML would take for something else than text; repeats nothing by alias."""

  def ignore_aliases(self, data):
    return True


def _parts(node: yaml.Node) -> list[yaml.Node]:
  if isinstance(node, yaml.ScalarNode):
    return []
  return [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]


def _wrong(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
  return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _scalar(node: yaml.Node, kind: str) -> str:
  """A scalar's text, which an explicit tag may contradict."""
  text = node.value
  if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(_CORE[kind][0], text):
    raise _wrong(f'this is no {kind}, as its tag says', node)
  return text


def _null(loader: _Loader, node: yaml.Node) -> None:
  _scalar(node, 'null')


def _int(loader: _Loader, node: yaml.Node) -> int:
  text = _scalar(node, 'int')
  if len(text) > DIGITS:
    raise _wrong(f'a whole number of {len(text):,} digits; at most {DIGITS} can be read', node)
  return int(text, {'0o': 8, '0x': 16}.get(text[:2], 10))


def _float(loader: _Loader, node: yaml.Node) -> float:
  return float(_scalar(node, 'float').lower().replace('.inf', 'inf').replace('.nan', 'nan'))


def _text(loader: _Loader, node: yaml.Node) -> str:
  if not isinstance(node, yaml.ScalarNode):
    raise _wrong('this is no text, as its tag says', node)
  if re.search('[\ud800-\udfff]', node.value):
    raise _wrong('half a character, a surrogate', node)
  return node.value


def _list(loader: _Loader, node: yaml.Node) -> list[Any]:
  if not isinstance(node, yaml.SequenceNode):
    raise _wrong('this is no list, as its tag says', node)
  return [loader.construct_object(part, deep=True) for part in node.value]


def _mapping(loader: _Loader, node: yaml.Node) -> dict[Any, Any]:
  if not isinstance(node, yaml.MappingNode):
    raise _wrong('these are no names and values, as the tag says', node)
  found: dict[Any, Any] = {}
  for name, value in node.value:
    if not isinstance(name, yaml.ScalarNode):
      raise _wrong('a name must be text', name)
    key = loader.construct_object(name, deep=True)
    if key in found:
      raise _wrong(f'{name.value[:DIGITS]!r} stands twice; leave one of them out', name)
    found[key] = loader.construct_object(value, deep=True)
  return found


def _unknown(loader: _Loader, node: yaml.Node) -> Any:
  raise _wrong(f'there is no tag {node.tag.replace(_TAG, "!!")!r} here', node)


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
