"""The page: one HTML file that holds its data, its scripts and its style, and asks for nothing else."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files as resources
from typing import TYPE_CHECKING

from ssl_bench.leaderboard.page.data import data
from ssl_bench.leaderboard.page.figures import Figure
from ssl_bench.leaderboard.page.trials import Curves
from ssl_bench.leaderboard.page.words import script_json
from ssl_bench.leaderboard.rows import Board
from ssl_bench.leaderboard.signs import NONE, Signs
from ssl_bench.records.strict_json import printable

if TYPE_CHECKING:
  from jinja2 import Template

VENDOR = ('d3-7.9.0.min.js', 'plot-0.6.17.umd.min.js')
SCRIPTS = (  # each needs only those before it, until the last one starts the page
  'dom', 'numbers', 'board', 'statistics', 'address', 'exports', 'grid', 'looks', 'figure',
  'ranking_figures', 'named_figures', 'columns', 'ranking', 'facets', 'compare', 'method', 'trial',
  'sections', 'start',
)  # fmt: skip
STYLES = ('colors', 'layout', 'tables', 'figures', 'print')


def page(
  board: Board,
  *,
  files: Mapping[str, str] | None = None,
  curves: Curves = lambda name: None,
  figures: Sequence[Figure] = (),
  signs: Signs = NONE,
) -> str:
  """The whole page as HTML; the keywords are those of `data`."""
  tree = script_json(data(board, files=files, curves=curves, figures=figures, signs=signs))
  scripts = [*(asset(f'vendor/{name}') for name in VENDOR), application()]
  return template('leaderboard/page', 'page.html.j2').render(
    empty=not board.sections and not board.reproduced,
    data=tree,
    scripts=scripts,
    hashes=[_hash(text) for text in scripts],
    style='\n'.join(asset(f'assets/{name}.css') for name in STYLES),
  )


def template(room: str, name: str) -> 'Template':
  """A template of a room of this package; texts in it are escaped, and printable on one line."""
  from jinja2 import Environment, PackageLoader, StrictUndefined

  environment = Environment(
    loader=PackageLoader('ssl_bench', room),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: printable(value) if type(value) is str else value,
  )
  return environment.get_template(name)


@lru_cache
def asset(name: str) -> str:
  """The text of a file beside this one."""
  return (resources(__package__) / name).read_text(encoding='utf-8').strip()


@lru_cache
def application() -> str:
  """The page's own scripts as one, none of whose names is seen outside."""
  own = '\n'.join(asset(f'assets/{name}.js') for name in SCRIPTS)
  return f"(() => {{\n'use strict';\n{own}\n}})();"


def _hash(text: str) -> str:
  """What the page's policy calls a script: only those that it names are run."""
  return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
