"""The identity of a trial and of its training: what a record's id is made of."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ssl_bench import combine, data, methods
from ssl_bench.config import PROTOCOL_VERSION, Config, canonical, digest, digest_of, outcome, training

Tree = dict[str, Any]


def versions_of(config: Config, fingerprint: str, streams: Collection[str] | None = None) -> Tree:
  """What besides the config decides a number; with `streams`, what comes out of a training from these."""
  versions = {
    'protocol': PROTOCOL_VERSION,
    'method': methods.version(config.method['name']),
    'fingerprint': fingerprint,
  }
  if config.combine:
    versions['combine'] = [combine.version(combine.parse(text)[0]) for text in config.combine]
  if config.teacher:
    own = versions_of(config.teacher, fingerprint)
    versions['teachers'] = [own['method'], *own.get('teachers', [])]  # the nearest first
  if others := _other_data(config, streams):
    versions['other_data'] = others
  return versions


def _other_data(config: Config, streams: Collection[str] | None) -> dict[str, str]:
  """Name -> fingerprint of what else is read: teachers' sets, a stress's target, and those of transfer."""
  names = {one.dataset for one in _teachers(config)}
  if config.stress and config.stress.target and (streams is None or 'unlabeled' in streams):
    names.add(config.stress.target)
  if streams is None:
    names.update(config.evaluate.transfer)
  return {name: data.load(name).fingerprint for name in sorted(names - {config.dataset})}


def _teachers(config: Config) -> Iterator[Config]:
  while config.teacher:
    config = config.teacher
    yield config


def identify(config: Config, fingerprint: str) -> str:
  """The id of a trial: config, protocol's version, method's version, dataset's fingerprint."""
  return digest(outcome(config), versions_of(config, fingerprint))


class OfSeeds:
  """The ids of a config and of its training for many seeds, as `identify` and `identify_training` give them.

      ids = OfSeeds(config, fingerprint, streams)
      ids.trial(split_seed=1, seed=2), ids.training(split_seed=1, seed=2)

  Both are digests of one text in which two numbers change, unless a teacher has seeds of its own.
  """

  def __init__(self, config: Config, fingerprint: str, streams: Collection[str]):
    marked = config.model_copy(update=MARKS)
    self._trial = _parts(outcome(marked), versions_of(config, fingerprint))
    versions = versions_of(config, fingerprint, streams)
    self._training = _parts(seen(marked, streams), versions)

  def trial(self, *, split_seed: int, seed: int) -> str:
    return _filled(self._trial, split_seed, seed)

  def training(self, *, split_seed: int, seed: int) -> str:
    return _filled(self._training, split_seed, seed)


MARKS = {'split_seed': 2**62 + 1, 'seed': 2**62 + 3}  # no seed is as large
MARKED = re.compile('|'.join(f'(?<="{name}":){mark}(?=[,}}])' for name, mark in MARKS.items()))


def _parts(*trees: Any) -> list[str]:
  """Canonical JSON around the marks: text, the mark's name, text, …"""
  text, names = canonical(*trees), {str(mark): name for name, mark in MARKS.items()}
  return [names.get(part, part) for part in re.split(f'({MARKED.pattern})', text)]


def _filled(parts: list[str], split_seed: int, seed: int) -> str:
  numbers = {'split_seed': str(split_seed), 'seed': str(seed)}
  return digest_of(''.join(numbers.get(part, part) for part in parts))


def identify_training(config: Config, fingerprint: str, streams: Collection[str]) -> str:
  """The id of a training.  Trials that differ only in settings that training never uses share it.

  `streams` are those that it draws from: without 'labeled' no label counts, without 'unlabeled' no stress of
  the unlabeled images.
  """
  return digest(seen(config, streams), versions_of(config, fingerprint, streams))


def seen(config: Config, streams: Collection[str]) -> Tree:
  """The part of a config that a training from these streams sees."""
  tree = training(config)
  part: Any = tree
  while part:
    stress = _seen(part.pop('stress', {}), streams)
    if stress:
      part['stress'] = stress
    if 'labeled' not in streams and 'shift' not in stress:  # all but the labeled images are shifted
      del part['labels'], part['fold']
      if not stress.keys() - {'anomaly', 'target'}:  # which no seed draws
        del part['split_seed']
    part = part.get('teacher')
  return tree


UNSEEN = {
  'labeled': ('label_noise',),
  'unlabeled': ('shift', 'unlabeled', 'target'),
}  # without a stream, its stress


def _seen(stress: Mapping[str, Any], streams: Collection[str]) -> Tree:
  """The part of a stress that reaches a training from these streams."""
  blind = [stream for stream in UNSEEN if stream not in streams]
  out = {k: v for k, v in stress.items() if not any(k in UNSEEN[stream] for stream in blind)}
  if tail := out.pop('imbalance', None):
    kept = {k: v for k, v in tail.items() if k not in blind and v is not None}
    out |= {'imbalance': kept} if kept else {}
  if 'mismatch' in out and 'unlabeled' in blind:
    out['mismatch'] = 'any'  # which classes have labels does not depend on the share
  return out
