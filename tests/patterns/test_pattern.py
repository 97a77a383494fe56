"""A pattern of training is one file: a toy is found by its name and works from the config to the record."""

import json

import pytest
from support.cli import command, records, write_configs

from ssl_bench import pattern, patterns
from ssl_bench.config import digest, load, outcome
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

PATTERN = '''
"""Sharpness-aware minimization: the gradient at the worst place near the parameters."""

import jax
import optax
from pydantic import Field, StrictFloat

from ssl_bench.pattern import Pattern
from ssl_bench.measures import Measure, of_pattern
from ssl_bench.settings.sections import Section
from ssl_bench.settings.signature import BadSetting


class Sharpness(Section):
  """Foret et al. (2021), equation 2."""

  radius: StrictFloat = Field(0.05, ge=0)


def check_config(config):
  if config.method['name'] == 'simclr':
    raise BadSetting('This toy knows no simclr; leave sharpness out.')


def estimator(structure, numbers):
  def estimate(objective, has_aux=True):
    gradient = jax.value_and_grad(objective, has_aux=has_aux)

    def at(params, *rest):
      _, grads = gradient(params, *rest)
      scale = numbers['radius'] / (optax.tree.norm(grads) + 1e-12)
      return gradient(jax.tree.map(lambda w, g: w + scale * g, params, grads), *rest)

    return at

  return estimate


PATTERN = Pattern(
  'sharpness',
  Sharpness,
  numbers=lambda settings: {'radius': settings.radius},
  check_config=check_config,
  estimator=estimator,
  measure=lambda plan, fitted: {'radius': plan.config.patterns['sharpness'].radius},
  measures=(
    Measure('sharpness', ('metrics', 'sharpness', 'radius'), 'radius', of_pattern('sharpness', 'radius')),
  ),
)
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """Configs beside a package that has the toy pattern."""
  (tmp_path / 'sharpness.py').write_text(PATTERN)
  monkeypatch.setattr(patterns, '__path__', [*patterns.__path__, str(tmp_path)])
  return write_configs(tmp_path / 'configs', 'net: {name: mlp, widths: [8], norm: none}')


def test_a_pattern_is_a_section_of_the_config(folder):
  assert 'sharpness' in pattern.names()
  plain, config = load(folder / 'supervised.yaml'), load(folder / 'supervised.yaml', ['sharpness.radius=0.1'])
  assert json.loads(config.model_dump_json())['sharpness'] == {'radius': 0.1}
  assert 'sharpness' not in json.loads(plain.model_dump_json())
  assert digest(outcome(plain)) != digest(outcome(config))
  with pytest.raises(BadSetting, match=r'^sharpness\.radius must be greater than or equal to 0'):
    load(folder / 'supervised.yaml', ['sharpness.radius=-1'])
  with pytest.raises(BadSetting, match="no setting 'sharpnes'; did you mean 'sharpness'"):
    load(folder / 'supervised.yaml', ['sharpnes={}'])
  with pytest.raises(BadSetting, match='leave sharpness out'):
    load(folder / 'simclr.yaml', ['sharpness={}'])


@pytest.mark.slow
def test_a_pattern_trains_and_is_measured(folder, tmp_path):
  """Without a radius it is usual training, bit for bit; with one it is not."""
  run_folder = RunFolder(tmp_path / 'runs')
  find = lambda *words: run_trial(load(folder / 'supervised.yaml', words), run_folder)
  plain, none, some = find(), find('sharpness.radius=0.0'), find('sharpness.radius=0.5')
  assert some['status'] == 'done', some['error']
  assert plain['curve'] == none['curve'] != some['curve']
  assert some['metrics']['sharpness'] == {'radius': 0.5} and 'sharpness' not in plain['metrics']


PICKY = """
from ssl_bench.pattern import Pattern
from ssl_bench.settings.sections import Section
from ssl_bench.settings.signature import BadSetting


class Picky(Section):
  'Training that no seed 1 is given.'


def check(plan):
  if plan.config.seed == 1:
    raise BadSetting('This pattern takes no seed 1; choose another.')


PLUGINS = {'patterns': [Pattern('picky', Picky, check=check)]}
"""


@pytest.mark.slow
def test_a_trial_that_its_pattern_refuses_late_ends_no_worker(tmp_path):
  """A pattern of a plugin file: the refused trial of a grid is told, and the others are recorded."""
  configs = write_configs(tmp_path / 'configs', 'net: {name: mlp, widths: [8], norm: none}')
  (tmp_path / 'picky.py').write_text(PICKY)
  grid = tmp_path / 'picky.yaml'
  grid.write_text(
    f'base: {configs}\nplugins: [picky.py]\nset: {{picky: {{}}}}\n'
    'blocks:\n  - {method: supervised, seed: [0, 1, 2]}\n'
  )
  out = command('grid', grid, '--runs', tmp_path / 'runs', '--workers', 1, '--wandb=disabled', code=1)
  assert 'This pattern takes no seed 1; choose another.' in out and 'Traceback' not in out
  found = records(tmp_path / 'runs/picky/records').values()
  assert sorted(record['config']['seed'] for record in found) == [0, 2]
  assert all(record['config']['picky'] == {} for record in found)
