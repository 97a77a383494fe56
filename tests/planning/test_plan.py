"""A plan is made once: what it derives is not derived again, and it knows what a trial will do."""

import jax
import numpy as np
import pytest
from support.cli import write_configs

from ssl_bench import config as configs
from ssl_bench import data, methods
from ssl_bench.config import load, validate
from ssl_bench.planning import make_plan
from ssl_bench.planning.structure import freeze
from ssl_bench.settings.signature import BadSetting
from ssl_bench.training.program import compile_program
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import Room

STUDENT = 'method: distill\nteacher: {config: fixmatch.yaml}'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return write_configs(tmp_path_factory.mktemp('configs'), distill=STUDENT)


@pytest.mark.slow
def test_a_distillation_validates_once_and_builds_no_more_methods_than_it_compiles(
  folder, tmp_path, monkeypatch
):
  """From the config's file to the record: the student's config and the teacher's, once each."""
  validated, built, compiled = [], {'distill': 0, 'fixmatch': 0}, []
  resolve, get = configs.resolve, methods.get
  monkeypatch.setattr(
    configs, 'resolve', lambda config: validated.append(config.method['name']) or resolve(config)
  )

  def counting(name):
    factory = get(name)

    def build(*facts, **settings):
      built[name] += 1
      return factory(*facts, **settings)

    build.__signature__, build.__name__ = __import__('inspect').signature(factory, eval_str=True), name
    return build

  def listen(event, seconds, **_):
    if event == '/jax/core/compile/backend_compile_duration':
      compiled.append(seconds)

  from ssl_bench.planning import build as plan_build

  compile_program.cache_clear()
  plan_build.method_of.cache_clear()
  jax.clear_caches()
  jax.monitoring.register_event_duration_secs_listener(listen)
  monkeypatch.setattr(plan_build.methods, 'get', counting)
  found = run_trial(load(folder / 'distill.yaml'), Room(tmp_path))
  jax.monitoring.unregister_event_duration_listener(listen)
  assert found['status'] == 'done', found['error']
  assert sorted(validated) == ['distill', 'fixmatch']
  assert 0 < built['distill'] <= PROGRAMS, built
  print(built, len(compiled))


# Programs that a trial compiles of its method: init, advance, observe; its own prediction is lowered twice.
PROGRAMS = 8


def test_a_structure_is_a_key(folder):
  """Equal structures of equal configs; numbers are no part of it, compiled settings are."""
  fixmatch = folder / 'fixmatch.yaml'
  usual = make_plan(load(fixmatch)).structure
  assert usual == make_plan(load(fixmatch, ['method.threshold=0.5', 'seed=3', 'optimizer.lr=0.2'])).structure
  assert hash(usual) == hash(make_plan(load(fixmatch, ['seed=3'])).structure)
  for words in ('net.widths=[17]', 'ema=null', 'augment.weak=crop', 'batch.labeled=5', 'private={}'):
    if words != 'private={}':
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
  plan, room = make_plan(config), Room(tmp_path)
  found = run_trial(config, room)
  assert found['id'] == plan.trial_id
  assert [path.name for path in room.checkpoints.iterdir()] == [plan.training_id]


def test_a_config_read_back_from_a_record_is_the_same_plan(folder):
  plan = make_plan(load(folder / 'distill.yaml', ['federated=null']))
  again = make_plan(validate(configs.to_dict(plan.config)), data.load('fake'))
  assert again.structure == plan.structure and again.trial_id == plan.trial_id


def test_a_plan_that_does_not_fit_its_data_is_not_made(folder):
  with pytest.raises(BadSetting, match='unlabeled images; make batch'):
    make_plan(load(folder / 'fixmatch.yaml', ['batch.unlabeled_ratio=99']))
