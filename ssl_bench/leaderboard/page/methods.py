"""What a method's file says of itself: its idea, and how it deviates from its publication."""

import ast
import re

from ssl_bench import plugins
from ssl_bench.settings.signature import BadSetting

_NEXT = r'(?=\n\n|\n *(?:Objective|Evaluated|BatchNorm|Memory|Labels|Args|Returns|On the \w+)\b|\Z)'
_DEVIATIONS = re.compile(rf'(?:^|\n)Deviations?\b[^:\n]*:?\s*(.*?){_NEXT}', re.DOTALL)


def about(name: str) -> dict[str, str]:
  """{'idea', 'source', 'deviations'} of a method, from the text of its file; {} where it is not at hand."""
  try:
    text = plugins.source_of(plugins.module_of('methods', name))
  except BadSetting:
    return {}
  if text is None:
    return {}
  tree = ast.parse(text)
  factory = next((n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name), None)
  said = (ast.get_docstring(factory) if factory else None) or ''
  found = {
    'idea': (ast.get_docstring(tree) or '').partition('\n')[0],
    'source': _one_line(said.partition('\n\n')[0]),
    'deviations': ' '.join(_one_line(one) for one in _DEVIATIONS.findall(said)),
  }
  return {key: value for key, value in found.items() if value}


def _one_line(text: str) -> str:
  return ' '.join(text.split())
