"""What there is, read from signatures: methods, nets, data sets, augmentations, optimizers."""

import inspect
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ssl_bench.settings.signature import describe_type, settings_of

KINDS = ('methods', 'combinators', 'nets', 'datasets', 'augmentations', 'optimizers', 'settings')


def show(kinds: Sequence[str]) -> None:
  """Prints the lists."""
  console = Console(highlight=False, width=max(120, Console().width))
  for kind in kinds:
    lists = {'datasets': _datasets, 'settings': _settings}
    lists[kind](console) if kind in lists else _factories(console, kind)


def factories(kind: str) -> dict[str, Callable]:
  """The factories of a kind by name."""
  from ssl_bench import augment, combine, methods, nets, optim

  found: dict[str, dict[str, Callable]] = {
    'methods': {name: methods.get(name) for name in methods.names()},
    'combinators': {name: combine.get(name) for name in combine.names()},
    'nets': {name: nets.get(name) for name in nets.names()},
    'augmentations': dict(augment.operations()),
    'optimizers': dict(optim.OPTIMIZERS),
  }
  return found[kind]


def _factories(console: Console, kind: str) -> None:
  console.print(f'[bold]{kind}[/bold]')
  for name, factory in factories(kind).items():
    about: Any = inspect.getmodule(factory) if kind in ('methods', 'combinators') else factory
    console.print(Text.assemble('\n', (name, 'bold'), f'  {(inspect.getdoc(about) or "").splitlines()[0]}'))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for setting in settings_of(factory).values():
      kept = '' if setting.is_number or kind == 'augmentations' else ', compiled'
      bounds = '' if setting.range is None else f' in {setting.range}'
      told = f'{describe_type(setting.type)}{bounds}{kept}'
      table.add_row(' ', setting.name, _say(setting.default), Text(told))
    if settings_of(factory):
      console.print(table)
  console.print()


def _settings(console: Console) -> None:
  """A config's own settings; those of a method, a net and an optimizer are in their lists."""
  from pydantic import BaseModel

  from ssl_bench.config import config_class
  from ssl_bench.settings.sections import Config

  console.print('[bold]settings[/bold]')
  table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))

  def add(model: type[BaseModel], prefix: str) -> None:
    for name, field in model.model_fields.items():
      inner = [t for t in (field.annotation, *get_args(field.annotation)) if is_section(t)]
      if inner:
        add(inner[0], f'{prefix}{name}.')
      else:
        default = 'needed' if field.is_required() else _say(field.default)
        bounds = ', '.join(filter(None, map(_bound, field.metadata)))
        table.add_row(' ', prefix + name, default, Text(f'{_hint(field.annotation)} {bounds}'.strip()))

  def is_section(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel) and not issubclass(hint, Config)

  add(config_class(), '')
  table.add_row(' ', 'optimizer.clip', 'null', Text('a number > 0: the largest global norm of a gradient'))
  table.add_row(' ', 'optimizer.groups', 'null', Text('{first level of params: settings that differ there}'))
  console.print(table)
  console.print()


def _bound(mark: Any) -> str:
  """`Ge(ge=1)` as ≥ 1."""
  signs = {'ge': '≥', 'gt': '>', 'le': '≤', 'lt': '<'}
  return next((f'{sign} {getattr(mark, name):,}' for name, sign in signs.items() if hasattr(mark, name)), '')


def _hint(hint: Any) -> str:
  """A pydantic field's type as a user would say it."""
  base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
  if get_origin(base) in (Union, UnionType):
    return ' or '.join(_hint(part) for part in get_args(base))
  return 'settings by name' if get_origin(base) is dict else describe_type(base)


def _datasets(console: Console) -> None:
  from ssl_bench import data

  table = Table(title='datasets', title_justify='left', title_style='bold', box=None, padding=(0, 2, 0, 0))
  for head in ('name/version', 'train + validation + test', 'image', 'classes'):
    table.add_column(head, no_wrap=True)
  table.add_column('here', overflow='fold')
  rows = data.available()
  for row in rows:
    sizes = ' + '.join(f'{n:,}' for n in (row.train, row.validation, row.test))
    extra = f', {row.unlabeled:,} unlabeled' if row.unlabeled else ''
    here = f'{row.bytes / 1e6:.1f} MB, {(row.fingerprint or "")[:8]}' if row.ready else 'no'
    here = f'broken: {row.broken}' if row.broken else here
    image = '×'.join(map(str, row.shape))
    table.add_row(f'{row.name}/{row.version}', sizes + extra, image, str(row.classes), Text(here))
  console.print(table)
  for row in rows:
    if row.mend:
      console.print(f'\n{row.mend}', markup=False, soft_wrap=True)
  console.print('\nTo get what is not here:')
  for row in rows:
    if not row.ready and not row.mend:
      console.print(f'  {row.how}', markup=False, soft_wrap=True)


def _say(value: Any) -> str:
  return 'null' if value is None else str(value).lower() if isinstance(value, bool) else str(value)
