"""A plan is made once: what it derives is not derived again, and it knows what a trial will do."""

import logging
import re
from collections import Counter
from functools import wraps

import jax
import numpy as np
import pytest
from support.cli import write_configs

from ssl_bench import config as configs
from ssl_bench import data, methods
from ssl_bench.config import load, validate
from ssl_bench.planning import build, make_plan
from ssl_bench.planning.structure import freeze
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.program import compile_program
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

STUDENT = 'method: distill\nteacher: {config: fixmatch.yaml}'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return write_configs(tmp_path_factory.mktemp('configs'), distill=STUDENT)


PROGRAMS = {'init', 'advance', 'observe', 'infer', 'refresh', 'held_out_loss', 'embed', 'transduce'}


@pytest.mark.slow
def test_a_distillation_validates_once_and_builds_its_methods_where_it_compiles(
  folder, tmp_path, monkeypatch, caplog
):
  """From the config's file to the record: two configs are validated, the student's and its teacher's.

  A method is built once to be asked for its views, once for each program that is compiled of it, and once for
  its prediction, which is traced to count its operations.  The student's programs build the teacher as well.
  """
  validated, built = [], Counter()
  resolve, get = configs.resolve, methods.get
  monkeypatch.setattr(
    configs, 'resolve', lambda config: validated.append(config.method['name']) or resolve(config)
  )

  def counting(name):
    factory = get(name)

    @wraps(factory)
    def build(*facts, **settings):
      built[name] += 1
      return factory(*facts, **settings)

    return build

  compile_program.cache_clear()
  build.method_of.cache_clear()
  monkeypatch.setattr(build.methods, 'get', counting)
  with jax.log_compiles(), caplog.at_level(logging.WARNING, 'jax'):
    found = run_trial(load(folder / 'distill.yaml'), RunFolder(tmp_path))
  assert found['status'] == 'done', found['error']
  assert sorted(validated) == ['distill', 'fixmatch']
  said = (re.match(r'Finished XLA compilation of jit\((\w+)\)', record.message) for record in caplog.records)
  compiled = sum(match[1] in PROGRAMS for match in said if match)
  assert compiled and built['distill'] <= compiled


def test_a_structure_is_a_key(folder):
  """Equal structures of equal configs; numbers are no part of it, compiled settings are."""
  fixmatch = folder / 'fixmatch.yaml'
  usual = make_plan(load(fixmatch)).structure
  other = make_plan(load(fixmatch, ['method.threshold=0.5', 'seed=3', 'optimizer.lr=0.2'])).structure
  assert usual == other and hash(usual) == hash(other)
  for words in ('net.widths=[17]', 'ema=null', 'augment.weak=crop', 'batch.labeled=5'):
    assert make_plan(load(fixmatch, [words])).structure != usual


def test_what_is_frozen_can_be_hashed():
  frozen = freeze({'a': [1, {'b': [2, 3]}], 'c': None})
  assert frozen['a'] == (1, freeze({'b': (2, 3)})) and isinstance(hash(frozen), int)


def test_the_teachers_come_with_the_plan(folder):
  plan = make_plan(load(folder / 'distill.yaml'))
  (teacher,) = plan.teachers
  alone = make_plan(load(folder / 'fixmatch.yaml'))
  assert teacher.training_id == alone.training_id != plan.training_id
  assert [one.config.method['name'] for one in plan.trainings] == ['distill', 'fixmatch']
  assert plan.streams == {'labeled', 'unlabeled'} and plan.uses_labels
  np.testing.assert_array_equal(plan.labeled, alone.labeled)


def test_the_ids_of_a_record_are_those_of_its_plan(folder, tmp_path):
  config = load(folder / 'supervised.yaml')
  plan, run_folder = make_plan(config), RunFolder(tmp_path)
  found = run_trial(config, run_folder)
  assert found['id'] == plan.trial_id
  assert [path.name for path in run_folder.checkpoints.iterdir()] == [plan.training_id]


def test_a_config_read_back_from_a_record_is_the_same_plan(folder):
  plan = make_plan(load(folder / 'distill.yaml'))
  again = make_plan(validate(configs.to_dict(plan.config)), data.load('fake'))
  assert again.structure == plan.structure and again.trial_id == plan.trial_id


def test_a_plan_that_does_not_fit_its_data_is_not_made(folder):
  with pytest.raises(BadSetting, match='unlabeled images; make batch'):
    make_plan(load(folder / 'fixmatch.yaml', ['batch.unlabeled_ratio=99']))
