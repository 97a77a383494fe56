"""What a section says about itself in words: its settings, and how its numbers are to be read."""

from collections.abc import Mapping, Sequence

from ssl_bench import pattern
from ssl_bench.leaderboard.columns import efficiency, patterns
from ssl_bench.leaderboard.columns.details import details
from ssl_bench.leaderboard.columns.ranking import (
  FOR_CALIBRATION,
  STRESS,
  TO_USUAL,
  calibration_is_ranked,
  cost_is_ranked,
  ranking,
)
from ssl_bench.leaderboard.rows import Board, Budget, Row, Section

PROTOCOLS = {
  'smoke': 'Smoke protocol: short runs that show that everything works, not what a method can do.',
  'budget': 'Budget protocol: one affordable length of training for all methods, shorter than in papers.',
  'paper': 'Paper protocol: the settings and length of the publications.',
}

AS_RUN = 'augmentation, as run'  # where that is not as it was written
READING = (
  'Every row is a mean over splits of the final model; nothing is selected on the test set. Seeds that share '
  'a split are not independent of each other: they are averaged within it first. ± is the half width of the '
  '95 % Student-t interval over splits; below 3 splits there is none.',
  'Rank is by mean accuracy. ≈ marks rows whose paired difference to the best is not separable from zero. '
  '† marks rows over fewer splits than most of their table: they stand where their mean puts them, no other '
  'rank counts them, and the best is one of the others.',
  '"To supervised" is the paired difference on the same splits and seeds, averaged within a split likewise. '
  'Its interval and its verdict in words are for one comparison, not corrected for the number of rows. On '
  "the page its color is the verdict after Holm's correction for all rows of the table.",
  '"Worse than supervised?" is the verdict of that interval. Under stress the baseline is supervised '
  'learning under the same stress, and ranks are within one level of it.',
  'Datasets and protocols are never mixed in one ranking.',
)
PROBED = (
  'Self-supervised rows have no classifier of their own: their accuracy is that of a linear probe on frozen '
  "features, fitted with the row's labels."
)


def reading(section: Section, timing: bool) -> tuple[str, ...]:
  """The sentences that a reader of this section needs."""
  rows = section.rows
  judged = any(row.accuracy for row in rows)
  said = [PROTOCOLS.get(section.protocol, ''), unclassified(section)]
  if judged and (probed := [row for row in rows if row.family == 'self-supervised']):
    own = sorted({row.method for row in probed if _has_classifier(row)})
    said.append(PROBED + (f' Not so {", ".join(own)}, which tells classes itself.' if own else ''))
  sizes = sorted({row.sizes[2] for row in rows if row.sizes[2]})
  if judged and not calibration_is_ranked(rows):
    images = ' to '.join(f'{n:,}' for n in dict.fromkeys(sizes[:1] + sizes[-1:])) or 'an unknown number'
    said.append(
      f'Calibration (NLL, ECE, Brier) is shown but not ranked: that takes {FOR_CALIBRATION:,} test images or '
      f'more, and this test set has {images}. On a few hundred even a perfectly calibrated model shows '
      'an ECE of 0.03 to 0.06.'
    )
  if timing and any('seconds_per_epoch' in row.measures for row in rows) and not cost_is_ranked(rows):
    said.append(_cost(section))
  if any(row.sees_more_labels for row in rows):
    said.append('Rows that saw more labels than they are listed under are marked and not ranked.')
  if any(row.accuracy and row.accuracy.n < 3 for row in rows):
    said.append('Rows with fewer than 3 splits have no interval: their place is that of a mean and no more.')
  return tuple(s for s in said if s)


def unclassified(section: Section) -> str:
  """What a section without an accuracy measures in its place; '' where something is classified."""
  rows = section.rows
  if not rows or any(row.accuracy for row in rows):
    return ''
  said = 'Nothing is classified here, as where all examples are of one class, so no row has a rank.'
  if any(name.startswith('anomaly_') for row in rows for name in row.measures):
    said += ' AUROC says how well a score tells anomalies from test examples: 1 tells all, 0.5 is a guess.'
  return said


def _has_classifier(row: Row) -> bool:
  return any(trial.texts.get('classifier') == 'own' for trial in row.trials)


def _cost(section: Section) -> str:
  kinds = sorted({kind for row in section.rows for kind in row.devices})
  if len(kinds) > 1:
    return f'Seconds per epoch are not ranked: measured on several kinds of device ({", ".join(kinds)}).'
  return 'Seconds per epoch are not ranked: * marks times taken while other work ran on the device.'


def settings(section: Section) -> tuple[tuple[str, str], ...]:
  """(name, value) of what the section's methods share, and then of what is each one's own."""
  named = {method: _grouped(usual) for method, usual in section.usual.items()}
  for method, resolved in _resolved(section).items():
    named[method] |= {f'{name} {AS_RUN}': text for name, text in resolved.items()}
  shared = []
  for name in sorted({n for groups in named.values() for n in groups if n not in ('method', 'versions')}):
    methods: dict[str, list[str]] = {}
    for method, groups in named.items():
      if name in groups or not name.endswith(AS_RUN):
        methods.setdefault(groups.get(name, 'none'), []).append(method)
    if len(next(iter(methods.values()))) == len(named):
      shared.append((name, next(iter(methods))))
    else:
      shared += [(f'{name} ({", ".join(who)})', text) for text, who in sorted(methods.items())]
  own = [
    (method, groups['method'].removeprefix(method).strip() or 'no settings')
    for method, groups in named.items()
  ]
  return (*shared, *own)


def _grouped(flat: Mapping[str, str]) -> dict[str, str]:
  """Flat settings by their section: {'net': 'convnet (width 32)'}."""
  groups: dict[str, dict[str, str]] = {}
  for name, value in flat.items():
    first, _, rest = name.partition('.')
    groups.setdefault(first, {})[rest] = value
  out: dict[str, str] = {}
  for first, parts in groups.items():
    if first == 'augment':
      out |= {f'{name} augmentation': value for name, value in parts.items()}
    else:
      rest = ', '.join(f'{n} {v}'.strip() for n, v in parts.items() if n != 'name')
      name = parts.get('name', '')
      out[first] = f'{name} ({rest})' if name and rest else name or rest
  return out


def _resolved(section: Section) -> dict[str, dict[str, str]]:
  """method -> name -> policy as it ran, where that is not as it was written."""
  out: dict[str, dict[str, str]] = {}
  for row in section.rows:
    written = row.trials[0].augment
    if not row.variant and row.method not in out:
      out[row.method] = {k: v for k, v in sorted(written.items()) if v != row.settings.get(f'augment.{k}')}
  return out


def columns() -> tuple[tuple[str, str], ...]:
  """(title, explanation) of the columns that need one."""
  tables = [found for name in pattern.names() if (found := pattern.get(name)).table]
  beside = (column for found in tables for column in patterns.columns(found))
  all_columns = (*ranking(), STRESS, TO_USUAL, *details(), *beside)
  return tuple({c.title: (c.title, c.hint) for c in all_columns if c.hint}.values())


def targeted(section: Section) -> tuple[str, ...]:
  """The sentence on the target of labels, where there is one."""
  return (f'Labels to target: to {efficiency.said_target(section)}.',) if section.target else ()


def priced(board: Board) -> tuple[str, ...]:
  """The sentence on a price, where one was given."""
  if board.price is None:
    return ()
  return (f'Money is that of {board.price:g} per device-hour, a price that was given for this page.',)


def title(section: Section) -> str:
  return f'{section.dataset}, {section.protocol} protocol'


def counts(board: Board) -> str:
  """One line on what the board is built from."""
  done = len({t.id for s in board.sections for row in s.rows for t in row.trials})
  failed, old = (sum(len(getattr(s, name)) for s in board.sections) for name in ('failed', 'stale'))
  return f'{done:,} trials, {failed:,} failed or diverged, {old:,} stale.'


def middle(budgets: Sequence[Budget]) -> Budget:
  """The budget that stands for a section in a figure that shows only one."""
  return budgets[len(budgets) // 2]
