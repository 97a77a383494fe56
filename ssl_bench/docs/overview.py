"""The result table and the picture of the README, from the committed records."""

import math
from collections.abc import Sequence

from ssl_bench.docs.markdown import table
from ssl_bench.docs.results import Measured, cells, compare

DATASET, LABELS = 'digits', (10, 20, 40, 100)
METHODS = (
  'supervised',
  'pseudo_label',
  'mean_teacher',
  'fixmatch',
  'byol',
  'simclr',
)  # of experiments/digits.yaml
COLORS = ('#37474f', '#8e24aa', '#ef6c00', '#c62828', '#2e7d32', '#1565c0')
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 330, 52, 110, 16, 44  # px; what is left is the plot
LOWEST, HIGHEST, LINE = 55, 100, 15  # percent at both ends, px between two names


def result_table() -> str:
  """Accuracy with intervals of six methods at four label budgets."""
  head = ['method', *(f'{count} labels' for count in LABELS)]
  lines = [
    [f'`{name}`', *(_number(one) for one in found)]
    for name, found in zip(METHODS, compare(METHODS, DATASET, LABELS))
  ]
  return table(head, lines)


def _number(one: Measured | None) -> str:
  return '–' if one is None else cells.percent(one.row.accuracy, cells.digits_of(one.row), interval=True).text


def picture() -> str:
  """The same numbers as SVG: accuracy against the number of labels, self-supervised methods dashed."""
  lines, ends = [], []
  results = compare(METHODS, DATASET, LABELS)
  for i, (name, color, found) in enumerate(zip(METHODS, COLORS, results)):
    aside = 3 * (i - len(METHODS) // 2)  # px, so that intervals do not hide each other
    there = [one for one in found if one is not None and one.row.accuracy is not None]
    points = [(_x(one.labels) + aside, _y(100 * one.row.accuracy.value)) for one in there if one.row.accuracy]
    dash = ' stroke-dasharray="6 3"' if there and there[0].row.family == 'self-supervised' else ''
    way = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
    lines.append(f'<polyline points="{way}" fill="none" stroke="{color}" stroke-width="2"{dash}/>')
    lines += [_bar(one, color, aside) for one in there]
    lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in points]
    if points:
      ends.append((points[-1][1], name, color))
  return '\n'.join([
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
    f' height="{HEIGHT}" font-family="sans-serif" font-size="12">',
    '<title>Accuracy on the digits against the number of labels, with 95 % intervals</title>',
    f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    *_axes(max(one.row.sizes[0] or 0 for found in results for one in found if one)),
    *lines,
    *_names(ends),
    '</svg>\n',
  ])  # fmt: skip


def _x(labels: float) -> float:
  low, high = math.log(LABELS[0]), math.log(LABELS[-1])
  return LEFT + 20 + (math.log(labels) - low) / (high - low) * (WIDTH - LEFT - RIGHT - 36)


def _y(percentage: float) -> float:
  inside = min(max(percentage, LOWEST), HIGHEST)
  return TOP + (HIGHEST - inside) / (HIGHEST - LOWEST) * (HEIGHT - TOP - BOTTOM)


def _bar(one: Measured, color: str, aside: int) -> str:
  mean = one.row.accuracy
  if mean is None or mean.half is None:
    return ''
  low, high = _y(100 * (mean.value - mean.half)), _y(100 * (mean.value + mean.half))
  x = _x(one.labels) + aside
  return f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{color}" stroke-width="1" opacity="0.6"/>'


def _axes(images: int) -> list[str]:
  drawn = []
  for value in range(LOWEST + 5, HIGHEST + 1, 10):
    y = _y(value)
    drawn.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#eceff1"/>')
    drawn.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
  base = HEIGHT - BOTTOM
  drawn.append(f'<path d="M{LEFT} {TOP}V{base}H{WIDTH - RIGHT}" fill="none" stroke="#90a4ae"/>')
  for count in LABELS:
    drawn.append(f'<text x="{_x(count):.1f}" y="{base + 17}" text-anchor="middle">{count}</text>')
  middle = (LEFT + WIDTH - RIGHT) / 2
  drawn.append(
    f'<text x="{middle:g}" y="{HEIGHT - 8}" text-anchor="middle">labels, of {images:,} images</text>'
  )
  turned = f'translate(14 {(TOP + base) / 2:g}) rotate(-90)'
  drawn.append(f'<text transform="{turned}" text-anchor="middle">accuracy, %</text>')
  return drawn


def _names(ends: Sequence[tuple[float, str, str]]) -> list[str]:
  """The methods' names at the right end of their lines, moved apart where they would meet."""
  drawn, free = [], -math.inf
  for y, name, color in sorted(ends):
    free = max(y, free + LINE)
    drawn.append(f'<text x="{WIDTH - RIGHT + 6}" y="{free + 4:.1f}" fill="{color}">{name}</text>')
  return drawn
