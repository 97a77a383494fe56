"""A grid is a file of axes; expanding it gives configs, in order, each once."""

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from ssl_bench import plugins
from ssl_bench.config import Config, adopt, check_data, to_dict, validate
from ssl_bench.data import check_configs
from ssl_bench.grid.select import Trial, check_overrides
from ssl_bench.grid.select import select as choose
from ssl_bench.settings.explain import say
from ssl_bench.settings.find import NAME_BYTES, check_file, find, is_file, shipped
from ssl_bench.settings.paths import find_plugins
from ssl_bench.settings.sections import SEEDS
from ssl_bench.settings.signature import BadSetting, short, suggest
from ssl_bench.settings.yaml import (
  leaves,
  merge,
  nest,
  overlay,
  parse_override,
  read_protocol,
  read_sections,
  read_yaml,
)

KEYS = ('name', 'base', 'plugins', 'vmap_seeds', 'set', 'blocks')
TAKEN = ('train', 'compiled', 'null', 'none')  # folders of a run's that are no grid's, and no names
NAME_LENGTH = 100
SEEDED = ('split_seed', 'seed')
UNSEEDED = dict.fromkeys(SEEDED, 0)
MOST = 1_000_000  # trials of a grid
MOST_TOGETHER = 64  # seeds in one program

Read = Callable[[str], dict[str, Any]]


class Grid(NamedTuple):
  """What a grid file says."""

  name: str
  configs: tuple[Config, ...]
  together: int = 1  # trainings that differ in seeds alone, at most, in one program


def expand(
  path: str | Path, overrides: Sequence[str] = (), *, select: Sequence[str] = (), need_data: bool = False
) -> Grid:
  """The grid of a file.

  A config is the base folder's `_protocol.yaml`, then the method's own file there, then `set`, then one
  cell of a block, then `overrides`.  In a block every list is an axis; `split_seed, seed: [[0, 0], [1, 1]]`
  is one axis of two settings that move together.  Raises `BadSetting` with the block that is wrong, for an
  override of what varies over the grid and, with `need_data`, where a data set is not here.

  Args:
    path: the file, or a name such as quickstart, looked for in `./experiments`, then in the package.
    overrides: settings as key=value, for all trials that are kept.
    select: which of the file's trials to keep, by terms such as seed=0 (`grid.select`); all without one.
    need_data: whether the data sets have to be here.
  """
  path = find(Path(path), 'grid')
  check_configs(path, 'grid')
  check_file(path, 'grid')
  tree = find_plugins(read_yaml(path), path)
  if 'methods' in tree and 'blocks' not in tree:
    raise BadSetting(f'{path} is the file of a tuning, not a grid; run it with `ssl-bench tune`.')
  for key in tree:
    if key not in KEYS:
      raise BadSetting(f'{path}: there is no {short(key)} in a grid; {suggest(key, KEYS)}')
  if not isinstance(tree.get('blocks'), list) or not tree['blocks']:
    raise BadSetting(f'{path} needs blocks, a list of axes.')
  base, changes = find_base(path, tree.get('base')), {} if tree.get('set') is None else tree['set']
  if not isinstance(changes, Mapping):
    raise BadSetting(f'{path}: set must hold settings of the form name: value, not {short(changes)}.')
  changes = merge({'plugins': tree.get('plugins') or []}, find_plugins(changes, path))
  name = check_name(path, tree.get('name', path.stem))
  together = _check_together(path, tree.get('vmap_seeds', 1))
  read = cache(partial(read_base, base))  # every file once
  blocks = _blocks(path, tree['blocks'])
  try:
    check_overrides([cell for block in blocks for cell in block], overrides)
  except BadSetting as error:
    raise BadSetting(f'{path}: {error}') from None
  numbered = [(f'block {number}', cell) for number, block in enumerate(blocks, 1) for cell in block]
  file = Source(path, base, read, changes)
  if select:
    there = [Trial(cell, config) for (_, cell), (config, _) in zip(numbered, file.configs(numbered, ()))]
    chosen = set(map(id, choose(there, select)))
    numbered = [one for one, trial in zip(numbered, there) if id(trial) in chosen]
  configs: dict[tuple[str, int, int], Config] = {}
  for config, text in file.configs(numbered, overrides, need_data):
    configs.setdefault((text, config.split_seed, config.seed), config)
  return Grid(name, tuple(configs.values()), together)


class Source(NamedTuple):
  """What makes a config of a cell: the file with the cells, its base folder, and what it sets for all."""

  path: Path
  base: Path
  read: Read
  changes: Mapping[str, Any]

  def configs(
    self, cells: Iterable[tuple[str, Mapping[str, Any]]], overrides: Sequence[str], need_data: bool = False
  ) -> Iterator[tuple[Config, str]]:
    """The config of each (where it stands, cell), and a text that it shares with those of other seeds.

    Cells that differ in seeds alone are read once.
    """
    given = {parse_override(text)[0] for text in overrides}
    shapes: dict[str, tuple[Config, str]] = {}
    for where, cell in cells:
      seeds = {k: cell[k] for k in SEEDED if _is_seed(cell.get(k)) and k not in given}
      shape = repr((where, [(k, v) for k, v in cell.items() if k not in seeds]))
      if shape not in shapes:
        config = self.config(where, cell, overrides, need_data)
        shapes[shape] = config, str(to_dict(config.model_copy(update=UNSEEDED)))
      config, text = shapes[shape]
      if config.teacher:  # which takes its seeds from the student
        config = self.config(where, cell, overrides)
        text = str(to_dict(config))
      elif seeds:
        config = config.model_copy(update=seeds)
      yield config, text

  def config(
    self, where: str, cell: Mapping[str, Any], overrides: Sequence[str], need_data: bool = False
  ) -> Config:
    """The config of a cell; `where` it stands is told of one that is wrong."""
    try:
      tree = assemble(self.read, self.changes, cell, overrides)
      plugins.load(tree.get('plugins'))
      if need_data:
        check_data(tree)
      return validate(adopt(tree, self.base))
    except BadSetting as error:
      raise BadSetting(f'{self.path}, {where}: {error}') from None


def _is_seed(value: Any) -> bool:
  """Whether a value can stand in a config as a seed without another look."""
  return type(value) is int and 0 <= value < SEEDS


def check_name(path: Path, name: Any) -> str:
  """The name of a grid; raises `BadSetting` for one that cannot be the name of its folder."""
  if not isinstance(name, str) or not re.fullmatch(r'\w[\w.-]*', name):
    raise BadSetting(f'{path}: name is that of a folder: letters, digits, dots, dashes, not {say(name)}.')
  if len(name.encode()) > NAME_LENGTH:
    raise BadSetting(f'{path}: name is that of a folder, of at most {NAME_LENGTH} bytes, not {short(name)}.')
  if name.casefold() in TAKEN:
    raise BadSetting(f'{path}: {name!r} is taken for something else beside grids; choose another name.')
  return name


def _check_together(path: Path, count: Any) -> int:
  if type(count) is not int or not 1 <= count <= MOST_TOGETHER:
    raise BadSetting(
      f'{path}: vmap_seeds is how many seeds train in one program, 1 to {MOST_TOGETHER}, not {say(count)}.'
    )
  return count


def _blocks(path: Path, blocks: Sequence[Any]) -> list[list[dict[str, Any]]]:
  """The cells of each block; raises `BadSetting` with the block that is wrong, or for too many of them."""
  axes = []
  for number, block in enumerate(blocks, 1):
    try:
      axes.append(axes_of(block))
    except BadSetting as error:
      raise BadSetting(f'{path}, block {number}: {error}') from None
  count = sum(math.prod(map(len, block)) for block in axes)
  if count > MOST:
    raise BadSetting(f'{path} has {count:,} cells; a grid has at most {MOST:,}. Split it into several.')
  return [list(cells(block)) for block in blocks]


def read_base(base: Path, method: str) -> dict[str, Any]:
  """What a folder says of a method: its protocol, and the method's own file where it has one."""
  tree, own = read_protocol(base), base / f'{method}.yaml'
  return merge(tree, read_sections(own)) if method.isidentifier() and is_file(own) else tree


def assemble(
  read: Read, changes: Mapping[str, Any], cell: Mapping[str, Any], overrides: Sequence[str]
) -> dict[str, Any]:
  """The tree of one config of a grid; `read` gives what the base folder says of a method."""
  method = cell['method'].get('name') if isinstance(cell['method'], Mapping) else cell['method']
  tree = read(method if isinstance(method, str) else '')
  for settings in (changes.items(), cell.items(), map(parse_override, overrides)):
    tree = overlay(tree, ((str(name), value) for name, value in settings))
  return tree


def cells(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  """Every combination of a block's axes, the last one moving fastest."""
  for combination in itertools.product(*axes_of(block)):
    yield {name: value for part in combination for name, value in part.items()}


def axes_of(block: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
  """The axes of a block, each the list of what it sets in turn; raises `BadSetting`."""
  if not isinstance(block, Mapping):
    raise BadSetting(f'a block holds settings of the form name: values, not {short(block)}.')
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
  found = [name.strip() for key in block for name in str(key).split(',')]
  given = [setting for axis in axes for cell in axis for setting in cell.items()]
  within = {
    dotted
    for name, value in given
    for place, _ in leaves(nest(name, value))
    if (dotted := '.'.join(place)) != name
  }
  for name in found:
    if found.count(name) > 1 or name in within:
      raise BadSetting(f'{name!r} stands twice in one block; leave one of them out.')
  if 'method' not in found:
    raise BadSetting('a block needs a method, such as method: [supervised, fixmatch].')
  return axes


def find_base(path: Path, base: Any) -> Path:
  """The base folder: from the grid file's folders upward, from the working folder, or in the package."""
  if base and isinstance(base, str) and all(len(part.encode()) <= NAME_BYTES for part in Path(base).parts):
    for folder in (*path.absolute().parents, Path.cwd(), shipped('')):
      if (folder / base).is_dir():
        return folder / base
  raise BadSetting(
    f'{path}: base must name a folder of configs, such as configs/digits; there is no {say(base)}.'
  )
