"""The file of a tuning: what it may say, what is wrong with one, and the one that comes with the package."""

import pytest
import yaml
from support.cli import ROOT, write_configs

from ssl_bench import config as configs
from ssl_bench.records.record import TUNING
from ssl_bench.settings.signature import BadSetting
from ssl_bench.trial.run_folder import RunFolder
from ssl_bench.tune.dry_run import dry_run
from ssl_bench.tune.file import read

GOOD = {
  'base': 'configs',
  'over': {'split_seed, seed': [[100, 0], [101, 1]]},
  'budget': 1000,
  'methods': {'supervised': {'optimizer.lr': {'low': 0.01, 'high': 0.1}}},
}


@pytest.fixture
def write(tmp_path):
  write_configs(tmp_path / 'configs')

  def written(**changes):
    path = tmp_path / 'small.yaml'
    path.write_text(yaml.safe_dump({**GOOD, **changes}, sort_keys=False))
    return path

  return written


def test_a_candidate_is_trained_on_every_cell(write):
  over = {'split_seed, seed': [[100, 0], [101, 1]], 'labels': [20, 40]}
  methods: dict = {'supervised': {}, 'simclr': {}}
  tuning = read(write(over=over, rungs=2, methods=methods, set={'steps': 10}), ['log_every=7'])
  supervised, simclr = tuning.methods
  assert (supervised.trainings, simclr.trainings) == (4, 2)  # a pretraining sees no labels
  assert supervised.rungs == (4, 10) and tuning.form.name == 'small'
  found = tuning.configs(supervised, ())
  cells = [(100, 0, 20), (100, 0, 40), (101, 1, 20), (101, 1, 40)]
  assert [(c.split_seed, c.seed, c.labels) for c in found] == cells
  assert {(c.steps, c.log_every) for c in found} == {(10, 7)}


def test_a_rung_is_where_every_machine_can_stop(write):
  """An accelerator dispatches as many steps as divide all intervals, a pattern as many as it says."""
  told = {}
  for every in (1, 5, 10, 60):
    intervals = {'steps': 60, 'log_every': every, 'evaluate.every': every, 'checkpoint.every': every}
    told[every] = read(write(rungs=3, set=intervals)).methods[0].rungs
  assert told == {1: (7, 20, 60), 5: (10, 20, 60), 10: (10, 20, 60), 60: (60,)}
  rounds = {'steps': 60, 'federated': {'clients': 2, 'local_steps': 15}}
  assert read(write(rungs=3, set=rounds)).methods[0].rungs == (15, 30, 60)
  tuned = {'supervised': {'log_every': [5, 6]}}
  intervals = {'steps': 60, 'evaluate.every': 60, 'checkpoint.every': 60}
  assert read(write(rungs=3, set=intervals, methods=tuned)).methods[0].rungs == (30, 60)


def test_a_teacher_is_charged_where_its_settings_are_tuned(write, tmp_path):
  (tmp_path / 'configs/distill.yaml').write_text('method: distill\nteacher: {method: supervised, steps: 5}')
  told = [
    read(write(methods={'distill': one})).methods[0] for one in ({}, {'teacher.optimizer.lr': [0.1, 0.2]})
  ]
  assert [method.before for method in told] == [0, 10]  # one teacher for each split


def test_a_teacher_that_inherits_what_is_tuned_is_charged(write, tmp_path):
  (tmp_path / 'configs/distill.yaml').write_text('method: distill\nteacher: {method: supervised}')
  rate, own = {'optimizer.lr': [0.1, 0.2]}, {'method.temperature': [1.0, 2.0]}
  told = [read(write(methods={'distill': one})).methods[0] for one in (own, rate)]
  assert [method.before for method in told] == [0, 24]


def test_of_teachers_that_are_tuned_the_longest_is_charged(write, tmp_path):
  (tmp_path / 'configs/distill.yaml').write_text('method: distill')
  space = {'teacher': [{'method': 'supervised', 'steps': steps} for steps in (3, 7, 5)]}
  assert read(write(methods={'distill': space})).methods[0].before == 14


WRONG = {
  'over: each trial needs a split_seed from 100 to 199, which no board shows.': {
    'over': {'split_seed': [0, 100]}
  },
  'small.yaml, over: each trial needs a split_seed from 100 to 199': {'over': {'seed': [100]}},
  "over: 'steps' cannot stand here": {'over': {'split_seed': 100, 'steps': [1, 2]}},
  "over: 'labels' cannot stand here": {
    'over': {'split_seed': 100, 'labels': 20},
    'methods': {'supervised': {'labels.x': [1]}},
  },
  "supervised: 'steps' is what the budget counts": {'methods': {'supervised': {'steps': [1]}}},
  "There is no setting 'rung'; did you mean 'rungs'": {'rung': 2},
  "sampler must be 'sobol', 'halton' or 'tpe', not 'sobl'": {'sampler': 'sobl'},
  'budget must be a whole number, not null': {'budget': None},
  'supervised: optimizer sgd: lr must be 0 or from': {
    'methods': {'supervised': {'optimizer.lr': {'low': 0.1, 'high': 1e40}}}
  },
  "supervised has no setting 'strnog'; did you mean 'strong'": {
    'methods': {'supervised': {'method.strnog': [1]}}
  },
  "fixmatsh: there is no method 'fixmatsh'": {'methods': {'fixmatsh': {}}},
  'small.yaml, simclr: simclr has no classifier of its own; add linear to evaluate.probes': {
    'methods': {'simclr': {}},
    'set': {'evaluate.probes': ['knn']},
  },
  'base must name a folder of configs': {'base': 'nowhere'},
}


@pytest.mark.parametrize(('sentence', 'changes'), WRONG.items())
def test_what_is_wrong_is_one_sentence(write, sentence, changes):
  with pytest.raises(BadSetting) as error:
    read(write(**changes))
  assert sentence.lower() in str(error.value).lower()


@pytest.mark.parametrize(
  'words', ['optimizer.lr=0.1', 'optimizer={name: adamw}', 'seed=1', 'method=fixmatch']
)
def test_an_override_of_what_varies_is_refused(write, words):
  with pytest.raises(BadSetting, match=r'would change what .* varies; edit the file'):
    read(write(), [words])
  assert read(write(), ['optimizer.momentum=0.5', 'method.strong=true', 'steps=3']).methods[0].rungs == (3,)


def test_a_method_that_is_not_in_the_file_is_refused(write):
  with pytest.raises(BadSetting, match="tunes no 'superwised'; did you mean 'supervised'"):
    read(write(), methods=['superwised'])


def test_a_grid_is_sent_to_its_own_command():
  with pytest.raises(BadSetting, match='is a grid, not the file of a tuning; run it with `ssl-bench grid`'):
    read('quickstart')


def test_a_dry_run_says_trials_and_steps_and_writes_nothing(write, tmp_path):
  text = dry_run(read(write(rungs=2, studies=2, budget=200)), RunFolder(tmp_path / 'runs'), 2)
  # 12 steps, rungs at 4 and 12: 2 × (19 × 4 + 6 × 8) = 248 is too much, 2 × (14 × 4 + 4 × 8) = 176, 15: 200.
  assert 'supervised: 15 candidates a study, compared at 4 and 12 steps; 80 trials in all, 400 steps.' in text
  assert 'No record tells how long supervised take' in text and not (tmp_path / 'runs').exists()
  assert 'split seeds 100, 101' in text


def test_the_shipped_tuning_gives_every_method_one_budget():
  """And its ranges hold the settings that the configs have, but for those at an end of what was tried."""
  tuning = read('digits_tuning')
  assert {method.rungs for method in tuning.methods} == {(1,), (175, 500, 1500)}
  assert 'supervised' in tuning.form.methods and len(tuning.methods) == len(tuning.form.methods) == 72
  assert {cell['split_seed'] for cell in tuning.over} <= set(TUNING)
  for method in tuning.methods:
    chosen = configs.to_dict(configs.load(ROOT / f'configs/digits/{method.name}.yaml'))
    for axis in method.space:
      for name in axis.names:
        part = chosen
        for word in name.split('.'):
          part = part[word]
        if hasattr(axis.values, 'low'):
          assert axis.values.low <= part <= axis.values.high, (method.name, name)
