"""Pages that list what there is: combinators, nets, augmentations, optimizers, datasets, settings."""

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel

from ssl_bench import plugins
from ssl_bench.cli.listing import LISTS
from ssl_bench.docs.markdown import cell, hint_of, prose, read_docstring, settings_table, table
from ssl_bench.settings.sections import Config
from ssl_bench.settings.yaml12 import write_yaml

HEADS = {
  'combinators': (
    'Combinators',
    'A combinator changes the pseudo-labels of any method that makes them, such as `fixmatch`. Several stand'
    " in a row: `combine='distribution_alignment | curriculum(5)'`, the first the innermost."
    ' Over a method that makes none, a combinator is refused with a sentence. The papers’ settings are in'
    ' `configs/cifar10/curriculum.yaml` and `class_aware_sampling.yaml`.',
  ),
  'nets': (
    'Nets',
    'A net turns images or tokens into features. Write `net=vit` or `net={name: vit, depth: 6}`.',
  ),
  'augmentations': (
    'Augmentation operations',
    "A policy is a line of text: `augment.strong='crop(1) | cutout(3)'`. Values without a name fill the"
    ' settings in order. Every operation runs on the device, on one uint8 image, inside the compiled step.',
  ),
  'optimizers': (
    'Optimizers',
    'Write `optimizer=adamw` or `optimizer.lr=0.1`. `optimizer.clip` limits the global norm of a gradient;'
    ' `optimizer.groups` gives other settings to a first level of the parameters.',
  ),
}


def pages() -> dict[str, str]:
  """Path under docs/ -> Markdown."""
  lists = {f'reference/{kind}.md': _factories(kind) for kind in HEADS}
  return lists | {'reference/datasets.md': datasets(), 'reference/settings.md': settings()}


def _factories(kind: str) -> str:
  title, about = HEADS[kind]
  traced = kind != 'augmentations'
  parts = [f'# {title}\n', f'{about}\n']
  for name in plugins.own_names(LISTS[kind]):
    factory = plugins.get(LISTS[kind], name)
    parts += [f'## {name}\n', _about(factory, kind), settings_table(factory, compiled=traced)]
  return '\n'.join(parts)


def _about(factory: Callable, kind: str) -> str:
  idea = inspect.getmodule(factory).__doc__ or '' if kind == 'combinators' else ''
  first = [idea.partition('\n')[0]] if idea else []
  return prose([*first, *read_docstring(factory).paragraphs])


def datasets() -> str:
  """All datasets with sizes and licenses; nothing of it depends on what is prepared on a machine."""
  from ssl_bench import data

  rows = []
  for row in data.available():
    if plugins.origin('datasets', row.name) != plugins.OURS:
      continue
    image = '×'.join(map(str, row.shape))
    unlabeled = f'{row.unlabeled:,}' if row.unlabeled else ''
    sizes = [f'{n:,}' for n in (row.train, row.validation, row.test)]
    rows.append([f'`{row.name}`', row.version, image, str(row.classes), *sizes, unlabeled, cell(row.license)])
  head = ['name', 'version', 'image', 'classes', 'training', 'validation', 'test', 'unlabeled', 'license']
  return '\n'.join([
    '# Datasets\n',
    'The parts are fixed for each dataset. `ssl-bench data list` says which ones are on your machine,'
    ' `ssl-bench data prepare NAME` gets one, and `ssl-bench data check NAME` reads all of it again.'
    ' Your own: [a dataset](../your-own/dataset.md).\n',
    '`digits`, `digits_captions` (the digits with captions in six languages) and `identifiers` (names of ten'
    ' programming languages as bytes, from the tables of builtins in Pygments: whose is a name?) come with'
    ' the installation. Two tables, the series and `interface_texts` (in which of 30 languages is a text of'
    " Django's interface?) are read from files of other packages, which the list on your machine names."
    ' The others have the names and versions of TensorFlow Datasets and are prepared'
    ' without TensorFlow.\n',
    table(head, rows),
  ])  # fmt: skip


def settings() -> str:
  """The settings of a config, read from its typed sections."""
  from ssl_bench.config import config_class

  return '\n'.join([
    '# Settings of a config\n',
    'Write `name=value` after a command, or the same in a YAML file. Settings of methods, nets, combinators,'
    ' augmentations and optimizers are on their own pages.\n',
    table(['setting', 'type', 'default', 'meaning'], _fields(config_class(), '')),
  ])  # fmt: skip


def _fields(model: type[BaseModel], prefix: str) -> Iterator[list[str]]:
  comments = _comments(model)
  for name, field in model.model_fields.items():
    inner = [t for t in (field.annotation, *typing.get_args(field.annotation)) if _is_section(t)]
    if inner:
      yield from _fields(inner[0], f'{prefix}{name}.')
      continue
    bounds = ', '.join(filter(None, map(_bound, field.metadata)))
    default = 'needed' if field.is_required() else f'`{_written(field.default)}`'
    kind = f'{hint_of(field.annotation)} {bounds}'.strip()
    yield [f'`{prefix}{name}`', cell(kind), default, cell(comments.get(name, ''))]


def _written(value: Any) -> str:
  return write_yaml(list(value) if isinstance(value, tuple) else value)


def _is_section(hint: Any) -> bool:
  """Whether a type is a section of a config; a teacher, a config itself, is not."""
  return isinstance(hint, type) and issubclass(hint, BaseModel) and not issubclass(hint, Config)


def _comments(model: type[BaseModel]) -> dict[str, str]:
  """Field -> the comment behind it in the source; a config with sections of patterns is made of `Config`."""
  written = Config if issubclass(model, Config) else model
  return dict(re.findall(r'^  (\w+): [^\n]*?  # (.*)$', inspect.getsource(written), re.MULTILINE))


def _bound(mark: Any) -> str:
  signs = {'ge': '≥', 'gt': '>', 'le': '≤', 'lt': '<'}
  return ', '.join(
    f'{sign} {getattr(mark, n):,}' for n, sign in signs.items() if getattr(mark, n, None) is not None
  )
