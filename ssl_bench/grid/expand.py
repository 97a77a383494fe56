"""A grid is a file of axes; expanding it gives configs, in order, each once."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench.config import Config, adopt, check_data, to_dict, validate
from ssl_bench.signature import BadSetting, suggest
from ssl_bench.tree import (
  check_file,
  merge,
  overlay,
  parse_override,
  read_protocol,
  read_sections,
  read_yaml,
)

KEYS = ('name', 'base', 'set', 'blocks')


class Grid(NamedTuple):
  """What a grid file says."""

  name: str
  configs: tuple[Config, ...]


def expand(path: str | Path, overrides: Sequence[str] = (), *, need_data: bool = False) -> Grid:
  """The grid of a file.

  A config is the base folder's `_protocol.yaml`, then the method's own file there, then `set`, then one
  cell of a block, then `overrides`.  In a block every list is an axis; `split_seed, seed: [[0, 0], [1, 1]]`
  is one axis of two settings that move together.  Raises `BadSetting` with the block that is wrong and,
  with `need_data`, where a data set is not here.
  """
  path = Path(path)
  check_file(path, 'grid')
  tree = read_yaml(path)
  for key in tree:
    if key not in KEYS:
      raise BadSetting(f'{path}: there is no {key!r} in a grid; {suggest(key, KEYS)}')
  if not isinstance(tree.get('blocks'), list) or not tree['blocks']:
    raise BadSetting(f'{path} needs blocks, a list of axes.')
  base = _find(path, str(tree.get('base', '')))
  name, changes = str(tree.get('name', path.stem)), tree.get('set') or {}
  if not re.fullmatch(r'\w[\w.-]*', name):
    raise BadSetting(f'{path}: name is that of a folder: letters, digits, dots and dashes, not {name!r}.')
  if not isinstance(changes, Mapping):
    raise BadSetting(f'{path}: set must hold settings of the form name: value, not {changes!r}.')
  configs: dict[str, Config] = {}
  for number, block in enumerate(tree['blocks'], 1):
    try:
      for cell in cells(block):
        tree = assemble(base, changes, cell, overrides)
        if need_data:
          check_data(tree)
        config = validate(adopt(tree, base))
        configs.setdefault(str(to_dict(config)), config)
    except BadSetting as error:
      raise BadSetting(f'{path}, block {number}: {error}') from None
  return Grid(name, tuple(configs.values()))


def assemble(
  base: Path, changes: Mapping[str, Any], cell: Mapping[str, Any], overrides: Sequence[str]
) -> dict[str, Any]:
  """The tree of one config of a grid."""
  tree = read_protocol(base)
  method = cell['method'].get('name') if isinstance(cell['method'], Mapping) else cell['method']
  own = base / f'{method}.yaml'
  if own.is_file():
    tree = merge(tree, read_sections(own))
  for settings in (changes.items(), cell.items(), map(parse_override, overrides)):
    tree = overlay(tree, ((str(name), value) for name, value in settings))
  return tree


def cells(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  """Every combination of a block's axes, the last one moving fastest."""
  if not isinstance(block, Mapping):
    raise BadSetting(f'a block holds settings of the form name: values, not {block!r}.')
  axes = []
  for key, values in block.items():
    names = [name.strip() for name in str(key).split(',')]
    values = values if isinstance(values, list) else [values]
    if not values:
      raise BadSetting(f'{key!r} has no value; write one or leave it out.')
    if len(names) == 1:
      axes.append([{names[0]: value} for value in values])
    else:
      for value in values:
        if not isinstance(value, list) or len(value) != len(names):
          raise BadSetting(
            f'{key!r} moves {len(names)} settings together: each value is a list of {len(names)}.'
          )
      axes.append([dict(zip(names, value)) for value in values])
  if 'method' not in {name for axis in axes for name in axis[0]}:
    raise BadSetting('a block needs a method, such as method: [supervised, fixmatch].')
  for combination in itertools.product(*axes):
    yield {name: value for part in combination for name, value in part.items()}


def _find(path: Path, base: str) -> Path:
  """The base folder, looked for from the grid file's folders upward, then from the working folder."""
  for folder in (*path.absolute().parents, Path.cwd()):
    if base and (folder / base).is_dir():
      return folder / base
  raise BadSetting(
    f'{path}: base must name a folder of configs, such as configs/digits; there is no {base!r}.'
  )
