"""What the golden file of a method checks, as Markdown."""

import importlib.util
import sys
from collections.abc import Iterable
from types import ModuleType

from ssl_bench.docs import ROOT
from ssl_bench.docs.markdown import cell, table

TESTS = ROOT / 'tests'


def golden_of(method: str) -> ModuleType | None:
  """The golden file of a method, which needs NumPy only, or None where it has none."""
  if not (TESTS / 'golden' / f'{method}.py').is_file():
    return None
  sys.path.insert(0, str(TESTS))
  try:
    return importlib.import_module(f'golden.{method}')
  finally:
    sys.path.remove(str(TESTS))


def checks(method: str) -> str:
  """What is compared with NumPy in float64, and which parameters and views each term reaches."""
  golden = golden_of(method)
  if golden is None:
    return 'It has no golden file.\n'
  if not (getattr(golden, 'FLOWS', {}) or getattr(golden, 'REFRESHES', {})):
    return 'It learns nothing, so there is no loss and no memory to compare.\n'
  lines = [f'`tests/golden/{method}.py` writes the method down once more, in float64 NumPy.']
  if flows := getattr(golden, 'FLOWS', {}):
    rows = [[f'`{term}`', _names(flow.params), _names(flow.views)] for term, flow in flows.items()]
    lines += [
      'A gradient reaches what this table says, and is zero everywhere else:\n',
      table(['term', 'parameters', 'through the views'], rows),
      f'BatchNorm’s running moments see the views {_names(golden.OBSERVED)}.',
    ]
  if memory := getattr(golden, 'MEMORY', ()):
    lines.append(f'Memory: {_names(memory)}.')
  if cases := getattr(golden, 'CASES', {}):
    rows = [[cell(name), _settings(case.settings), f'{case.loss:g}'] for name, case in cases.items()]
    lines += ['Loss and gradients are compared in these cases:\n', table(['case', 'settings', 'loss'], rows)]
  if renewals := getattr(golden, 'REFRESHES', {}):
    rows = [[cell(name), _settings(case.settings), f'{case.value:g}'] for name, case in renewals.items()]
    lines += ['What it renews between epochs:\n', table(['case', 'settings', 'value'], rows)]
  return '\n'.join(lines)


def _names(names: Iterable[str]) -> str:
  return ', '.join(f'`{name}`' for name in sorted(names)) or 'none'


def _settings(settings) -> str:
  return ', '.join(f'`{name}={value}`' for name, value in settings.items()) or 'the defaults'
