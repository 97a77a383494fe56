"""The page of a report: one HTML file that asks for nothing outside and holds no script."""

from collections.abc import Sequence
from pathlib import Path

from ssl_bench.leaderboard.page.document import asset, template
from ssl_bench.report import (
  classes,
  confidence,
  cost,
  curves,
  embedding,
  examples,
  inversion,
  numbers,
  settings,
)
from ssl_bench.report.maps import MapBy
from ssl_bench.report.parts import Section
from ssl_bench.report.trial import Trial, read
from ssl_bench.settings import plural
from ssl_bench.settings.yaml import flatten


def report(record: Path, other: Path | None = None, *, map_by: MapBy | None = 'pca') -> str:
  """The report of a record, or of two beside each other, as HTML.

  Args:
    record: a record's file.
    other: the file of another one.
    map_by: how the map of features is made, for which checkpoints are loaded; None for no map.

  Raises:
    BadSetting: a record, its curves or its predictions are not sound.

  Example:
    >>> html = report(Path('runs/train/records/0123456789abcdef.json'))  # doctest: +SKIP
  """
  paths = [record] if other is None else [record, other]
  letters = [''] if other is None else ['A', 'B']
  with_map = map_by is not None
  trials = [read(path, letter, with_map=with_map) for path, letter in zip(paths, letters)]
  return page(trials, map_by or 'pca')


def page(trials: Sequence[Trial], map_by: MapBy = 'pca') -> str:
  """The page of one trial or of two; `map_by` says how the maps of their features are made."""
  return render(
    'page.html.j2',
    title=' and '.join(dict.fromkeys(title(trial) for trial in trials)),
    trials=[(trial.letter, trial.tree['id'], about(trial)) for trial in trials],
    sections=_sections(trials, map_by),
  )


def render(name: str, **values: object) -> str:
  """A template of this room with the page's style."""
  return template('report', name).render(colors=asset('assets/colors.css'), **values)


def _sections(trials: Sequence[Trial], map_by: MapBy) -> list[Section]:
  return [
    numbers.main_section(trials),
    *([settings.different_section(trials)] if len(trials) > 1 else []),
    *curves.sections(trials),
    *confidence.sections(trials),
    classes.section(trials),
    examples.section(trials),
    embedding.section(trials, map_by),
    *inversion.sections(trials),
    cost.section(trials),
    numbers.all_section(trials),
    settings.section(trials),
  ]


def title(trial: Trial) -> str:
  """`'fixmatch on digits, 40 labels'`."""
  tree = trial.tree
  return f'{trial.method} on {tree["config"].get("dataset")}, {plural.count(tree["labels"], "label")}'


def about(trial: Trial) -> str:
  """What the trial is, in one sentence."""
  tree = trial.tree
  config = tree['config']
  said = [
    f'{title(trial)} ({tree["family"]})',
    *(f'under {kind}: {value}' for kind, value in flatten(config.get('stress') or {}).items()),
    f'net {config.get("net", {}).get("name")}',
    f'{config.get("steps"):,} steps',
    f'split seed {config.get("split_seed")}, seed {config.get("seed")}',
    f'protocol {tree["protocol"]}',
    tree['status'],
  ]
  return '; '.join(said) + '.'
