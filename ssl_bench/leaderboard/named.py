"""Statistics over tasks as named figures: what a page, a file or another program needs to draw them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ssl_bench.leaderboard.across import Comparison, compare
from ssl_bench.leaderboard.aggregate import BASELINE
from ssl_bench.leaderboard.complete import RULE, Scores, complete, protocols
from ssl_bench.leaderboard.interquartile import RESAMPLES, Kind, Overall, overall
from ssl_bench.leaderboard.rows import Board

DIGITS = 8  # significant ones of a number in JSON


class Named(NamedTuple):
  """A figure by name; `kind` says how `data` is drawn, one of `page.figures.KINDS`."""

  name: str
  title: str
  caption: str
  kind: str
  data: Comparison | Overall
  scores: Scores


def named(board: Board) -> tuple[Named, ...]:
  """The figures over tasks of each protocol that has a complete table of methods by tasks."""
  return tuple(figure for scores in _tables(board) for figure in of_scores(scores))


def average_ranks(board: Board) -> tuple[Named, ...]:
  """Those of them that show average ranks, which take a moment; the others draw splits again."""
  return tuple(ranks_of(scores) for scores in _tables(board))


def _tables(board: Board) -> list[Scores]:
  found = (complete(board, protocol) for protocol in protocols(board))
  return [scores for scores in found if scores]


def ranks_of(scores: Scores) -> Named:
  """The average ranks of one table."""
  comparison = compare(scores)
  return Named(
    f'critical-difference-{scores.protocol}',
    f'Average ranks over tasks, {scores.protocol} protocol',
    f"{told(scores)} {verdict(comparison)} Bars join methods that Nemenyi's test does not separate.",
    'critical-difference',
    comparison,
    scores,
  )


def of_scores(scores: Scores) -> tuple[Named, ...]:
  """The figures of one table."""
  kind: Kind = 'to supervised' if BASELINE in scores.methods else 'accuracy'
  scored = overall(scores, kind)
  under, over = f'{scores.protocol} protocol', told(scores)
  score = f'accuracy minus that of {BASELINE} on the same split' if kind == 'to supervised' else 'accuracy'
  drawn = f'Intervals: 95 %, {RESAMPLES:,} stratified bootstrap resamples of splits within each task.'
  return (
    ranks_of(scores),
    Named(
      f'interquartile-mean-{scores.protocol}',
      f'Interquartile means over tasks, {under}',
      f'Score: {score}. {drawn} {over}',
      'interquartile-mean',
      scored,
      scores,
    ),
    Named(
      f'performance-profile-{scores.protocol}',
      f'Performance profiles, {under}',
      f'Share of scores above each threshold, every task weighing the same. Score: {score}. {drawn} {over}',
      'performance-profile',
      scored,
      scores,
    ),
  )


def told(scores: Scores) -> str:
  """What was compared, over how many splits and trials, and what was left out."""
  fewest, most = scores.splits
  splits = f'{most}' if fewest == most else f'{fewest} to {most}'
  tasks = f'{len(scores.tasks)} tasks (dataset and labels) of {len(scores.datasets)} datasets'
  said = f'{len(scores.methods)} methods on {tasks}, {splits} splits each, the same for all methods, '
  said += f'{scores.seeds:,} trials.'
  if scores.left_out or scores.tasks_left_out:
    said += f' Left out for a complete table: {len(scores.left_out)} methods, {scores.tasks_left_out} tasks.'
  return said


def verdict(comparison: Comparison) -> str:
  """The tests of a comparison in a sentence or two."""
  said = (
    f'Friedman {_p(comparison.p)}, Iman and Davenport {_p(comparison.f_p)}; Nemenyi critical difference '
    f'{comparison.critical:.2f} at 5 %.'
  )
  if comparison.by_dataset:
    count, p = comparison.by_dataset
    said += f' Budgets of a dataset are not independent: averaged to {count} datasets, {_p(p)}.'
  apart = sum(pair.holm < 0.05 for pair in comparison.pairs)
  said += f' Signed-rank tests with Holm separate {apart} of {len(comparison.pairs)} pairs'
  least = len(comparison.pairs) * 2.0 ** (1 - comparison.tasks)  # all differences of one sign
  return f'{said}; on so few tasks they cannot separate any.' if least >= 0.05 else f'{said}.'


def ranked(comparison: Comparison) -> str:
  """`'simclr 2.00, supervised 2.75'`."""
  return ', '.join(f'{name} {rank:.2f}' for name, rank in zip(comparison.methods, comparison.ranks))


def _p(p: float) -> str:
  return 'p < 0.001' if p < 0.001 else f'p = {p:.3f}'


def to_json(figures: Sequence[Named]) -> list[dict[str, Any]]:
  """The figures as plain lists and dictionaries: name, title, caption, kind, data and table.

  `data` has the fields of `Comparison` or `Overall`; numbers are rounded to 8 significant digits, so that
  the same records give the same text on other machines.
  """
  return [
    {
      **{field: getattr(figure, field) for field in ('name', 'title', 'caption', 'kind')},
      'data': plain(figure.data),
      'table': _table(figure.scores),
    }
    for figure in figures
  ]


def _table(scores: Scores) -> dict[str, Any]:
  fewest, most = scores.splits
  return {
    'protocol': scores.protocol,
    'methods': list(scores.methods),
    'tasks': [plain(task) for task in scores.tasks],
    'splits': {'fewest': fewest, 'most': most},
    'seeds': scores.seeds,
    'left_out': [{'method': name, 'tasks': tasks} for name, tasks in scores.left_out],
    'tasks_left_out': scores.tasks_left_out,
    'rule': RULE,
  }


def plain(value: Any) -> Any:
  """NamedTuples as dictionaries, other sequences as lists, numbers rounded; what is infinite becomes null."""
  if hasattr(value, '_asdict'):
    return {name: plain(part) for name, part in value._asdict().items()}
  if isinstance(value, Mapping):
    return {name: plain(part) for name, part in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(part) for part in value]
  if isinstance(value, float):
    return float(f'{value:.{DIGITS}g}') if abs(value) != float('inf') else None
  return value
