"""Pieces of Markdown: tables, and docstrings as paragraphs and explanations of settings."""

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ssl_bench.settings.signature import describe_type, settings_of
from ssl_bench.settings.yaml12 import write_yaml

SPECIAL = re.compile(r'([\\*_\[\]<>|#])')
CODE = re.compile(r'(`[^`\n]+`)')
LABEL = re.compile(r'^(Objective|Evaluated|Deviations|BatchNorm|Memory|Labels)\b')
PART = re.compile(r'\n(?=(?:Objective|Evaluated|Deviations|BatchNorm|Memory)\b|On the digits\b)')


class Docstring(NamedTuple):
  """A docstring in parts: its paragraphs, and what stands under `Args:`, by name."""

  paragraphs: tuple[str, ...]
  settings: Mapping[str, str]


def escape(text: str) -> str:
  """Text in which nothing but `code` is Markdown."""
  parts = CODE.split(text)
  return ''.join(part if i % 2 else SPECIAL.sub(r'\\\1', part) for i, part in enumerate(parts))


def cell(text: str) -> str:
  """Text of a table's cell, with `code` kept."""
  parts = CODE.split(' '.join(text.split()))
  return ''.join(
    part.replace('|', r'\|') if i % 2 else SPECIAL.sub(r'\\\1', part) for i, part in enumerate(parts)
  )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """A table; cells are Markdown, such as `cell` makes."""
  lines = [head, ['---'] * len(head), *rows]
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines) + '\n'


def read_docstring(documented: Any) -> Docstring:
  """The docstring of a module or a function in parts."""
  lines = (inspect.getdoc(documented) or '').splitlines()
  start = lines.index('Args:') if 'Args:' in lines else len(lines)
  end = next((i for i in range(start + 1, len(lines)) if lines[i] and lines[i][0] != ' '), len(lines))
  settings: dict[str, str] = {}
  for line in lines[start + 1 : end]:
    name = re.match(r'  (\w+): (.*)', line)
    if name:
      settings[name[1]] = name[2]
    elif line.strip() and settings:
      settings[list(settings)[-1]] += f' {line.strip()}'
  blocks = [
    b for block in '\n'.join([*lines[:start], '', *lines[end:]]).split('\n\n') for b in PART.split(block)
  ]
  return Docstring(tuple(block.strip('\n') for block in blocks if block.strip()), settings)


def prose(paragraphs: Iterable[str]) -> str:
  """Paragraphs as Markdown: lists stay lists, what is drawn with characters stays as it is."""
  return ''.join(f'{_paragraph(block)}\n\n' for block in paragraphs)


def _paragraph(block: str) -> str:
  if re.search(r'^ *===', block, re.MULTILINE) or all(line.startswith('  ') for line in block.splitlines()):
    return f'```text\n{inspect.cleandoc(block)}\n```'
  first, *items = re.split(r'^ *\* ', block, flags=re.MULTILINE)
  listed = ''.join(f'\n* {escape(" ".join(item.split()))}' for item in items)
  lead = LABEL.sub(r'**\1**', escape(' '.join(first.split())))
  return f'{lead}\n{listed}' if lead and listed else lead or listed.strip()


def settings_table(factory: Callable, *, compiled: bool = True) -> str:
  """The settings of a factory as a table, or a sentence where it has none."""
  about = read_docstring(factory).settings
  rows = []
  for setting in settings_of(factory).values():
    kind = describe_type(setting.type) + (f' in {setting.range}' if setting.range else '')
    default = 'needed' if setting.required else f'`{write_yaml(setting.default)}`'
    traced = ['traced' if setting.is_number else 'compiled'] if compiled else []
    rows.append([f'`{setting.name}`', cell(kind), default, *traced, cell(about.get(setting.name, ''))])
  if not rows:
    return 'It has no settings.\n'
  return table(['setting', 'type', 'default', *(['change'] if compiled else []), 'meaning'], rows)


def hint_of(hint: Any) -> str:
  """A pydantic field's type as a user would say it."""
  if typing.get_origin(hint) is typing.Annotated:
    return hint_of(typing.get_args(hint)[0])
  if typing.get_origin(hint) is dict:
    return 'settings by name'
  arguments = typing.get_args(hint)
  if arguments and typing.get_origin(hint) not in (tuple, typing.Literal):
    return ' or '.join(map(hint_of, arguments))
  return describe_type(hint)
