"""Findings as text: one line for each, with its counts and what it means for the protocol."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ssl_bench.data.checking.findings import Findings
from ssl_bench.settings.signature import short

UNSURE = 80.0  # percent of labels that a probe has to agree with
SOME = 3  # suspects below a line, where it is known which files they are
UNEVEN = 1.5  # the largest class over the smallest, from which it is said
MEANS = {
  ('test', 'train'): 'a trial that memorizes them scores too high',
  ('test', 'unlabeled'): 'a trial that memorizes them scores too high',
  ('test', 'validation'): 'settings are chosen on some of the test images',
  ('validation', 'train'): 'a choice of settings by validation favors what memorizes',
}
FOUND = {
  'blank': 'almost one color',
  'saturated': 'almost all black or all white',
  'constant': 'one value throughout',
}


def report(found: Findings, some: int = SOME) -> list[str]:
  """The lines of the report; a line that says so where nothing is suspect.

  Below a line stand the files of the first `some` suspects, where the set knows what it was added from.
  """
  lines = [*_labels(found), *_inputs(found, some), *_duplicates(found, some), *_wrong_labels(found, some)]
  lines += [f'left out: {why}' for why in found['left_out'].values()]
  return lines or ['nothing is suspect']


def summary(found: Findings) -> str:
  """The counts of suspects in one line, for the output of a training; '' where there are none."""
  counts = {
    'test images with a twin in training': len(of_pairs(found, 'test', ('train', 'unlabeled'))),
    'validation images with one': len(of_pairs(found, 'validation', ('train', 'unlabeled'))),
    'empty inputs': sum(len(places) for part in found['inputs'].values() for places in part.values()),
    'classes without a training label': len(found['labels']['train']['missing']),
    'suspected wrong labels': len(found.get('wrong_labels', {}).get('suspects', ())),
  }
  said = [f'{what}: {count:,}' for what, count in counts.items() if count]
  said += [f'{why}' for why in found['left_out'].values()]
  if not said:
    return ''
  return f'Suspect in {found["name"]}: {"; ".join(said)}. More: ssl-bench data check {found["name"]}'


def of_pairs(
  found: Findings, part: str, others: Iterable[str], kinds: Iterable[str] = ('equal', 'twins')
) -> set[int]:
  """Positions in a part that have an equal or a near one in one of the others."""
  wanted = set(others)
  seen = set()
  for pair in (pair for kind in kinds for pair in found.get(kind, ())):
    for (part_a, i), (part_b, j) in ((pair['a'], pair['b']), (pair['b'], pair['a'])):
      if part_a == part and part_b in wanted and (part_a, i) != (part_b, j):
        seen.add(i)
  return seen


def _labels(found: Findings) -> Iterator[str]:
  names = found['label_names']
  for part, labels in found['labels'].items():
    if missing := labels['missing']:
      said = ', '.join(f'{k} ({short(names[k])})' for k in missing[:5]) + (', …' if len(missing) > 5 else '')
      means = 'no method can learn them' if part == 'train' else f'the {part} accuracy says nothing of them'
      yield f'classes without a {part} label: {len(missing)} of {len(names)}: {said}; {means}'
    if labels['imbalance'] >= UNEVEN:
      there = [count for count in labels['counts'] if count]
      yield (
        f'{part} labels are uneven: {min(there):,} to {max(there):,} a class ({labels["imbalance"]:g} times);'
        ' accuracy favors the large classes'
      )


def _inputs(found: Findings, some: int) -> Iterator[str]:
  for part, kinds in found['inputs'].items():
    for kind, places in kinds.items():
      if places:
        yield f'{part} inputs that are {FOUND[kind]}: {len(places):,} of {found["sizes"][part]:,}'
        yield from _below(found.get('inputs_from', {}).get(part, {}).get(kind, ()), some)


def _below(texts: Sequence[str], some: int) -> Iterator[str]:
  """Lines for the first of several suspects, and dots where there are more."""
  if some:
    yield from (f'  {text}' for text in texts[:some])
    yield from ['  …'] * (len(texts) > some)


def _files(pairs: Iterable[dict[str, Any]]) -> list[str]:
  return [' and '.join(pair['from']) for pair in pairs if 'from' in pair]


def _duplicates(found: Findings, some: int) -> Iterator[str]:
  names = found['label_names']
  for kind, said in (('equal', 'an equal one'), ('twins', 'a near-twin')):
    pairs = found.get(kind, ())
    for (part, other), means in MEANS.items():
      if places := of_pairs(found, part, [other], [kind]):
        yield f'{part} images with {said} in {other}: {len(places):,} of {found["sizes"][part]:,}; {means}'
        across = [pair for pair in pairs if {pair['a'][0], pair['b'][0]} == {part, other}]
        yield from _below(_files(across), some)
    within = Counter(pair['a'][0] for pair in pairs if pair['a'][0] == pair['b'][0])
    for part, count in within.items():
      yield f'pairs of {part} images, {"equal" if kind == "equal" else "near-twins"}: {count:,}'
      yield from _below(_files(p for p in pairs if p['a'][0] == p['b'][0] == part), some)
    apart = [pair for pair in pairs if pair['labels'][0] != pair['labels'][1] and min(pair['labels']) >= 0]
    if apart:
      yield f'such pairs with different labels: {len(apart):,} of {len(pairs):,}; probably one is wrong'
      labels = [' and '.join(names[k] for k in pair['labels']) for pair in apart]
      yield from _below([f'{files}: {said}' for files, said in zip(_files(apart), labels)], some)


def _trust(agreement: float) -> str:
  if agreement < UNSURE:
    return 'so unsure a probe suspects many right ones: give --record a well trained network'
  return 'look at them, the first are the surest'


def _wrong_labels(found: Findings, some: int) -> Iterator[str]:
  suspects: list[dict[str, Any]] = found.get('wrong_labels', {}).get('suspects', [])
  counts = Counter(one['at'][0] for one in suspects)
  if counts:
    said = ', '.join(f'{part} {count:,} of {found["sizes"][part]:,}' for part, count in counts.items())
    agreement = 100 * found['wrong_labels']['agreement']
    yield (
      f'suspected wrong labels: {said}, by probes on {found["wrong_labels"]["on"]} that agree with '
      f'{agreement:.1f} % of the labels; {_trust(agreement)}'
    )
    names = found['label_names']
    told = [(one['from'], names[one['given']], names[one['suggested']]) for one in suspects if 'from' in one]
    yield from _below([f'{file}: {a}, perhaps {b}' for file, a, b in told], some)
