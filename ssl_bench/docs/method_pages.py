"""One page for each method, and their index by mechanism."""

import importlib
import inspect
import re
from collections.abc import Mapping
from functools import cache

from ssl_bench import config, methods
from ssl_bench.docs import ROOT
from ssl_bench.docs.checks import checks
from ssl_bench.docs.markdown import cell, escape, prose, read_docstring, settings_table, table
from ssl_bench.docs.results import cells, measured_table, published_table, rows

PITFALLS = ROOT / 'docs' / 'pitfalls.md'
FACTS = {
  'encoder': 'the network of the config (`net`)',
  'classes': 'the number of classes',
  'shape': 'the shape of an image',
  'steps': 'the number of steps',
  'examples': 'the number of unlabeled images',
  'held': 'the number of unlabeled images of a client',
  'teacher': 'another trial’s trained network (`teacher`)',
  'text_encoder': 'a network for captions (`text_net`)',
}


def pages() -> dict[str, str]:
  """Path under docs/ -> Markdown, of every method and of the index."""
  return {'methods/index.md': index()} | {f'methods/{name}.md': page(name) for name in methods.names()}


def by_mechanism() -> dict[str, list[str]]:
  """Folder of `ssl_bench/methods` -> its methods."""
  found: dict[str, list[str]] = {}
  for name in methods.names():
    found.setdefault(_module(name).split('.')[-2], []).append(name)
  return dict(sorted(found.items()))


def _module(name: str) -> str:
  return inspect.getmodule(methods.get(name)).__name__  # type: ignore[union-attr]


def _idea(name: str) -> str:
  return (importlib.import_module(_module(name)).__doc__ or '').partition('\n')[0]


def index() -> str:
  """The methods by mechanism, each with its idea and one measured number."""
  text = [
    '# Methods\n',
    'One file holds one method, in a folder by mechanism; the name of the file is the name of the method.',
    'A method learns from two streams: labeled and unlabeled images. One that uses labels in its loss is',
    'called semi-supervised; one that does not is called self-supervised, and a probe judges its features.\n',
    'The last column is the accuracy on the bundled digits with 40 labels, in percent, from the committed',
    'records (mean and 95 % interval over splits). The [protocol](../protocol.md) says how it is measured.\n',
  ]
  for mechanism, names in by_mechanism().items():
    about = importlib.import_module(f'ssl_bench.methods.{mechanism}').__doc__ or ''
    text.append(f'## {mechanism.replace("_", " ").capitalize()}\n')
    if about:
      text.append(f'{escape(about.partition(chr(10))[0])}\n')
    lines = [[f'[`{name}`]({name}.md)', cell(_idea(name)), _forty(name)] for name in names]
    text.append(table(['method', 'idea', 'digits, 40 labels'], lines))
  return '\n'.join(text)


def _forty(name: str) -> str:
  for one in rows(name):
    if (one.dataset, one.labels, one.row.variant, one.row.stress) == ('digits', 40, {}, {}):
      return cells.percent(one.row.accuracy, cells.digits_of(one.row), interval=True).text
  return '–'


def page(name: str) -> str:
  """The page of one method."""
  factory, module = methods.get(name), _module(name)
  facts = [
    f'* `{fact}`: {FACTS.get(fact, "given by the bench")}'
    for fact, one in inspect.signature(factory).parameters.items()
    if one.kind is one.POSITIONAL_OR_KEYWORD
  ]
  faults = pitfalls().get(name)
  return '\n'.join([
    f'# {name}\n',
    f'{escape(_idea(name))}\n',
    f'Mechanism: {module.split(".")[-2].replace("_", " ")}. Version {methods.version(name)}.'
    f' Source: `{module.replace(".", "/")}.py`.\n',
    prose(read_docstring(factory).paragraphs),
    '## Settings\n',
    'Write a setting as `method.name=value`. A traced number can change without compiling again.\n',
    settings_table(factory),
    'The bench gives it:\n' if facts else 'It asks the bench for nothing.\n',
    *facts,
    '',
    *(['## Known faults of public implementations\n', f'{faults}\n'] if faults else []),
    '## Checks\n',
    checks(name),
    '## Measured here\n',
    'Means and 95 % intervals over splits, from the committed records.'
    ' An arrow leads from the value before temperature scaling to the one after.\n',
    measured_table(name),
    '## Published elsewhere\n',
    'Protocols differ; the column says how. A dash means that this project has not measured it.\n',
    published_table(name),
    '## Configs\n',
    _configs(name),
  ])  # fmt: skip


@cache
def pitfalls() -> Mapping[str, str]:
  """Method -> what `docs/pitfalls.md` says of it."""
  found = {}
  for line in PITFALLS.read_text(encoding='utf-8').splitlines():
    if match := re.fullmatch(r'\| `(\w+)` \| (.*) \| (.*) \|', line):
      found[match[1]] = f'{match[2]} Here: {match[3]}'
  return found


@cache
def _users() -> Mapping[str, list[str]]:
  """Method -> the paths of the configs that use it, each with its text."""
  found: dict[str, list[str]] = {}
  for path in sorted((ROOT / 'configs').glob('*/[!_]*.yaml')):
    found.setdefault(config.load(path).method['name'], []).append(path.relative_to(ROOT).as_posix())
  return found


def _configs(name: str) -> str:
  used = _users().get(name, [])
  if not used:
    return f'No config of its own: `ssl-bench train configs/digits/{name}.yaml` uses the defaults above.\n'
  text = [f'Each stands on the `_protocol.yaml` of its folder. Train one with `ssl-bench train {used[0]}`.\n']
  for path in used:
    body = (ROOT / path).read_text(encoding='utf-8').rstrip()
    indented = '\n'.join(f'    {line}'.rstrip() for line in ['```yaml', *body.splitlines(), '```'])
    text.append(f'??? note "`{path}`"\n\n{indented}\n')
  return '\n'.join(text)
