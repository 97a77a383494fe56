"""Figures over tasks: critical differences, interquartile means, performance profiles, and what to use."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ssl_bench.leaderboard.across import Comparison
from ssl_bench.leaderboard.aggregate import BASELINE, FLOORS
from ssl_bench.leaderboard.interquartile import Overall
from ssl_bench.leaderboard.named import Named, named
from ssl_bench.leaderboard.render.figures import MARKERS, Drawn, Look, main_rows
from ssl_bench.leaderboard.render.svg import HUES, INK, REST, canvas
from ssl_bench.leaderboard.rows import Board, Budget, Row

if TYPE_CHECKING:
  from matplotlib.axes import Axes
  from matplotlib.figure import Figure

LINE = 0.26  # inches from one line of a list to the next


def drawn(board: Board) -> tuple[Drawn, ...]:
  """The figures over tasks of each protocol."""
  return tuple(
    Drawn(figure.name, f'{figure.title}. {figure.caption}', draw(figure)) for figure in named(board)
  )


def draw(figure: Named) -> 'Figure':
  """A named figure."""
  if isinstance(figure.data, Comparison):
    return critical_difference(figure.data)
  return interquartile_means(figure.data) if figure.kind == 'interquartile-mean' else profiles(figure.data)


def critical_difference(found: Comparison) -> 'Figure':
  """Average ranks on an axis, best at the left; bars below join what Nemenyi's test does not separate.

  Demsar (2006, figure 1).
  """
  k = len(found.methods)
  left = k - k // 2  # names on the left side
  rows = max(left, k // 2)
  height = 1.1 + LINE * (rows + 0.6 * len(found.cliques))
  figure, (ax,) = canvas(1, 1, width=8.6, height=height)
  depth = 1.0 + 0.6 * len(found.cliques)  # lines of the bars
  ax.set(xlim=(1 - 0.02 * k, k + 0.02 * k), ylim=(-(depth + rows + 0.5), 2.2))
  ax.plot([1, k], [0, 0], color=INK, lw=1.2)
  for rank in range(1, k + 1):
    ax.plot([rank, rank], [0, 0.25], color=INK, lw=1)
    ax.text(rank, 0.4, str(rank), ha='center', va='bottom', color=INK)
  ax.plot([1, 1 + found.critical], [1.7, 1.7], color=INK, lw=1.6, marker='|', ms=7)
  ax.text(1 + found.critical / 2, 1.8, f'CD {found.critical:.2f}', ha='center', va='bottom', color=INK)
  for i, clique in enumerate(found.cliques):
    ends = [found.ranks[found.methods.index(clique[j])] for j in (0, -1)]
    ax.plot(
      [ends[0] - 0.03, ends[1] + 0.03], [-0.6 * (i + 1)] * 2, color=HUES[0], lw=3, solid_capstyle='butt'
    )
  for i, (method, place) in enumerate(zip(found.methods, found.ranks)):
    first = i < left
    y = -(depth + (i if first else k - 1 - i) + 0.2)
    x: float = 1 - 0.02 * k if first else k + 0.02 * k
    ax.plot([place, place, x], [0, y, y], color=REST, lw=0.8)
    ax.plot([place], [0], color=INK, marker='o', ms=4)
    said = f'{method}  {place:.2f}' if first else f'{place:.2f}  {method}'
    ax.text(
      x, y, f'{said} ' if first else f' {said}', ha='right' if first else 'left', va='center', color=INK
    )
  ax.set_axis_off()
  return figure


def looks(methods: Sequence[str]) -> dict[str, Look]:
  """Method -> color and marker: ink for the baseline, hues in the order given, gray beyond."""
  others = [name for name in methods if name != BASELINE]
  hued = {name: (HUES[i], MARKERS[i]) for i, name in enumerate(others[: len(HUES)])}
  gray = dict.fromkeys(others[len(HUES) :], (REST, '.'))
  return {BASELINE: (INK, 'o')} | hued | gray


def interquartile_means(found: Overall) -> 'Figure':
  """A dot and its interval for each method, the best on top."""
  figure, (ax,) = canvas(1, 1, width=7.2, height=0.8 + LINE * len(found.middles))
  colors = looks([middle.method for middle in found.middles])
  for i, middle in enumerate(found.middles):
    color, marker = colors[middle.method]
    ax.plot([100 * middle.low, 100 * middle.high], [-i, -i], color=color, lw=2)
    ax.plot([100 * middle.value], [-i], color=color, marker=marker, ms=6)
  if found.kind == 'to supervised':
    ax.axvline(0, color=REST, lw=1, ls='--')
  ax.set_yticks([-i for i in range(len(found.middles))], [middle.method for middle in found.middles])
  ax.set(ylim=(0.6 - len(found.middles), 0.6), xlabel=_score(found))
  return figure


def profiles(found: Overall) -> 'Figure':
  """The share of scores above each threshold, with a pointwise band."""
  figure, (ax,) = canvas(1, 1, width=7.2, height=4.0)
  colors = looks([profile.method for profile in found.profiles])
  taus = [100 * tau for tau in found.thresholds]
  for profile in found.profiles:
    color, marker = colors[profile.method]
    ax.fill_between(taus, profile.low, profile.high, step='post', color=color, alpha=0.15, lw=0)
    every = max(1, len(taus) // 8)
    ax.plot(
      taus,
      profile.shares,
      color=color,
      lw=1.5,
      drawstyle='steps-post',
      marker=marker,
      ms=4,
      markevery=every,
      label=profile.method,
    )
  ax.set(ylim=(-0.02, 1.02), xlabel=f'threshold: {_score(found)}', ylabel='share of scores above')
  ax.legend(frameon=False, fontsize=8, loc='center left', bbox_to_anchor=(1.01, 0.5), labelcolor=INK)
  return figure


def _score(found: Overall) -> str:
  return 'accuracy to supervised, points' if found.kind == 'to supervised' else 'accuracy, %'


class Choice(NamedTuple):
  """What stands on one line of the picture: a budget, and the rows that are drawn."""

  name: str
  baseline: Row | None
  semi: Row | None
  itself: Row | None  # the best self-supervised one


def choices(board: Board) -> tuple[Choice, ...]:
  """For each dataset and budget the baseline and the best methods of both families, by mean accuracy."""
  return tuple(
    choice
    for section in board.sections
    for budget in section.budgets
    if (choice := _choice(f'{section.dataset}, {budget.labels:,} labels', budget)).baseline
  )


def _choice(name: str, budget: Budget) -> Choice:
  rows = [row for row in main_rows([budget]) if row.method not in FLOORS]
  full = [row for row in rows if not row.few]
  best = {family: next((r for r in full if _family(r) == family), None) for family in ('semi', 'self')}
  return Choice(name, next((r for r in rows if r.method == BASELINE), None), best['semi'], best['self'])


def _family(row: Row) -> str:
  """Rows come best first."""
  return '' if row.method == BASELINE else 'self' if row.family == 'self-supervised' else 'semi'


def what_to_use(board: Board) -> 'Figure | None':
  """Accuracy of the baseline and of the best method of each family, one line a dataset and budget."""
  found = choices(board)
  if not found:
    return None
  figure, (ax,) = canvas(1, 1, width=6.2, height=0.9 + LINE * len(found))
  kinds = (
    (INK, 'o', 'supervised'),
    (HUES[0], 's', 'best semi-supervised'),
    (HUES[1], '^', 'best self-supervised'),
  )
  for i, choice in enumerate(found):
    for (color, marker, _), row, lift in zip(kinds, choice[1:], (0.22, 0, -0.22)):
      if row and row.accuracy:
        _dot(ax, row, lift - i, color, marker)
    ax.text(
      1.02, -i, _names(choice), transform=ax.get_yaxis_transform(), va='center', fontsize=8.5, color=INK
    )
  for color, marker, name in kinds:
    ax.plot([], [], color=color, marker=marker, ls='', label=name)
  ax.set_yticks([-i for i in range(len(found))], [choice.name for choice in found])
  ax.set(ylim=(0.6 - len(found), 0.6), xlabel='accuracy, % (mean over splits and its 95 % interval)')
  ax.legend(ncols=3, frameon=False, loc='lower center', bbox_to_anchor=(0.5, 1.0), fontsize=9, labelcolor=INK)
  return figure


def _dot(ax: 'Axes', row: Row, y: float, color: str, marker: str) -> None:
  mean = row.measures['accuracy']
  x, half = 100 * mean.value, 100 * (mean.half or 0)
  ax.plot([x - half, x + half], [y, y], color=color, lw=1.2)
  ax.plot([x], [y], color=color, marker=marker, ms=5)


def _names(choice: Choice) -> str:
  """The best methods, the better one first, with the marks of `MARKS`."""
  best = [row for row in (choice.semi, choice.itself) if row and row.accuracy]
  best.sort(key=lambda row: -row.measures['accuracy'].value)
  return ', '.join(f'{row.method}{_mark(row)}' for row in best)


def _mark(row: Row) -> str:
  """+ or − where the corrected verdict is better or worse than supervised."""
  said = row.difference.corrected if row.difference else ''
  return {'better': ' +', 'worse': ' −'}.get(said, '')


MARKS = '+ and − mark methods that are better or worse than supervised after Holm'
