"""The numbers of a report: every measure that a record has, and of two records the difference."""

from collections.abc import Sequence

from ssl_bench import measures
from ssl_bench.evaluation.slices import wilson
from ssl_bench.measures import Measure
from ssl_bench.report.parts import Part, Section, Sentence, Table
from ssl_bench.report.trial import Trial

FURTHER = 'further'  # the group of measures that the board has in no table
ALONE = 'One trial each: a difference may be chance. The board compares over splits and seeds.'
BETTER = {'lower': 'lower', 'higher': 'higher', None: ''}


def main_section(trials: Sequence[Trial]) -> Section:
  """The few that a board shows first; accuracy with its interval over test examples."""
  rows = [row for row in measures.all_measures() if row.main]
  parts: list[Part] = []
  for trial in trials:
    parts += [Sentence(text) for text in _troubles(trial)]
  table = _table('What a board shows first', rows, trials, with_interval=True)
  parts.append(table or Sentence('The record holds none of the main numbers.'))
  if any(_interval(trial) for trial in trials):
    parts.append(Sentence('The interval of the accuracy is over test examples (Wilson).'))
  if len(trials) > 1:
    parts.append(Sentence(ALONE))
  return Section('numbers', 'Main numbers', parts)


def _troubles(trial: Trial) -> list[str]:
  """What a reader must know before any number."""
  who, tree = f'{trial.letter}: ' if trial.letter else '', trial.tree
  found = [] if tree['status'] == 'done' else [f'{who}The trial {tree["status"]}: {tree["error"]}']
  if trial.at('collapsed') is True:
    found.append(f'{who}The features have collapsed. {trial.at("collapse_reason")}')
  return found


def all_section(trials: Sequence[Trial]) -> Section:
  """Every number by its group, with what it says."""
  groups: dict[str, list[Measure]] = {}
  for row in measures.all_measures():
    groups.setdefault(row.table or FURTHER, []).append(row)
  groups |= {FURTHER: groups.pop(FURTHER, [])}  # the last
  titles = {name: name.replace('_', '-').capitalize() for name in groups}
  tables = [_table(titles[name], rows, trials, hints=True) for name, rows in groups.items()]
  parts: list[Part] = [table for table in tables if table]
  return Section('all-numbers', 'All numbers', parts or [Sentence('The record holds no numbers.')])


def _interval(trial: Trial) -> tuple[float, float] | None:
  accuracy = measures.number_of(trial.tree, measures.get('accuracy'))
  n = trial.tree['split'].get('test')
  return wilson(round(accuracy * n), n) if accuracy is not None and n else None


def _interval_row(trials: Sequence[Trial]) -> list[str]:
  ends = [_interval(trial) for trial in trials]
  said = ['–' if one is None else f'{100 * one[0]:.1f} to {100 * one[1]:.1f}' for one in ends]
  return ['95 % interval, %', *said, *([''] if len(trials) > 1 else []), '']


def _table(
  caption: str,
  rows: Sequence[Measure],
  trials: Sequence[Trial],
  *,
  with_interval: bool = False,
  hints: bool = False,
) -> Table | None:
  """The measures of which at least one trial has a number."""
  heads = ['measure', *(trial.letter or 'value' for trial in trials)]
  heads += (['B − A'] if len(trials) > 1 else []) + ['better'] + (['what it says'] if hints else [])
  lines = []
  for row in rows:
    values = [measures.number_of(trial.tree, row) if row.is_numeric else None for trial in trials]
    if all(value is None for value in values):
      continue
    cells = ['–' if v is None else measures.say(row, v) for v in values]
    if len(trials) > 1:
      cells.append(_difference(row, values))
    lines.append([row.heading, *cells, BETTER[row.better], *([row.hint] if hints else [])])
    if with_interval and row.name == 'accuracy':
      lines.append(_interval_row(trials))
  return Table(caption, heads, lines) if lines else None


def _difference(row: Measure, values: Sequence[float | None]) -> str:
  """Second minus first in the measure's unit, with its sign."""
  first, second = values
  if first is None or second is None:
    return '–'
  said = measures.say(row, second - first)
  if not said.strip('-0.,'):
    return said.removeprefix('-')
  return said if said.startswith('-') else f'+{said}'
