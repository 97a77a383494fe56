"""From matplotlib to SVG that lives in a page: byte-stable, and colored by the page's own variables."""

import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure

# Stand-ins that matplotlib can draw with; the SVG gets the page's variables, light or dark.
INK, FAINT, REST = '#010101', '#020202', '#030303'
HUES = tuple(f'#0a0b{i:02x}' for i in range(1, 8))
VARIABLES = {INK: 'currentColor', FAINT: 'var(--line)', REST: 'var(--muted)'} | {
  hue: f'var(--c{i})' for i, hue in enumerate(HUES, 1)
}

_STYLE: Any = {
  'svg.fonttype': 'none',
  'font.family': 'sans-serif',
  'font.sans-serif': ['DejaVu Sans'],
  'font.size': 9,
  'text.color': INK,
  'axes.edgecolor': FAINT,
  'axes.labelcolor': INK,
  'axes.titlecolor': INK,
  'axes.spines.top': False,
  'axes.spines.right': False,
  'axes.grid': True,
  'grid.color': FAINT,
  'grid.linewidth': 0.5,
  'axes.axisbelow': True,
  'xtick.color': INK,
  'ytick.color': INK,
  'figure.facecolor': 'none',
  'axes.facecolor': 'none',
}


def canvas(rows: int, columns: int, *, width: float, height: float) -> tuple['Figure', list['Axes']]:
  """A figure of rows × columns axes, each `height` inches high; unused ones are not drawn."""
  import matplotlib as mpl
  from matplotlib.figure import Figure

  with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE}):
    figure = Figure(figsize=(width, height * rows), layout=None)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
  return figure, list(axes)


def to_svg(figure: 'Figure', salt: str) -> str:
  import matplotlib as mpl

  for ax in figure.axes:
    if not ax.has_data():
      ax.remove()
  buffer = io.StringIO()
  nothing = dict.fromkeys(('Date', 'Creator', 'Type', 'Format'))
  with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE, 'svg.hashsalt': salt}):
    figure.savefig(buffer, format='svg', bbox_inches='tight', metadata=nothing)
  return inline(buffer.getvalue())


def inline(svg: str) -> str:
  """An SVG file as an element of a page: no prolog, no address, no size, the page's colors and font."""
  svg = svg[svg.index('<svg') :]
  svg = re.sub(r'<metadata>.*?</metadata>\s*', '', svg, flags=re.DOTALL)
  svg = re.sub(r'<!--.*?-->\s*', '', svg, flags=re.DOTALL)
  svg = re.sub(r' xmlns(:\w+)?="[^"]*"', '', svg).replace('xlink:href', 'href')
  svg = re.sub(r'<g id="[^"]*"', '<g', svg)
  svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', _open, svg, count=1)
  svg = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", 'sans-serif', svg)
  for stand_in, variable in VARIABLES.items():
    svg = svg.replace(stand_in, variable)
  return svg.strip()


def _open(match: re.Match) -> str:
  """The opening tag: as wide as the page allows, up to 4/3 of its size in points."""
  width = float(match[1].split()[2])
  return f'<svg viewBox="{match[1]}" role="img" style="max-width: {width * 4 / 3:.0f}px">'
