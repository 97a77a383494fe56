"""Text of records in Markdown: a reader sees it as it is, and none of it is markup."""

import re

from ssl_bench.records.strict_json import printable

_ENTITY = re.compile(r'&(?=#?\w+;)')
_MARKS = re.compile(r'[\\|*_`\[\]~$]')
_TAGS = {'<': '&lt;', '>': '&gt;'}


def escape(text: str) -> str:
  """Text that Markdown leaves as it is, on one line, also within a table."""
  plain = _ENTITY.sub('&amp;', printable(text))
  return _MARKS.sub(r'\\\g<0>', plain).replace('<', _TAGS['<']).replace('>', _TAGS['>'])


def code(text: str) -> str:
  """Text as code: a span in as many backticks as it needs, or an element where there is a `<` in it."""
  plain = printable(text)
  if '<' in plain:
    return f'<code>{escape(plain)}</code>'
  fence = '`' * (1 + max(map(len, re.findall('`+', plain)), default=0))
  pad = ' ' if plain.startswith('`') or plain.endswith('`') or not plain else ''
  return f'{fence}{pad}{plain}{pad}{fence}'
