"""A trial's teacher in its config: what it inherits, what it takes from a file, and what cannot be."""

import pytest
from support.cli import write_configs

from ssl_bench.config import digest, load, outcome, to_dict, training, validate
from ssl_bench.grid.expand import expand
from ssl_bench.planning import identity
from ssl_bench.settings.signature import BadSetting

PRINT = 'f' * 64
STUDENT = 'method: distill\nnet: {widths: [4]}\noptimizer: {lr: 0.5}\nema: null\n'


@pytest.fixture
def folder(tmp_path):
  return write_configs(tmp_path / 'configs')


def student(folder, teacher, *words, more=''):
  (folder / 'distill.yaml').write_text(f'{STUDENT}{more}teacher: {teacher}')
  return load(folder / 'distill.yaml', words)


def test_what_a_teacher_does_not_name_is_the_students(folder):
  config = student(
    folder, '{method: fixmatch, net: {widths: [32]}}', 'labels=30', 'seed=3', 'net.dropout=0.5'
  )
  teacher = config.teacher
  assert teacher.method == {'name': 'fixmatch', 'threshold': 0.95, 'weight': 1.0}  # of the signature, no file
  assert (teacher.labels, teacher.seed, teacher.steps) == (30, 3, 12)
  assert teacher.net['widths'] == (32,) and teacher.net['dropout'] == 0.5
  assert teacher.optimizer == config.optimizer and teacher.ema is None and teacher.teacher is None
  assert config.net['widths'] == (4,)


def test_a_teacher_may_be_a_config_file_as_it_is_tuned(folder):
  """Its recipe comes from the file and the protocol; labels, seeds and steps are the student's."""
  words = ('labels=30', 'seed=3', 'split_seed=2', 'steps=9', 'net.dropout=0.5', 'augment.weak=none')
  config = student(folder, '{config: fixmatch.yaml, net: {widths: [32]}}', *words)
  usual, teacher = load(folder / 'fixmatch.yaml'), config.teacher
  assert (teacher.method, teacher.optimizer) == (usual.method, usual.optimizer)
  assert (teacher.ema, teacher.augment) == (usual.ema, usual.augment)
  assert teacher.net == {**usual.net, 'widths': (32,)}
  assert (teacher.labels, teacher.seed, teacher.split_seed, teacher.steps) == (30, 3, 2, 9)
  (folder / 'fixmatch.yaml').write_text('method: fixmatch\nsteps: 77')
  assert student(folder, '{config: fixmatch.yaml}', 'steps=9').teacher.steps == 77  # the file's own
  assert student(folder, '{config: fixmatch.yaml}', 'teacher.steps=5').teacher.steps == 5
  assert student(folder, '{config: mean_teacher.yaml}').teacher.method['name'] == 'mean_teacher'


def test_it_can_be_changed_on_the_command_line_in_any_order(folder):
  words = (
    'teacher.method.weight=0.5',
    'teacher.method=fixmatch',
    'teacher.net.widths=[7]',
    'teacher.labels=40',
  )
  for order in (1, -1):
    teacher = student(folder, '{method: supervised}', *words[::order]).teacher
    assert teacher.method == {'name': 'fixmatch', 'threshold': 0.95, 'weight': 0.5}
    assert (teacher.net['widths'], teacher.labels) == ((7,), 40)


def test_the_result_is_its_own_config(folder):
  for teacher in ('{method: simclr}', '{config: simclr.yaml}', '{config: fixmatch.yaml, labels: 40}'):
    config = student(folder, teacher, 'method.targets=features', 'optimizer.groups={encoder: {lr: 0.25}}')
    assert validate(to_dict(config)) == config
    assert config.teacher.optimizer['groups'].keys() == ({'encoder'} if 'method' in teacher else set())


def test_teachers_may_have_teachers(folder):
  config = student(folder, '{method: distill, teacher: {config: fixmatch.yaml}}')
  assert config.teacher.teacher.method['threshold'] == 0.3
  (folder / 'other.yaml').write_text('method: distill\nteacher: {config: simclr.yaml}')
  config = student(folder, '{config: other.yaml}')
  assert config.teacher.teacher.method['name'] == 'simclr'
  assert identity.versions_of(config, PRINT)['teachers'] == [1, 1]


def test_in_a_grid_it_is_looked_for_in_the_base_folder(folder):
  student(folder, '{config: fixmatch.yaml}')
  path = folder.parent / 'grid.yaml'
  path.write_text(
    'base: configs\nset: {steps: 9}\nblocks:\n'
    '- {method: [supervised, distill], labels: [20, 30]}\n'
    '- {method: distill, teacher.net.widths: [[5], [6]]}'
  )
  found = [config.teacher for config in expand(path).configs]
  assert found[:2] == [None, None]
  assert [(t.labels, t.steps, t.net['widths']) for t in found[2:]] == [
    (20, 9, (16,)), (30, 9, (16,)), (20, 9, (5,)), (20, 9, (6,)),
  ]  # fmt: skip


def test_the_digest_knows_the_teachers_training_and_not_how_it_is_looked_at(folder):
  known = digest(outcome(student(folder, '{method: fixmatch}')))
  assert 'teacher' not in outcome(load(folder / 'fixmatch.yaml'))
  assert 'teacher' not in to_dict(load(folder / 'fixmatch.yaml'))
  same = ('teacher.evaluate.probes=[knn]', 'teacher.checkpoint.every=1', 'teacher.protocol=paper')
  assert {digest(outcome(student(folder, '{method: fixmatch}', words))) for words in same} == {known}
  other = ('teacher.seed=1', 'teacher.method.weight=0.5', 'teacher.steps=3', 'teacher.net.widths=[3]')
  assert known not in {digest(outcome(student(folder, '{method: fixmatch}', words))) for words in other}
  config = student(folder, '{config: fixmatch.yaml}')
  assert training(config)['teacher'] == training(load(folder / 'fixmatch.yaml'))  # it is that very training


def test_a_training_that_sees_no_label_is_shared_whatever_its_teacher_is_asked_to_see(folder):
  words = ('method.targets=features', 'method.supervised=false')
  name = lambda *more: identity.identify_training(
    student(folder, '{config: simclr.yaml}', *words, *more), PRINT, {'unlabeled'}
  )
  assert name() == name('labels=40') == name('split_seed=3') != name('seed=1')


WRONG = {
  '{method: fixmach}': "teacher: There is no method 'fixmach'; did you mean 'fixmatch'?",
  '{config: fixmach.yaml}': 'There is no config',
  '{config: distill.yaml}': 'distill.yaml is its own teacher; name another config.',
  '{method: fixmatch, stepz: 3}': "teacher: There is no setting 'stepz'; did you mean 'steps'?",
  '{config: fixmatch.yaml, steps: 0}': 'teacher: steps must be greater than or equal to 1, not 0.',
  '{method: fixmatch, dataset: digits}': "teacher: its dataset must be the student's, 'fake', not 'digits'.",
  '{net: {widths: [3]}}': 'teacher: distill needs a teacher, a trial that is trained first, such as',
  'null': 'distill needs a teacher, a trial that is trained first, such as teacher={config: fixmatch.yaml}',
  'simclr': "teacher must be settings of the form {name: value}, not 'simclr'.",
  '{method: supervised, teacher: {method: fixmatch}}': 'teacher: supervised has no use for a teacher',
}


@pytest.mark.parametrize('teacher', WRONG)
def test_what_a_user_gets_wrong_is_one_sentence(folder, teacher):
  with pytest.raises(BadSetting) as error:
    student(folder, teacher)
  assert WRONG[teacher] in str(error.value) and '\n' not in str(error.value)


def test_a_method_without_use_for_a_teacher_says_so(folder):
  with pytest.raises(BadSetting, match='no use for a teacher; leave it out, or write teacher=null'):
    load(folder / 'fixmatch.yaml', ['teacher={method: supervised}'])
  student(folder, '{config: fixmatch.yaml}')
  with pytest.raises(BadSetting, match='supervised has no use for a teacher'):
    load(folder / 'distill.yaml', ['method=supervised'])
  assert load(folder / 'distill.yaml', ['method=supervised', 'teacher=null']).teacher is None
