"""The ranking: its columns in their order; a `main` measure without a place here follows the Brier score."""

from collections.abc import Sequence

from ssl_bench import measures
from ssl_bench.leaderboard.columns import Column, cell_of, of
from ssl_bench.leaderboard.render.cells import (
  DASH,
  NOTHING,
  Cell,
  digits_of,
  each_split,
  percent,
  signed,
  words,
)
from ssl_bench.leaderboard.rows import Row
from ssl_bench.leaderboard.variants import say_variant
from ssl_bench.settings import plural

ROUNDS = ('rounds', 'participants', 'clients', 'bytes_down', 'bytes_up')
FOR_CALIBRATION = 5000  # test images below which calibration is not ranked


def _rank(row: Row) -> Cell:
  if row.rank is None:
    return NOTHING
  marks = {
    '≈': (row.tied and row.rank > 1, 'not separable from the best'),
    '†': (row.few, 'over fewer splits than most rows'),
  }
  said = {mark: note for mark, (holds, note) in marks.items() if holds}
  return Cell(' '.join((str(row.rank), *said)), row.rank, note='; '.join(said.values()))


def _accuracy(row: Row) -> Cell:
  return percent(row.accuracy, digits_of(row), interval=True)._replace(strong=row.rank == 1 and not row.few)


def _splits(row: Row) -> Cell:
  mean = row.accuracy
  if mean is None and row.trials:  # nothing was classified: no splits to average over
    return Cell(plural.count(len(row.trials), 'trial'), 0)
  splits, seeds = (mean.n, mean.seeds.total) if mean else (0, 0)
  said = [f'{splits} × {each_split(mean)}'] if mean and splits != seeds else []
  if row.failed:
    said.append(f'{seeds} of {seeds + row.failed}')
  return Cell(', '.join(said) or str(splits), splits)


def _family(row: Row) -> Cell:
  return words({'semi-supervised': 'semi', 'self-supervised': 'self'}.get(row.family, row.family))


def _pseudo_labels(row: Row) -> Cell:
  precision, coverage = (cell_of(measures.get(name), row) for name in ('precision', 'coverage'))
  if precision is coverage is NOTHING:
    return NOTHING
  return Cell(f'{precision.text} / {coverage.text}', precision.value)


def _seconds(row: Row) -> Cell:
  if len(row.devices) != 1:
    return NOTHING
  cell = cell_of(measures.get('seconds_per_epoch'), row)
  busy = row.shared and cell is not NOTHING
  return (
    cell._replace(text=f'{cell.text} *', note='the device was shared while it was timed') if busy else cell
  )


def _rounds(row: Row) -> Cell:
  told = [row.measures[name].value for name in ROUNDS if name in row.measures]
  if len(told) < len(ROUNDS):
    return NOTHING
  rounds, drawn, clients, down, up = told
  return Cell(
    f'{rounds:,.0f} × {drawn:,.0f} of {clients:,.0f}, {down / 2**20:,.1f} + {up / 2**20:,.1f}', down + up
  )


def _sizes(row: Row) -> Cell:
  sizes = ' / '.join(DASH if n is None else f'{n:,}' for n in row.sizes)
  return Cell(sizes, row.sizes[0])


def _worse(row: Row) -> Cell:
  said = {'worse': 'yes', 'better': 'no', 'not separable': 'not separable'}
  return words(said.get(row.difference.verdict, '') if row.difference else '')


def _remarks(row: Row) -> Cell:
  said = []
  if row.sees_more_labels:
    whole = any(t.labels_seen == 'all' for t in row.trials)
    said.append('sees all labels, not ranked' if whole else 'its teacher saw more labels, not ranked')
  if row.collapsed:
    reasons = '; '.join(sorted(set(row.collapsed)))
    said.append(f'collapsed {len(row.collapsed)} of {len(row.trials)}: {reasons}')
  if row.failed:
    said.append(f'{row.failed} failed')
  if submitted := sum(t.submitted for t in row.trials):
    share = '' if submitted == len(row.trials) else f'{submitted} of {len(row.trials)} '
    said.append(f'{share}submitted')
  codes = {t.code for t in row.trials} - {''}
  if len(codes) > 1:
    said.append(f'trained under {len(codes)} states of its code')
  return words('; '.join(said))


def _floor(title: str, name: str, what: str) -> Column:
  hint = f'paired difference of a self-supervised method to {what}'
  cell = lambda row: signed(row.to_floors.get(name), digits_of(row))
  return Column(f'to {title}, points', hint, cell, optional=True)


METHOD = Column('method', '', lambda r: words(r.method), numeric=False)
VARIANT = Column(
  'variant',
  "what differs from the method's usual settings",
  lambda r: words(say_variant(r.variant)),
  numeric=False,
  prose=True,
  optional=True,
)
RANK = Column(
  'rank',
  'by mean accuracy; ≈: not separable from the best; †: over fewer splits than most rows, and no other rank '
  'counts it',
  _rank,
)
FAMILY = Column(
  'family',
  "semi: accuracy of its own classifier; self: of a linear probe on frozen features with the row's labels",
  _family,
  numeric=False,
)
TO_USUAL = Column(
  'to usual, points',
  "paired difference to the method's usual augmentation",
  lambda r: signed(r.to_usual, digits_of(r)),
)

STRESS = Column(
  'stress',
  'what is wrong with the data of labeled and unlabeled images',
  lambda r: words(say_variant(r.stress) or 'none'),
  numeric=False,
  prose=True,
)
WORSE = Column(
  'worse than supervised?',
  'yes or no where the interval of the paired difference leaves 0 out; the baseline has the same stress',
  _worse,
  numeric=False,
)
REMARKS = Column('remarks', '', _remarks, numeric=False, prose=True, optional=True)

SPLITS = Column(
  'splits',
  'splits in the mean; 3 × 2 are three of two seeds each, averaged within a split first; 4 of 5 where one '
  'of five trials failed',
  _splits,
)
ACCURACY = Column(
  'accuracy, %',
  'mean ± half width of the 95 % Student-t interval over splits',
  _accuracy,
  measures=('accuracy',),
)
TO_SUPERVISED = Column(
  'to supervised, points',
  'paired difference on the same splits and seeds',
  lambda r: signed(r.difference, digits_of(r)),
)
_PSEUDO_LABELS = Column(
  'pseudo-labels, %',
  'precision / coverage of the pseudo-labels, over the last log interval only: the last log_every steps',
  _pseudo_labels,
  optional=True,
  measures=('precision', 'coverage'),
)
_ROUNDS = Column(
  'rounds × clients, MiB',
  'of federated training: clients in a round of all that there are, and what all rounds moved, down + up',
  _rounds,
  optional=True,
  measures=ROUNDS,
)
_DEVICE = Column(
  'device',
  'kind of device that it ran on',
  lambda r: words(', '.join(r.devices)),
  numeric=False,
  optional=True,
)
_SIZES = Column(
  'train / val. / test', 'images in each part; the unlabeled images are the training part', _sizes
)


def numbers() -> tuple[Column, ...]:
  """The columns of the ranking behind the name of a row: what splits, accuracy, probes and cost say of it."""
  return (*_before(), *added(), *_behind())


def _before() -> tuple[Column, ...]:
  return (
    SPLITS,
    ACCURACY,
    TO_SUPERVISED,
    WORSE,
    _floor('random weights', 'random_weights', 'a probe of the same network, fresh'),
    _floor('raw pixels', 'raw_pixels', 'a probe of the pixels'),
    of('transductive'),
    REMARKS,
    of('linear', optional=False),
    of('linear_budget', optional=False),
    of('knn20', optional=False),
    of('nll', optional=False, mark=True),
    of('ece', optional=False, mark=True),
    of('brier', optional=False, mark=True),
  )


def _behind() -> tuple[Column, ...]:
  return (
    _PSEUDO_LABELS,
    seconds(),
    of('gflops_per_epoch', optional=False),
    _ROUNDS,
    _DEVICE,
    of('parameters'),
    _SIZES,
  )


def seconds() -> Column:
  """Seconds per epoch, where all trials of a row were timed on one kind of device."""
  return of('seconds_per_epoch', mark=True)._replace(cell=_seconds)


def added() -> tuple[Column, ...]:
  """Of the measures that are `main` and have no place of their own in the ranking."""
  placed = {name for column in (*_before(), *_behind()) for name in column.measures}
  rows = (row for row in measures.all_measures() if row.main and row.is_numeric)
  return tuple(of(row.name) for row in rows if row.name not in placed)


def ranked_measures() -> frozenset[str]:
  """The measures that the ranking shows."""
  return frozenset(name for column in numbers() for name in column.measures)


def ranking() -> tuple[Column, ...]:
  """All columns of the ranking."""
  return (RANK, METHOD, VARIANT, FAMILY, *numbers())


def swept(names: Sequence[str]) -> Column:
  """The column that spells the swept settings out, for the usual row as well."""

  def cell(row: Row) -> Cell:
    values = [row.settings.get(name, 'none') for name in names]
    said = values[0] if len(names) == 1 else '; '.join(f'{n}: {v}' for n, v in zip(names, values))
    return words(said if row.variant else f'{said} (usual)')

  return Column(names[0] if len(names) == 1 else 'augmentation', '', cell, numeric=False, prose=True)


def calibration_is_ranked(rows: Sequence[Row]) -> bool:
  """Whether every test set is large enough for a difference in calibration to mean something."""
  return all((row.sizes[2] or 0) >= FOR_CALIBRATION for row in rows)


def cost_is_ranked(rows: Sequence[Row]) -> bool:
  """Whether all were timed on one kind of device that they had for themselves."""
  timed = [row for row in rows if 'seconds_per_epoch' in row.measures]
  kinds = {kind for row in timed for kind in row.devices}
  return len(kinds) == 1 and not any(row.shared for row in timed)


def lowest(column: Column, rows: Sequence[Row]) -> float | None:
  """The value to mark in a column, or None where it is not ranked."""
  may = cost_is_ranked(rows) if column.lowest == 'seconds_per_epoch' else calibration_is_ranked(rows)
  found = [
    r.measures[column.lowest].value for r in rows if column.lowest in r.measures and r.rank is not None
  ]
  return min(found) if may and len(found) > 1 else None
