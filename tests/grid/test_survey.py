"""A survey gives each trial the ids that it has alone, and reads what is recorded of it."""

import random

import pytest
from support.cli import write_configs

from ssl_bench import data
from ssl_bench.config import load
from ssl_bench.grid.survey import survey
from ssl_bench.planning import identity
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.trial.training import name_of

METHODS = {
  'pretrained': 'method: {name: simclr, hidden: 8, out: 8}\nema: null\nstress: {shift: cutout(3)}',
  'student': 'method: distill\nteacher: {method: supervised, split_seed: 11}',
  'noisy': 'method: supervised\nstress: {label_noise: 0.2}',
}


def test_ids_of_many_seeds_are_those_of_each(tmp_path):
  """Also of a method that no seed of the split reaches, and of one whose teacher has seeds of its own."""
  folder, draw = write_configs(tmp_path / 'configs', **METHODS), random.Random(0)
  dataset = data.load('fake')
  configs = [
    load(folder / f'{name}.yaml', [f'split_seed={draw.randrange(2**32)}', f'seed={draw.randrange(2**32)}'])
    for name in ('supervised', 'simclr', *METHODS)
    for _ in range(5)
  ]
  found = survey(configs, RunFolder(tmp_path / 'runs'), {'fake': dataset})
  assert [trial.id for trial in found.trials] == [identity.identify(c, dataset.fingerprint) for c in configs]
  assert [trial.training for trial in found.trials] == [name_of(c, dataset) for c in configs]
  assert len(found.groups) == 4 + 5  # a student's kind holds the seeds of its teacher


def test_a_record_is_glanced_at_and_a_broken_one_is_named(tmp_path):
  folder, run_folder = write_configs(tmp_path / 'configs'), RunFolder(tmp_path / 'runs')
  configs = [load(folder / 'supervised.yaml', [f'seed={seed}']) for seed in (0, 1)]
  written = run_trial(configs[1], run_folder)
  first, second = survey(configs, run_folder, {'fake': data.load('fake')}).trials
  assert first.record is None
  assert second.record == ('done', None, written['time']['finished'], written['versions']['code'])
  path = run_folder.record_of(written['id'])
  path.write_text(path.read_text().replace('"status": "done"', '"status": "fine"'))
  with pytest.raises(BadSetting, match=f'{written["id"]}.json is not a'):
    survey(configs, run_folder, {'fake': data.load('fake')})
