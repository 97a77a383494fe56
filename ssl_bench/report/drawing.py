"""Drawings of a report: small panels as SVG in the page, each with a description in words."""

import warnings
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from ssl_bench.leaderboard.render.svg import HUES, INK, canvas, to_svg
from ssl_bench.records.strict_json import printable
from ssl_bench.report.parts import Figure

if TYPE_CHECKING:
  from matplotlib.axes import Axes

LOOKS = ((HUES[0], '-', 'o'), (HUES[1], '--', 's'))  # of the first and the second trial: color, line, mark


def drawing(
  title: str, said: str, draw: 'Callable[[Axes], None]', *, width: float = 3.1, height: float = 2.1
) -> Figure:
  """What `draw` puts on axes of `width` × `height` inches; `said` tells it in words."""
  figure, (ax,) = canvas(1, 1, width=width, height=height)
  draw(ax)
  with warnings.catch_warnings():  # the page's font has signs that matplotlib's lacks
    warnings.filterwarnings('ignore', 'Glyph .* missing from')
    svg = to_svg(figure, f'{title}\n{said}')
  named = f'role="img" aria-label="{escape(printable(said))}"'
  return Figure(title, svg.replace('role="img"', named, 1))


def legend(ax: 'Axes', **where: Any) -> None:
  """Names of what is drawn, in the page's ink."""
  ax.legend(frameon=False, fontsize=8, labelcolor=INK, **where)


def plain(text: str) -> str:
  """Text of a record as matplotlib draws it: no formula, no control character."""
  return printable(text).replace('$', r'\$')


def number(value: float) -> str:
  """Four digits of a number, as a sentence has it: `'1,500'`, `'0.02345'`."""
  return f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.4g}'
