"""Variants: what a method's usual settings are, and how the settings of a row differ from them."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ssl_bench import plugins
from ssl_bench.leaderboard.read import Settings, Trial


def patterns(settings: Settings) -> set[str]:
  """The patterns of training that settings ask for; a config has a pattern's section or has it not."""
  return {name.partition('.')[0] for name in settings}.intersection(plugins.names('patterns'))


def common_settings(trials: Sequence[Trial]) -> Counter[tuple[str, str]]:
  """How many trials have each setting, a name and its value."""
  return Counter(item for t in trials for item in t.settings.items())


def usual_settings(trials: Sequence[Trial], common: Mapping[tuple[str, str], int]) -> Settings:
  """A method's settings without options; of several, those at most budgets, in most trials, most `common`.

  An option is a setting of the method's that is true, such as `supervised` with `strong`, or a pattern, such
  as federated training: the baseline is the one without.
  """
  groups: dict[str, list[Trial]] = {}
  for t in trials:
    groups.setdefault(canonical(t.settings), []).append(t)

  def weight(key: str) -> tuple[int, int, int, int, str]:
    group, settings = groups[key], groups[key][0].settings
    options = sum(v == 'true' for k, v in settings.items() if k.startswith('method.'))
    options += ('combine' in settings) + ('init' in settings)
    alike = sum(common[item] for item in settings.items())
    options += len(patterns(settings))
    return -options, len({t.labels for t in group}), len(group), alike, key

  return groups[max(groups, key=weight)][0].settings


def canonical(settings: Settings) -> str:
  """Settings as a key."""
  return _canonical(tuple(settings.items()))


@lru_cache(4096)  # most trials share theirs with others
def _canonical(items: tuple[tuple[str, str], ...]) -> str:
  return json.dumps(dict(items), sort_keys=True)


def differing(settings: Settings, usual: Settings) -> dict[str, str]:
  """The settings that are not the usual ones, and all of a pattern; a setting that is gone reads 'none'."""
  asked = patterns(settings)
  new = {k: v for k, v in settings.items() if usual.get(k) != v or k.partition('.')[0] in asked}
  gone = {k: 'none' for k in usual if k not in settings and not any(k.startswith(f'{n}.') for n in new)}
  return dict(sorted((new | gone).items()))


def say_variant(variant: Mapping[str, str]) -> str:
  """`'optimizer.lr: 0.1; federated (clients 10, split iid)'`: a pattern is said in one."""
  asked = patterns(variant)
  said = [f'{k}: {v}' for k, v in variant.items() if k.partition('.')[0] not in asked]
  for name in sorted(asked):
    own = (f'{k.partition(".")[2]} {v}' for k, v in variant.items() if k.startswith(f'{name}.'))
    said.append(f'{name} ({", ".join(own)})')
  return '; '.join(said)
