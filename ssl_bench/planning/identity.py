"""The identity of a trial and of its training: what a record's id is made of."""

from collections.abc import Collection, Mapping
from typing import Any

from ssl_bench import combine, methods
from ssl_bench.config import Config, digest, outcome, training

Tree = dict[str, Any]
PROTOCOL_VERSION = 1  # bumped when the protocol changes what a number means


def versions_of(config: Config, fingerprint: str) -> Tree:
  """What besides the config decides a number."""
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
  return versions


def identify(config: Config, fingerprint: str) -> str:
  """The id of a trial: config, protocol's version, method's version, dataset's fingerprint."""
  return digest(outcome(config), versions_of(config, fingerprint))


def identify_training(config: Config, fingerprint: str, streams: Collection[str]) -> str:
  """The id of a training.  Trials that differ only in settings that training never uses share it.

  `streams` are those that it draws from: without 'labeled' no label counts, without 'unlabeled' no stress of
  the unlabeled images.
  """
  tree = training(config)
  part: Any = tree
  while part:
    stress = _seen(part.pop('stress', {}), streams)
    if stress:
      part['stress'] = stress
    if 'labeled' not in streams and 'shift' not in stress:  # all but the labeled images are shifted
      del part['labels'], part['fold']
      if not stress.keys() - {'anomaly'}:  # which no seed draws
        del part['split_seed']
    part = part.get('teacher')
  return digest(tree, versions_of(config, fingerprint))


UNSEEN = {'labeled': ('label_noise',), 'unlabeled': ('shift', 'unlabeled')}  # without a stream, its stress


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
