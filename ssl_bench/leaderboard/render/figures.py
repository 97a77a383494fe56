"""Figures of a section: accuracy against labels and against cost, reliability; byte-stable as SVG or PDF."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ssl_bench.leaderboard.aggregate import BASELINE
from ssl_bench.leaderboard.render.notes import middle
from ssl_bench.leaderboard.render.svg import FAINT, HUES, INK, REST, canvas
from ssl_bench.leaderboard.rows import Bins, Budget, Row, Section

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure

MARKERS = 'sD^vPXp'
PANELS = 12  # reliability diagrams in one figure
Look = tuple[str, str]  # color, marker
End = tuple[str, str, float, float]  # method, color, x, y


class Drawn(NamedTuple):
  """A figure of matplotlib, its name, and what a reader is told of it."""

  name: str
  caption: str
  figure: 'Figure'


def drawn(section: Section) -> tuple[Drawn, ...]:
  """Each figure that the section has numbers for."""
  looks = look_of(section)
  named = [n for n, (color, _) in looks.items() if color == REST]
  rest = f' Gray: {", ".join(named)}.' if named else ''
  found = (
    (
      'labels',
      'Accuracy against the number of labels, with 95 % intervals. Dashed: self-supervised, by their probe.'
      + rest,
      against_labels(section, looks),
    ),
    (
      'cost',
      'Accuracy against the compute of the whole training run, one panel for each number of labels. '
      'Dotted: no cheaper method is as accurate.' + rest,
      against_cost(section, looks),
    ),
    ('reliability', *reliability(section)),
  )
  end = f'{section.dataset}/{section.protocol}'
  return tuple(Drawn(f'{name}/{end}', caption, figure) for name, caption, figure in found if figure)


def look_of(section: Section) -> dict[str, Look]:
  """method -> color and marker: ink for the baseline, hues for the best, gray for the rest."""
  best: dict[str, float] = {}
  for row in main_rows(section.budgets):
    best[row.method] = max(best.get(row.method, 0), row.measures['accuracy'].value)
  others = sorted((m for m in best if m != BASELINE), key=lambda m: (-best[m], m))
  hued = sorted(others[: len(HUES)])
  looks = {m: (HUES[i], MARKERS[i]) for i, m in enumerate(hued)}
  gray = dict.fromkeys(sorted(others[len(HUES) :]), (REST, '.'))
  return ({BASELINE: (INK, 'o')} if BASELINE in best else {}) | looks | gray


def main_rows(budgets: Sequence[Budget]) -> list[Row]:
  """The ranked rows with their method's usual settings."""
  return [r for b in budgets for r in b.rows if not r.variant and r.rank is not None]


def against_labels(section: Section, looks: Mapping[str, Look]) -> 'Figure | None':
  """Accuracy against label count (log), one line a method."""
  rows = main_rows(section.budgets)
  if not rows:
    return None
  figure, (ax,) = canvas(1, 1, width=8.6, height=4.4)
  budgets = sorted({r.labels for r in rows})
  shift = _shifts(list(looks), budgets)
  ends = []
  for method, (color, marker) in looks.items():
    line = sorted((r for r in rows if r.method == method), key=lambda r: r.labels)
    x, y = [r.labels * shift[method] for r in line], [100 * r.measures['accuracy'].value for r in line]
    bars = [100 * (r.measures['accuracy'].half or 0) for r in line]
    dashed = '--' if line[0].family == 'self-supervised' else '-'
    ax.errorbar(x, y, bars, color=color, marker=marker, ms=5, lw=1.5, ls=dashed, elinewidth=1, capsize=2)
    ends.append((method, color, x[-1], y[-1]))
  ax.set(xscale='log', xlabel='labels', ylabel='accuracy, %')
  ax.set_xticks(budgets, [f'{n:,}' for n in budgets])
  ax.minorticks_off()
  low, high = budgets[0] / 1.15, budgets[-1] * 1.12
  ax.set_xlim(low, high)
  _name_at_right(ax, _named(ends))
  return figure


def _shifts(methods: Sequence[str], budgets: Sequence[int]) -> dict[str, float]:
  """Small factors that keep the bars of different methods apart at one budget."""
  steps = [b / a for a, b in pairwise(budgets)]
  width = min([*steps, 2.0]) ** 0.16
  places = [i / max(len(methods) - 1, 1) - 0.5 for i in range(len(methods))]
  return {m: width**p for m, p in zip(methods, places)}


def against_cost(section: Section, looks: Mapping[str, Look]) -> 'Figure | None':
  """Accuracy against training GFLOPs, one panel a budget."""
  from matplotlib.ticker import LogLocator, NullLocator

  budgets = [b for b in section.budgets if any(r.training_gflops for r in main_rows([b]))]
  if not budgets:
    return None
  columns = min(len(budgets), 3)
  figure, axes = canvas(-(-len(budgets) // columns), columns, width=max(8.6, 4.1 * columns), height=3.4)
  figure.subplots_adjust(wspace=0.75, hspace=0.35)
  for ax, budget in zip(axes, budgets):
    rows = [r for r in main_rows([budget]) if r.training_gflops]
    ends = []
    for row in rows:
      color, marker = looks[row.method]
      x, y = row.training_gflops or 0, 100 * row.measures['accuracy'].value
      bar = 100 * (row.measures['accuracy'].half or 0)
      ax.errorbar([x], [y], [bar], color=color, marker=marker, ms=6, lw=0, elinewidth=1, capsize=2)
      ends.append((row.method, color, x, y))
    front = pareto([(x, y) for _, _, x, y in ends])
    ax.plot(*zip(*front), color=REST, lw=1, ls=':', drawstyle='steps-post', zorder=1)
    costs = [e[2] for e in ends]
    if max(costs) > 8 * min(costs):
      ax.set_xscale('log')
      ax.set_xlim(min(costs) / 1.5, max(costs) * 1.5)
      ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
      ax.xaxis.set_minor_locator(NullLocator())
      ax.xaxis.set_major_formatter(lambda value, position: f'{value:,.0f}')
    else:
      ax.set_xlim(0, max(costs) * 1.08)
    ax.set(xlabel='training GFLOPs', ylabel='accuracy, %')
    ax.set_title(f'{budget.labels:,} labels', fontsize=10, loc='left')
    _name_at_right(ax, _named(ends))
  return figure


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
  """The (cost, accuracy) points that no other beats in one and equals in the other, from the cheapest on."""
  front: list[tuple[float, float]] = []
  for x, y in sorted(set(points), key=lambda point: (point[0], -point[1])):
    if not front or y > front[-1][1]:
      front.append((x, y))
  return front


def reliability(section: Section) -> 'tuple[str, Figure | None]':
  """Accuracy against confidence before and after temperature scaling, one panel a method, at one budget."""
  budgets = [b for b in section.budgets if any(r.reliability for r in main_rows([b]))]
  if not budgets:
    return '', None
  budget = middle(budgets)
  rows = [r for r in main_rows([budget]) if r.reliability][:PANELS]
  columns = 3 if len(rows) in (5, 6) else min(len(rows), 4)
  figure, axes = canvas(-(-len(rows) // columns), columns, width=2.6 * columns, height=2.6)
  figure.subplots_adjust(wspace=0.28, hspace=0.4)
  for ax, row in zip(axes, rows):
    ax.plot([0, 1], [0, 1], color=FAINT, lw=1)
    for bins, color, marker in ((row.reliability, HUES[1], 'o'), (row.reliability_scaled, HUES[0], 's')):
      if bins is not None:
        _diagram(ax, bins, color, marker)
    before, after = (row.measures.get(n) for n in ('ece', 'ece_scaled'))
    if before:
      said = f'ECE {before.value:.3f}' + (f' → {after.value:.3f}' if after else '')
      ax.text(0.04, 0.95, said, transform=ax.transAxes, fontsize=8, va='top', color=INK)
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect='equal')
    ax.set_title(row.method, fontsize=10, loc='left')
  for place, (said, color) in enumerate((('squares: after', HUES[0]), ('circles: before', HUES[1]))):
    axes[0].text(0.96, 0.05 + 0.11 * place, said, color=color, fontsize=8, ha='right')
  for ax in axes[max(0, len(rows) - columns) : len(rows)]:
    ax.set_xlabel('confidence')
  for ax in axes[::columns]:
    ax.set_ylabel('accuracy')
  caption = (
    f'Reliability at {budget.labels:,} labels, pooled over seeds: circles before, squares after temperature '
    'scaling. The area of a mark is the share of test images in its bin; below the diagonal a method is '
    'overconfident.'
  )
  return caption, figure


def _diagram(ax: 'Axes', bins: Bins, color: str, marker: str) -> None:
  full = [i for i, n in enumerate(bins.counts) if n]
  total = sum(bins.counts) or 1
  x, y = [bins.confidence[i] for i in full], [bins.accuracy[i] for i in full]
  ax.plot(x, y, color=color, lw=1)
  ax.scatter(
    x, y, [6 + 200 * bins.counts[i] / total for i in full], color=color, marker=marker, alpha=0.75, lw=0
  )


def _named(ends: Sequence[End]) -> list[End]:
  """Those with a color of their own; the caption names the gray ones, whose names would hide the others."""
  return [end for end in ends if end[1] != REST]


def _name_at_right(ax: 'Axes', ends: Sequence[tuple[str, str, float, float]]) -> None:
  """Names beside the axes, none over another, each joined to its point; `ends` are (method, color, x, y)."""
  low, high = ax.get_ylim()
  points = ax.get_window_extent().height * 72 / ax.figure.dpi
  gap = 12.5 / points * (high - low)
  ends = sorted(ends, key=lambda e: (e[3], e[0]))
  for (method, color, x, y), place in zip(ends, spread([e[3] for e in ends], gap)):
    ax.annotate(
      method,
      (x, y),
      xytext=(1.03, place),
      textcoords=ax.get_yaxis_transform(),
      va='center',
      fontsize=9,
      color=INK if color != REST else REST,
      annotation_clip=False,
      arrowprops={'arrowstyle': '-', 'color': color, 'lw': 0.7, 'alpha': 0.6, 'shrinkA': 1, 'shrinkB': 3},
    )
  ax.set_ylim(low, high)


def spread(places: Sequence[float], gap: float) -> list[float]:
  """Ascending places moved as little as need be (in squares) so that each is at least `gap` above the last.

  Pool adjacent violators on places[i] - i · gap.
  """
  blocks: list[tuple[float, int]] = []  # sum, size
  for i, place in enumerate(places):
    blocks.append((place - i * gap, 1))
    while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
      (total, size), (before, length) = blocks.pop(), blocks.pop()
      blocks.append((before + total, length + size))
  flat = [total / size for total, size in blocks for _ in range(size)]
  return [place + i * gap for i, place in enumerate(flat)]
