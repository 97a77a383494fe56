"""Records in, typed rows out: groups, means, paired differences and ranks; no formatting."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ssl_bench.evaluate.intervals import FEWEST, paired_interval
from ssl_bench.leaderboard.measures import PATHS, count, device_of, mean, pool, values
from ssl_bench.leaderboard.published import Published, fits
from ssl_bench.leaderboard.rows import Board, Budget, Difference, Mean, Row, Section
from ssl_bench.leaderboard.trials import (
  PATTERNS,
  Record,
  Settings,
  Trial,
  number,
  patterns,
  read_trials,
  why_stale,
)

BASELINE = 'supervised'
FLOORS = ('random_weights', 'raw_pixels')  # what a self-supervised method's features have to beat
PROTOCOLS = ('paper', 'budget', 'smoke')  # the order of their sections


def aggregate(
  records: Iterable[Record],
  published: Sequence[Published] = (),
  *,
  timing: bool = True,
  today: Mapping[str, Any] | None = None,
) -> Board:
  """The board of `records`, whatever their order; `today` as in `trials.why_stale`."""
  groups: dict[tuple[str, str], list[Trial]] = {}
  for trial in read_trials(records, timing=timing):
    groups.setdefault((trial.dataset, trial.protocol), []).append(trial)
  sections = tuple(
    _section(*key, groups[key], published, today) for key in sorted(groups, key=_section_order)
  )
  beside = {p for section in sections for row in section.rows for p in row.published}
  return Board(sections, tuple(p for p in published if p not in beside), timing)


def _section_order(key: tuple[str, str]) -> tuple[str, int, str]:
  dataset, protocol = key
  return dataset, PROTOCOLS.index(protocol) if protocol in PROTOCOLS else len(PROTOCOLS), protocol


def _section(
  dataset: str,
  protocol: str,
  trials: Sequence[Trial],
  published: Sequence[Published],
  today: Mapping[str, Any] | None,
) -> Section:
  reasons = {t.id: why_stale(t.record, today) for t in trials}
  fresh = [t for t in trials if not reasons[t.id]]
  methods, budgets = (
    sorted({t.method for t in fresh}),
    sorted({t.labels for t in fresh if t.status == 'done'}),
  )
  usual = {m: usual_settings([t for t in fresh if t.method == m], fresh) for m in methods}
  return Section(
    dataset,
    protocol,
    tuple(_budget([t for t in fresh if t.labels == n], usual, published) for n in budgets),
    tuple(sorted((t for t in fresh if t.status != 'done'), key=lambda t: (t.method, t.labels, t.pair, t.id))),
    tuple((t, reason) for t in trials if (reason := reasons[t.id])),
    usual,
  )


def usual_settings(trials: Sequence[Trial], section: Sequence[Trial]) -> Settings:
  """A method's settings without options; of several, those at most budgets, in most trials, most alike.

  An option is a setting of the method's that is true, such as `supervised` with `strong`, or a pattern, such
  as federated training: the baseline is the one without.
  """
  common = Counter(item for t in section for item in t.settings.items())
  groups: dict[str, list[Trial]] = {}
  for t in trials:
    groups.setdefault(_canonical(t.settings), []).append(t)

  def weight(key: str) -> tuple:
    group, settings = groups[key], groups[key][0].settings
    options = sum(v == 'true' for k, v in settings.items() if k.startswith('method.'))
    options += 'combine' in settings
    alike = sum(common[item] for item in settings.items())
    options += len(patterns(settings))
    return -options, len({t.labels for t in group}), len(group), alike, key

  return groups[max(groups, key=weight)][0].settings


def _canonical(settings: Settings) -> str:
  return json.dumps(settings, sort_keys=True)


def differing(settings: Settings, usual: Settings) -> Settings:
  """The settings that are not the usual ones, and all of a pattern; a setting that is gone reads 'none'."""
  new = {k: v for k, v in settings.items() if usual.get(k) != v or k.partition('.')[0] in PATTERNS}
  gone = {k: 'none' for k in usual if k not in settings and not any(k.startswith(f'{n}.') for n in new)}
  return dict(sorted((new | gone).items()))


def _budget(trials: Sequence[Trial], usual: Mapping[str, Settings], published: Sequence[Published]) -> Budget:
  levels: dict[str, list[Trial]] = {_canonical({}): []}
  for t in trials:
    levels.setdefault(_canonical(t.stress), []).append(t)
  rows = {level: _rows(levels[level], usual, published) for level in sorted(levels)}
  clean = rows.pop(_canonical({}))
  swept, ranked = [row for row in clean if _is_swept(row)], [row for row in clean if not _is_swept(row)]
  stressed = _stressed([rank(level) for level in rows.values() if level], rank(ranked))
  return Budget(trials[0].labels, rank(ranked), _sweep(swept, clean), stressed)


def _rows(
  trials: Sequence[Trial], usual: Mapping[str, Settings], published: Sequence[Published]
) -> list[Row]:
  """The rows of trials under one stress, set beside the baseline under the same."""
  groups: dict[tuple[str, str], list[Trial]] = {}
  for t in trials:
    groups.setdefault((t.method, _canonical(t.settings)), []).append(t)
  rows = [_row(groups[key], usual[key[0]], published) for key in sorted(groups)]
  plain = {row.method: row for row in rows if not row.variant}
  baseline = plain.get(BASELINE)
  return [
    row._replace(
      difference=None if row is baseline or row.sees_more_labels else compare(row, baseline),
      to_usual=compare(row, plain.get(row.method)) if row.variant else None,
      to_floors=_to_floors(row, rows),
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
    seen = {(row.method, _canonical(row.variant)) for row in rows}
    return [row for row in clean if (row.method, _canonical(row.variant)) in seen]

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


def rank(rows: Sequence[Row]) -> tuple[Row, ...]:
  """The rows by mean accuracy; those without one, and those that saw more labels, unranked at the end."""
  named = sorted(rows, key=lambda r: (r.method, say_variant(r.variant)))
  inside = [row for row in named if row.accuracy and not row.sees_more_labels]
  inside.sort(key=lambda r: -r.measures['accuracy'].value)
  outside = [row for row in named if not row.accuracy or row.sees_more_labels]
  ranked = []
  for row in inside:
    place = 1 + sum(r.measures['accuracy'].value > row.measures['accuracy'].value for r in inside)
    to_best = compare(row, inside[0])
    tied = row is inside[0] or bool(to_best and to_best.verdict == 'not separable')
    ranked.append(row._replace(rank=place, tied=tied))
  return (*ranked, *outside)


def say_variant(variant: Settings) -> str:
  """`'optimizer.lr: 0.1; federated (clients 10, split iid)'`: a pattern is said in one."""
  said = [f'{k}: {v}' for k, v in variant.items() if k.partition('.')[0] not in PATTERNS]
  for name in sorted(patterns(variant)):
    own = (f'{k.partition(".")[2]} {v}' for k, v in variant.items() if k.startswith(f'{name}.'))
    said.append(f'{name} ({", ".join(own)})')
  return '; '.join(said)


def compare(row: Row, other: Row | None) -> Difference | None:
  """The difference in accuracy of two rows over the pairs that both have, or None without any.

  Differences of one split are averaged first; the interval is over splits.
  """
  if other is None:
    return None
  a, b = values(row.trials, 'accuracy'), values(other.trials, 'accuracy')
  pairs = sorted(a.keys() & b.keys())
  if not pairs:
    return None
  groups = [p.group for p in pairs]
  middle, half = paired_interval([a[p] for p in pairs], [b[p] for p in pairs], groups=groups)
  if half is None:
    verdict = f'fewer than {FEWEST} splits'
  else:
    verdict = 'better' if middle > half else 'worse' if -middle > half else 'not separable'
  return Difference(Mean(middle, half, *count(pairs)), verdict)


def _row(trials: Sequence[Trial], usual: Settings, published: Sequence[Published]) -> Row:
  done = tuple(sorted((t for t in trials if t.status == 'done'), key=lambda t: (t.pair, t.id)))
  first = trials[0]
  split: Mapping[str, Any] = next((t.record['split'] for t in done if t.record.get('split')), {})
  means = {name: values(done, name) for name in PATHS}
  variant = differing(first.settings, usual)
  devices = sorted({device_of(t.record) for t in done} - {''})
  reports = [t.record.get('metrics') or {} for t in done]
  costs = [t.record.get('cost') or {} for t in done]
  taken = [number(c, 'steps') or float(first.settings.get('steps', 0)) for c in costs]
  work = [(number(c, 'gflops_per_step'), number(c, 'teacher_gflops') or 0) for c in costs]
  total = [each * steps + taught for (each, taught), steps in zip(work, taken) if each is not None and steps]
  sizes = tuple(split.get(part) for part in ('train', 'validation', 'test'))
  return Row(
    method=first.method,
    variant=variant,
    settings=first.settings,
    stress=first.stress,
    family=first.record.get('family') or '',
    labels=first.labels,
    sizes=sizes,  # type: ignore[arg-type]
    trials=done,
    failed=len(trials) - len(done),
    measures={name: mean(found) for name, found in means.items() if found},
    rank=None,
    tied=False,
    difference=None,
    to_usual=None,
    to_floors={},
    sees_more_labels=any(t.record.get('labels_seen', 'trial') != 'trial' for t in trials),
    collapsed=tuple(r.get('collapse_reason') or 'no reason recorded' for r in reports if r.get('collapsed')),
    devices=tuple(devices),
    shared=any(c.get('shared') for c in costs),
    training_gflops=sum(total) / len(total) if total else None,
    reliability=pool([r['reliability'] for r in reports if r.get('reliability')]),
    reliability_scaled=pool([r['reliability_scaled'] for r in reports if r.get('reliability_scaled')]),
    published=()
    if variant or first.stress
    else tuple(p for p in published if done and fits(p, first.method, first.dataset, first.labels, sizes[0])),
  )
