"""Records in, typed rows out: sections, budgets, kinds of stress and sweeps; no formatting."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ssl_bench.leaderboard import per_point
from ssl_bench.leaderboard.label_target import target_of, with_target
from ssl_bench.leaderboard.per_point import training_gflops
from ssl_bench.leaderboard.published import Published, fits
from ssl_bench.leaderboard.read import Record, Settings, Trial, read_trials
from ssl_bench.leaderboard.rows import Board, Budget, Difference, Row, Section
from ssl_bench.leaderboard.statistics import compare, means, pool, rank
from ssl_bench.leaderboard.variants import canonical, common_settings, differing, say_variant, usual_settings
from ssl_bench.measures import all_measures

BASELINE = 'supervised'
FLOORS = ('random_weights', 'raw_pixels')  # what a self-supervised method's features have to beat
PROTOCOLS = ('paper', 'budget', 'smoke')  # the order of their sections


def aggregate(
  records: Iterable[Record],
  published: Sequence[Published] = (),
  *,
  timing: bool = True,
  today: Mapping[str, Any] | None = None,
  price: float | None = None,
  target: float | None = None,
) -> Board:
  """The board of `records`, whatever their order.

  Args:
    records: of any datasets and protocols.
    published: values of publications.
    timing: whether what a clock wrote is shown.
    today: as in `stale.why_stale`.
    price: of one device-hour, in any currency; without it nothing is said in money.
    target: accuracy in (0, 1] that `Row.to_target` is asked for; by default each dataset has its own.
  """
  groups: dict[tuple[str, str], list[Trial]] = {}
  for trial in read_trials(records, timing=timing, today=today):
    groups.setdefault((trial.dataset, trial.protocol), []).append(trial)
  sections = tuple(
    _section(*key, groups[key], published, price, target) for key in sorted(groups, key=_section_order)
  )
  beside = {p for section in sections for row in section.rows for p in row.published}
  return Board(sections, tuple(p for p in published if p not in beside), timing, price=price)


def _section_order(key: tuple[str, str]) -> tuple[str, int, str]:
  dataset, protocol = key
  return dataset, PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS), protocol


def _section(
  dataset: str,
  protocol: str,
  trials: Sequence[Trial],
  published: Sequence[Published],
  price: float | None,
  target: float | None,
) -> Section:
  fresh = [t for t in trials if not t.stale]
  methods, budgets = (
    sorted({t.method for t in fresh}),
    sorted({t.labels for t in fresh if t.status == 'done'}),
  )
  common = common_settings(fresh)
  usual = {m: usual_settings([t for t in fresh if t.method == m], common) for m in methods}
  found = [_budget([t for t in fresh if t.labels == n], usual, published, price) for n in budgets]
  reached = target_of(found, BASELINE, target)
  return Section(
    dataset,
    protocol,
    with_target(found, reached),
    tuple(sorted((t for t in fresh if t.status != 'done'), key=lambda t: (t.method, t.labels, t.pair, t.id))),
    tuple(t for t in trials if t.stale),
    usual,
    reached,
  )


def _budget(
  trials: Sequence[Trial],
  usual: Mapping[str, Settings],
  published: Sequence[Published],
  price: float | None,
) -> Budget:
  levels: dict[str, list[Trial]] = {canonical({}): []}
  for t in trials:
    levels.setdefault(canonical(t.stress), []).append(t)
  rows = {level: _rows(levels[level], usual, published, price) for level in sorted(levels)}
  clean = rows.pop(canonical({}))
  swept, ranked = [row for row in clean if _is_swept(row)], [row for row in clean if not _is_swept(row)]
  stressed = _stressed([rank(level) for level in rows.values() if level], rank(ranked))
  return Budget(trials[0].labels, rank(ranked), _sweep(swept, clean), stressed)


def _rows(
  trials: Sequence[Trial],
  usual: Mapping[str, Settings],
  published: Sequence[Published],
  price: float | None,
) -> list[Row]:
  """The rows of trials under one stress, set beside the baseline under the same."""
  groups: dict[tuple[str, str], list[Trial]] = {}
  for t in trials:
    groups.setdefault((t.method, canonical(t.settings)), []).append(t)
  rows = [_row(groups[key], usual[key[0]], published) for key in sorted(groups)]
  plain = {row.method: row for row in rows if not row.variant}
  baseline = plain.get(BASELINE)
  return [
    row._replace(
      difference=None if row is baseline or row.sees_more_labels else compare(row, baseline),
      to_usual=compare(row, plain.get(row.method)) if row.variant else None,
      to_floors=_to_floors(row, rows),
      per_point=per_point.of_row(row, baseline, price),
    )
    for row in rows
    if row.trials
  ]


def _to_floors(row: Row, rows: Sequence[Row]) -> dict[str, Difference]:
  """The differences of a self-supervised row to its floors: the same network fresh, and the pixels."""
  if row.family != 'self-supervised' or row.method in FLOORS or row.sees_more_labels:
    return {}
  fresh = [r for r in rows if r.method == 'random_weights' and _net(r.settings) == _net(row.settings)]
  pixels = [r for r in rows if r.method == 'raw_pixels']
  floors = {'random_weights': nearest(row.settings, fresh), 'raw_pixels': nearest(row.settings, pixels)}
  found = {name: compare(row, floor) for name, floor in floors.items()}
  return {name: difference for name, difference in found.items() if difference}


def _net(settings: Settings) -> Settings:
  return {k: v for k, v in settings.items() if k.startswith('net.')}


def nearest(settings: Settings, rows: Sequence[Row]) -> Row | None:
  """The row whose settings differ from `settings` the least."""
  own = settings.items()
  return min(rows, key=lambda r: (len(own ^ r.settings.items()), say_variant(r.variant)), default=None)


def _stressed(levels: Sequence[Sequence[Row]], clean: Sequence[Row]) -> tuple[tuple[Row, ...], ...]:
  """For each kind of stress, its levels one after the other, after the same methods without it."""
  kinds: dict[tuple[str, ...], list[Sequence[Row]]] = {}
  for level in levels:
    kinds.setdefault(tuple(level[0].stress), []).append(level)

  def beside(rows: Iterable[Row]) -> list[Row]:
    seen = {(row.method, canonical(row.variant)) for row in rows}
    return [row for row in clean if (row.method, canonical(row.variant)) in seen]

  def ordered(levels: Sequence[Sequence[Row]]) -> tuple[Row, ...]:
    rows = [row for level in sorted(levels, key=_strength) for row in level]
    return (*beside(rows), *rows)

  return tuple(ordered(kinds[kind]) for kind in sorted(kinds))


def _strength(level: Sequence[Row]) -> tuple:
  """Levels of a stress in the order of their numbers."""
  return tuple((float(v) if _is_number(v) else 0.0, v) for v in level[0].stress.values())


def _is_number(text: str) -> bool:
  try:
    return math.isfinite(float(text))
  except ValueError:
    return False


def _is_swept(row: Row) -> bool:
  return bool(row.variant) and all(name.startswith('augment.') for name in row.variant)


def _sweep(swept: Sequence[Row], rows: Sequence[Row]) -> tuple[Row, ...]:
  """The swept augmentations, each method's usual ones with them, the best first."""
  methods = {row.method for row in swept}
  group = [*swept, *(row for row in rows if row.method in methods and not row.variant)]

  def order(row: Row) -> tuple:
    return row.method, -(row.accuracy.value if row.accuracy else -1), say_variant(row.variant)

  return tuple(sorted(group, key=order))


def _row(trials: Sequence[Trial], usual: Settings, published: Sequence[Published]) -> Row:
  done = tuple(sorted((t for t in trials if t.status == 'done'), key=lambda t: (t.pair, t.id)))
  first = trials[0]
  measured = means(done)
  variant = differing(first.settings, usual)
  sizes = next((t.sizes for t in done if any(t.sizes)), (None, None, None))
  work = [total for t in done if (total := training_gflops(t)) is not None]
  mine = (
    ()
    if variant or first.stress or not done
    else tuple(p for p in published if fits(p, first.method, first.dataset, first.labels, sizes[0]))
  )
  return Row(
    method=first.method,
    variant=variant,
    settings=first.settings,
    stress=first.stress,
    family=first.family,
    labels=first.labels,
    sizes=sizes,
    trials=done,
    failed=len(trials) - len(done),
    measures={row.name: measured[row.name] for row in all_measures() if row.name in measured},
    rank=None,
    tied=False,
    difference=None,
    to_usual=None,
    to_floors={},
    sees_more_labels=any(t.labels_seen != 'trial' for t in trials),
    collapsed=tuple(t.texts.get('collapse_reason', 'no reason recorded') for t in done if t.collapsed),
    devices=tuple(sorted({t.device for t in done} - {''})),
    shared=any(t.shared for t in done),
    training_gflops=sum(work) / len(work) if work else None,
    reliability=pool([t.diagrams['reliability'] for t in done if 'reliability' in t.diagrams]),
    reliability_scaled=pool(
      [t.diagrams['reliability_scaled'] for t in done if 'reliability_scaled' in t.diagrams]
    ),
    published=mine,
    per_point={},
  )
