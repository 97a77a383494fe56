"""What a tuning found: a file a method, rebuilt from its trials, the config of the winner, and a table."""

import json
import math
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from rich.table import Table

from ssl_bench.config import RECIPE, Config, digest, to_dict
from ssl_bench.grid.expand import Source
from ssl_bench.records import study as study_file
from ssl_bench.records.disk import write_whole
from ssl_bench.settings.find import PROTOCOL
from ssl_bench.settings.paths import is_path
from ssl_bench.settings.yaml import merge, overlay, parse_override, read_protocol, read_sections, write
from ssl_bench.settings.yaml12 import Dumper
from ssl_bench.tune.file import Method, Tuning
from ssl_bench.tune.scores import Scores
from ssl_bench.tune.search import Candidate, Study, reported
from ssl_bench.tune.space import Settings, settings_of

MADE_BY = {'sobol': 'scipy', 'halton': 'scipy', 'tpe': 'optuna'}


def write_results(tuning: Tuning, method: Method, studies: list[Study], scores: Scores, folder: Path) -> None:
  """Writes `studies/METHOD.json` and, where a study has a winner, `configs/METHOD.yaml` with its protocol.

  Both are a function of the file of the tuning and of the trials' records: the same bytes wherever and
  however often they were interrupted.
  """
  tree = result(tuning, method, studies, scores)
  path = study_file.folder_of(folder) / f'{method.name}.json'
  write_whole(path, json.dumps(tree, indent=1, allow_nan=False) + '\n')
  if study := reported(method, studies):
    base, configs = tuning.source.base, folder / 'configs'
    winner = study.winner(method)
    assert winner
    config = scores.trials(method, winner.values)[0].config
    header = ''.join(f'# {line}\n' for line in _header(tuning, method, studies, study, winner))
    own = _own(tuning, method, settings_of(method.space, winner.values), config, configs)
    write_whole(configs / f'{method.name}.yaml', header + _text(own))
    write_whole(configs / PROTOCOL, f'# As {base.name}/{PROTOCOL}.\n{_text(read_protocol(base))}')


def result(tuning: Tuning, method: Method, studies: Sequence[Study], scores: Scores) -> dict[str, Any]:
  """Plain data: what was searched, every candidate of every study with its trials, and what is reported."""
  form, last = tuning.form, method.rungs[-1]
  winners = [study.winner(method) for study in studies]
  chosen = reported(method, list(studies))
  return {
    'form': study_file.FORM,
    'name': form.name,
    'method': method.name,
    'dataset': method.dataset,
    'search': digest(form.model_dump(), list(tuning.overrides)),
    'sampler': {'name': form.sampler, 'made_by': f'{MADE_BY[form.sampler]} {version(MADE_BY[form.sampler])}'},
    'budget': form.budget,
    'rungs': list(method.rungs),
    'trainings_of_a_candidate': method.trainings,
    'over': list(tuning.over),
    'space': form.methods[method.name] or {},
    'studies': [
      {
        'study': study.number,
        'steps': study.steps,
        'winner': winner.number if winner else None,
        'accuracy_on_validation': winner.scores[last] if winner else None,
        'candidates': [_candidate(method, one, scores) for one in study.candidates],
      }
      for study, winner in zip(studies, winners)
    ],
    'accuracy_on_validation': _median(method, winners),
    'reported': None if chosen is None else chosen.number,
  }


def _candidate(method: Method, one: Candidate, scores: Scores) -> dict[str, Any]:
  """A score of null: a trial diverged or failed there."""
  return {
    'settings': settings_of(method.space, one.values),
    'accuracy_on_validation': {
      str(step): score if math.isfinite(score) else None for step, score in one.scores.items()
    },
    'trials': [trial.id for trial in scores.trials(method, one.values)],
  }


def _median(method: Method, winners: Sequence[Candidate | None]) -> float | None:
  found = [winner.scores[method.rungs[-1]] for winner in winners if winner]
  return median(found) if found else None


def _header(
  tuning: Tuning, method: Method, studies: Sequence[Study], study: Study, winner: Candidate
) -> list[str]:
  """What the config's comment says."""
  form, last = tuning.form, method.rungs[-1]
  winners = [one for each in studies if (one := each.winner(method))]
  accuracies = [100 * one.scores[last] for one in winners]
  splits = ', '.join(str(cell['split_seed']) for cell in tuning.over)
  candidates = len(study.candidates)
  return [
    f'Tuned by `ssl-bench tune` ({form.name}): candidate {winner.number} of {candidates} of study '
    f'{study.number}, the study whose winner is the median of {len(winners)}.',
    f'Budget of a study: {form.budget:,} training steps, of which it used {study.steps:,}; '
    f'sampler {form.sampler}.',
    f'Validation accuracy: {100 * winner.scores[last]:.2f} %, the mean over split seeds {splits}.',
    f"Median of the studies' winners: {median(accuracies):.2f} % "
    f'({min(accuracies):.2f} to {max(accuracies):.2f}).',
  ]


def _own(tuning: Tuning, method: Method, settings: Settings, config: Config, folder: Path) -> dict[str, Any]:
  """The file of a method with what was found; its teacher is written out, since it is no file beside it."""
  source: Source = tuning.source
  file = source.base / f'{method.name}.yaml'
  tree = read_sections(file) if file.is_file() else {'method': {'name': method.name}}
  for part in (source.changes.items(), settings.items(), map(parse_override, tuning.overrides)):
    tree = overlay(tree, ((str(name), value) for name, value in part))
  if config.teacher and isinstance(teacher := tree.get('teacher'), dict) and 'config' in teacher:
    whole = to_dict(config.teacher)
    named = {name: value for name, value in teacher.items() if name != 'config' and name not in RECIPE}
    tree['teacher'] = merge({name: whole[name] for name in RECIPE if name in whole}, named)
  places = [os.path.relpath(one, folder) if is_path(one) else one for one in tree.pop('plugins', [])]
  return {**tree, 'plugins': places} if places else tree


def _text(tree: dict[str, Any]) -> str:
  return yaml.dump(tree, Dumper=Dumper, sort_keys=False, default_flow_style=None, width=120)


def table(tuning: Tuning, studies: Sequence[tuple[Method, list[Study]]]) -> Table:
  """A row for each method: the median of its winners, all of them, and the settings of the median one."""
  found = Table(title=f'{tuning.form.name}: validation accuracy of the winner of each study, in percent')
  for name in ('method', 'median', 'winners', 'candidates', 'steps of a study', 'settings'):
    found.add_column(name, overflow='fold')
  for method, own in studies:
    winners = [study.winner(method) for study in own]
    middle, chosen = _median(method, winners), reported(method, own)
    winner = chosen.winner(method) if chosen else None
    settings = settings_of(method.space, winner.values) if winner else {}
    found.add_row(
      method.name,
      '–' if middle is None else f'{100 * middle:.2f}',
      ', '.join(f'{100 * one.scores[method.rungs[-1]]:.2f}' if one else '–' for one in winners),
      str(max(len(study.candidates) for study in own)),
      f'{max(study.steps for study in own):,} of {tuning.form.budget:,}',
      ', '.join(f'{name}={write(value)}' for name, value in settings.items()),
    )
  return found
