"""From matplotlib to SVG that lives in a page: byte-stable, and colored by the page's own variables."""

import io
import re
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure

# Stand-ins that matplotlib can draw with; the SVG gets the page's variables, light or dark.
INK, FAINT, REST = '#010101', '#020202', '#030303'
HUES = tuple(f'#0a0b{i:02x}' for i in range(1, 8))
VARIABLES = {INK: 'currentColor', FAINT: 'var(--line)', REST: 'var(--muted)'} | {
  hue: f'var(--c{i})' for i, hue in enumerate(HUES, 1)
}
# Of figures that are files: 4.5:1 on white, told apart by the color-blind (after Okabe and Ito 2008, darker).
PALETTE = ('#0067a5', '#b84a00', '#00735a', '#a3457f', '#8a6400', '#4a5fc1', '#7a3b2e')
COLORS = {INK: '#1b1f24', FAINT: '#d0d7de', REST: '#656d76'} | dict(zip(HUES, PALETTE))

_STYLE: Any = {
  'svg.fonttype': 'none',
  'pdf.fonttype': 42,  # text that can be searched and edited
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
  """The figure as an element of a page, in the page's colors."""
  return inline(_saved(figure, 'svg', salt).decode())


def to_file(figure: 'Figure', form: Literal['svg', 'pdf'], salt: str) -> bytes:
  """The figure as a file of its own, dark on white, so that it reads on a light page and on a dark one."""
  _paint(figure)
  saved = _saved(figure, form, salt, facecolor='white')
  if form == 'pdf':
    return saved
  svg = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", 'sans-serif', saved.decode())
  return re.sub(r'<metadata>.*?</metadata>\s*', '', svg, flags=re.DOTALL).encode()


def _saved(figure: 'Figure', form: str, salt: str, **options: Any) -> bytes:
  """The bytes of a file without a date."""
  import matplotlib as mpl

  for ax in figure.axes:
    if not ax.has_data():
      ax.remove()
  buffer = io.BytesIO()
  dated = ('Date', 'Creator', 'Type', 'Format') if form == 'svg' else ('CreationDate', 'Creator', 'Producer')
  with mpl.rc_context({**mpl.rcParamsDefault, **_STYLE, 'svg.hashsalt': salt}):
    figure.savefig(buffer, format=form, bbox_inches='tight', metadata=dict.fromkeys(dated), **options)
  return buffer.getvalue()


def _paint(figure: 'Figure') -> None:
  """Colors in place of the stand-ins for a page's variables."""
  import numpy as np
  from matplotlib.colors import to_hex, to_rgb, to_rgba_array

  for ax in figure.axes:  # ticks are made anew when a figure is drawn
    ax.tick_params(color=COLORS[INK], labelcolor=COLORS[INK], grid_color=COLORS[FAINT])
  found = figure.findobj()
  arrows = [arrow for artist in found if (arrow := getattr(artist, 'arrow_patch', None)) is not None]
  for artist in (*found, *arrows):
    for name in ('color', 'facecolor', 'edgecolor', 'markerfacecolor', 'markeredgecolor'):
      get, put = getattr(artist, f'get_{name}', None), getattr(artist, f'set_{name}', None)
      if get is None or put is None:
        continue
      own = np.atleast_2d(np.asarray(to_rgba_array(get()), float))
      if len(own) == 1 and own[0, 3] and (color := COLORS.get(to_hex(own[0]))):
        put((*to_rgb(color), own[0, 3]))


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
