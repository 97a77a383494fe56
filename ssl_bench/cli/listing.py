"""What there is, read from signatures, and whose it is where it is a plugin's."""

import inspect
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ssl_bench import plugins
from ssl_bench.settings.signature import BadSetting, describe_type, settings_of

LISTS = {  # list -> the kind of its things, as plugins name it
  'methods': 'methods',
  'combinators': 'combine',
  'nets': 'nets',
  'datasets': 'datasets',
  'augmentations': 'augment',
  'optimizers': 'optimizers',
  'schedules': 'schedules',
  'probes': 'probes',
  'measures': 'measures',
  'trackers': 'trackers',
}
KINDS = (*LISTS, 'settings')


def show(kinds: Sequence[str]) -> None:
  """Prints the lists; those of which there is nothing are left out."""
  console = Console(highlight=False, width=max(120, Console().width))
  for kind in kinds:
    if kind == 'settings':
      _settings(console)
    elif kind == 'datasets':
      _datasets(console)
    elif plugins.names(LISTS[kind]):
      _things(console, kind)


def _things(console: Console, title: str) -> None:
  kind = LISTS[title]
  console.print(f'[bold]{title}[/bold]')
  for name in plugins.names(kind):
    origin = plugins.origin(kind, name)
    whose = '' if origin == plugins.OURS else f'  ({origin})'
    try:
      thing = plugins.get(kind, name)
    except BadSetting as error:  # of a package that cannot be imported
      console.print(Text.assemble('\n', (name, 'bold'), f'{whose}  {error}'))
      continue
    console.print(Text.assemble('\n', (name, 'bold'), f'{whose}  {_about(kind, thing)}'))
    if inspect.isfunction(thing) and kind != 'probes':
      _signature(console, thing, kind)
  console.print()


def _about(kind: str, thing: Any) -> str:
  """One line on a thing: of a row its hint, of a function its docstring's first line, or its module's."""
  if not inspect.isfunction(thing):
    return str(getattr(thing, 'hint', thing))
  of_module = inspect.getdoc(inspect.getmodule(thing)) if kind in ('methods', 'combine') else None
  return (of_module or inspect.getdoc(thing) or '').partition('\n')[0]


def _signature(console: Console, factory: Callable, kind: str) -> None:
  table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
  for setting in settings_of(factory).values():
    compiled = kind in ('methods', 'combine', 'nets', 'optimizers') and not setting.is_number
    bounds = '' if setting.range is None else f' in {setting.range}'
    told = f'{describe_type(setting.type)}{bounds}{", compiled" if compiled else ""}'
    table.add_row(' ', setting.name, _say(setting.default), Text(told))
  if settings_of(factory):
    console.print(table)


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
  rows = data.available(outside=True)
  for row in rows:
    sizes = ' + '.join(f'{n:,}' for n in (row.train, row.validation, row.test))
    extra = f', {row.unlabeled:,} unlabeled' if row.unlabeled else ''
    here = f'{row.bytes / 1e6:.1f} MB, {(row.fingerprint or "")[:8]}' if row.ready else 'no'
    here = f'broken: {row.broken}' if row.broken else here
    origin = plugins.origin('datasets', row.name)
    here += '' if origin == plugins.OURS else f' ({origin or "added"})'
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
