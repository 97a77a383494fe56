"""Plugin files: what they list is found by name, and what is wrong with one is told in a sentence."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml
from support.cli import ROOT, command, write_configs

from ssl_bench import augment, data, methods, nets, plugins
from ssl_bench.config import load, outcome, to_dict, validate
from ssl_bench.evaluation.further_probes import further
from ssl_bench.grid.expand import expand
from ssl_bench.optim import check_optimizer
from ssl_bench.plugins import files
from ssl_bench.records.code import code_of
from ssl_bench.settings.signature import BadSetting

WHOLE = '''
"""One of each kind."""
import numpy as np

from ssl_bench.augment import Operation
from ssl_bench.data.custom import from_parts
from ssl_bench.methods.pseudo_labels.fixmatch import fixmatch
from ssl_bench.nets.mlp import mlp
from ssl_bench.optim.optimizers.sgd import sgd
from ssl_bench.records.trackers import Tracker

VERSION = 2


def mine(encoder, classes, *, threshold: float = 0.5):
  """A FixMatch of another name."""
  return fixmatch(encoder, classes, threshold=threshold)


def slim(*, width: int = 4):
  return mlp(widths=(width,))


def invert() -> Operation:
  return lambda key, image: 255 - image


def plain(*, lr: float = 0.1, schedule: str = 'steps(0.5)'):
  return sgd(lr=lr, momentum=0.0, weight_decay=0.0)


def steps(*, at: float = 0.5):
  return lambda step, steps: (step < at * steps) * 1.0


def squares():
  rng = np.random.default_rng(0)
  part = lambda n: (rng.integers(0, 256, (n, 4, 4, 1)).astype(np.uint8), np.arange(n) % 2)
  return from_parts('squares', part(40), part(20), part(20), classes=2)


def coin(train, labels, labeled, validation, validation_labels, test, classes):
  return np.random.default_rng(0).normal(size=(len(test), classes))


def paper(*, path: str = 'records.txt'):
  class Paper:
    def check(self):
      pass

    def mirror(self, records, folder, among):
      with open(folder / path, 'a') as file:
        file.writelines(one['id'] + chr(10) for one in records)
      return len(records)

  return Paper()


PLUGINS = {
  'methods': [mine], 'nets': [slim], 'augment': [invert], 'optimizers': [plain], 'schedules': [steps],
  'datasets': [squares], 'probes': [coin], 'trackers': [paper],
}
'''


@pytest.fixture(autouse=True)
def unloaded():
  yield
  files.forget()


@pytest.fixture
def write(tmp_path, monkeypatch):
  """Writes a file of the working directory."""
  monkeypatch.chdir(tmp_path)

  def to(name, text):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
    return name

  return to


def test_what_a_file_lists_is_found_by_name(write):
  assert 'mine' not in methods.names()
  plugins.load([write('own/all.py', WHOLE)])
  for kind, name in {
    'methods': 'mine', 'nets': 'slim', 'augment': 'invert', 'optimizers': 'plain', 'schedules': 'steps',
    'datasets': 'squares', 'probes': 'coin', 'trackers': 'paper',
  }.items():  # fmt: skip
    assert name in plugins.names(kind) and plugins.outside_names(kind) == [name]
    assert plugins.origin(kind, name) == 'file own/all.py' and plugins.package_of(kind, name) is None
  assert methods.get('mine').__name__ == 'mine' and methods.version('mine') == 2
  assert nets.get('slim')(width=3) and augment.parse('invert | flip')[0] == ('invert', {})
  with pytest.raises(BadSetting, match=r"There is no method 'miine'; did you mean 'mine'\?"):
    methods.get('miine')


def test_a_dataset_of_a_file_is_known_by_its_fingerprint(write):
  plugins.load([write('all.py', WHOLE)])
  found = data.load('squares')
  assert found is data.load('squares') and found.train_images.shape == (40, 4, 4, 1)
  assert len(found.fingerprint) == 64 and not set(found.train_index) & set(found.validation_index)
  files.forget()
  plugins.load([write('other.py', WHOLE.replace('default_rng(0)', 'default_rng(1)', 1))])
  assert data.load('squares').fingerprint != found.fingerprint
  assert 'squares' not in [row.name for row in data.available()]
  (row,) = (row for row in data.available(outside=True) if row.name == 'squares')
  assert row.ready and row.train == 40 and row.how == 'file other.py'


BROKEN_SETS = {
  '3': "The dataset 'mine' of file own.py must be a Dataset, not a value of type int.",
  '1 / 0': "The dataset mine of file own.py fails at line LINE: ZeroDivisionError: division by zero.",
  'made._replace(name="your")': "is broken: it calls itself 'your'; make its name that of its function.",
  'made._replace(train_labels=made.train_labels + 1)': 'is broken: train_labels must be in 0 to 1.',
  'made._replace(test_images=made.test_images / 255)': 'test_images must be uint8 [N, H, W, C] of one size',
  'made._replace(validation_labels=made.test_labels[:3])': '_labels and validation_index must be int32',
  'made._replace(label_names=())': 'it has 0 label_names and 2 classes',
  'made._replace(fingerprint="")': 'its fingerprint must be that of its arrays',
  'made._replace(train_index=made.validation_index.repeat(2))': 'validation_index share a position',
}  # fmt: skip


@pytest.mark.parametrize('made', BROKEN_SETS)
def test_a_dataset_that_is_none_is_told(made, write):
  text = WHOLE[: WHOLE.index('PLUGINS')]
  text += f'def mine():\n  made = squares()._replace(name="mine")\n  return {made}\n'
  plugins.load([write('own.py', text + "PLUGINS = {'datasets': [mine]}")])
  sentence = BROKEN_SETS[made].replace('LINE', str(text.count('\n')))  # that of `return`
  with pytest.raises(BadSetting, match=re.escape(sentence)):
    data.load('mine')


WRONG = {
  'x =': "Plugin file 'wrong.py' cannot be imported at line 1: invalid syntax.",
  '\nimport no_such': (
    "'wrong.py' cannot be imported at line 2: ModuleNotFoundError: No module named 'no_such'."
  ),
  'raise SystemExit(3)': "Plugin file 'wrong.py' cannot be imported at line 1: SystemExit: 3.",
  'x = 1': "Plugin file 'wrong.py' must list what it holds, such as PLUGINS = {'methods': [agreement]}.",
  'PLUGINS = [1]': "Plugin file 'wrong.py' must list what it holds",
  "PLUGINS = {'method': []}": "'wrong.py': there is no kind of plugin 'method'; did you mean 'methods'?",
  "PLUGINS = {'methods': 'mine'}": "'wrong.py': PLUGINS['methods'] must be a list, not 'mine'.",
  "PLUGINS = {'methods': [3]}": "'wrong.py': a method must be a function, not 3.",
  "PLUGINS = {'methods': [lambda: 0]}": "'wrong.py': the name of a method must be a word, not '<lambda>'.",
  "PLUGINS = {'measures': [print]}": "'wrong.py': a measure must be a row Measure(…), not <built-in",
  "def fixmatch(): 0\nPLUGINS = {'methods': [fixmatch]}": (
    "'wrong.py': there is a method 'fixmatch' already, of ssl_bench; choose another name."
  ),
  "def mnist(): 0\nPLUGINS = {'datasets': [mnist]}": "there is a dataset 'mnist' already, of ssl_bench;",
  "def knn(): 0\nPLUGINS = {'probes': [knn]}": "there is a probe 'knn' already, of ssl_bench;",
  "def one(): 0\nPLUGINS = {'nets': [one, one]}": "there is a net 'one' already, of this file; choose",
  "def slim(): 0\nPLUGINS = {'nets': [slim]}": "there is a net 'slim' already, of file all.py; choose",
}  # fmt: skip


@pytest.mark.parametrize('text', WRONG)
def test_what_is_wrong_with_a_file_is_one_sentence(text, write):
  plugins.load([write('all.py', WHOLE)])
  before = {kind: plugins.names(kind) for kind in plugins.KINDS}
  for _ in range(2):  # nothing of it stays
    with pytest.raises(BadSetting) as error:
      plugins.load([write('wrong.py', text)])
    assert WRONG[text] in str(error.value) and '\n' not in str(error.value)
  assert {kind: plugins.names(kind) for kind in plugins.KINDS} == before


@pytest.mark.parametrize(('listed', 'told'), [
  (['al.py'], "There is no plugin file 'al.py'; did you mean 'all.py'?"),
  (['no/where.py'], "There is no plugin file 'no/where.py'."),
  ('all.py', "plugins must be a list of files, such as [agreement.py], not 'all.py'."),
  ([3], 'plugins must be a list of files, such as [agreement.py], not [3].'),
  (['tinypac'], "The package 'tinypac', whose plugins the config uses, is not installed; install it"),
])  # fmt: skip
def test_a_file_that_is_not_there_is_told(listed, told, write):
  write('all.py', WHOLE)
  with pytest.raises(BadSetting, match=re.escape(told)):
    plugins.load(listed)


def test_a_file_that_changed_in_one_process_is_told(write):
  plugins.load([write('all.py', WHOLE)])
  plugins.load(['./all.py'])  # the same file
  write('all.py', WHOLE + '# more\n')
  with pytest.raises(BadSetting, match=r"'all.py' has changed since this process loaded it; start a new one"):
    plugins.load(['all.py'])


def test_a_method_without_a_version_has_the_first_and_a_wrong_one_is_told(write):
  plugins.load([write('a.py', "def one(): 0\nPLUGINS = {'methods': [one]}")])
  plugins.load([write('b.py', "VERSION = '2'\ndef two(): 0\nPLUGINS = {'methods': [two]}")])
  assert methods.version('one') == 1
  with pytest.raises(BadSetting, match="VERSION beside method two must be a whole number from 1, not '2'"):
    methods.version('two')


def test_a_config_finds_what_its_plugins_hold(write, tmp_path):
  folder = write_configs(tmp_path / 'configs', 'plugins: [../own/all.py]', mine='method: mine')
  write('own/all.py', WHOLE)
  words = ['dataset=squares', 'net=slim', 'optimizer=plain', 'augment.weak=invert', 'evaluate.probes=[coin]']
  config = load(folder / 'mine.yaml', [*words, 'method.threshold=0.7'])
  assert config.plugins == ('own/all.py',)  # a path from the working directory
  assert to_dict(config)['plugins'] == ['own/all.py'] and 'plugins' not in outcome(config)
  assert validate(to_dict(config)) == config
  assert 'plugins' not in to_dict(load(write_configs(tmp_path / 'plain') / 'fixmatch.yaml'))


def test_paths_are_relative_to_the_file_that_names_them_or_to_the_working_directory(write, tmp_path):
  write('own/all.py', WHOLE)
  folder = write_configs(
    tmp_path / 'configs', base='plugins: [../own/all.py]', mine='base: base.yaml\nmethod: mine'
  )
  assert load(folder / 'mine.yaml').plugins == ('own/all.py',)
  assert load(folder / 'supervised.yaml', ['method=mine', 'plugins=[own/all.py]']).plugins == ('own/all.py',)
  with pytest.raises(BadSetting, match=r"There is no plugin file '\.\./own/all\.py'"):
    load(folder / 'supervised.yaml', ['method=mine', 'plugins=[../own/all.py]'])
  outside = tmp_path.parent / f'{tmp_path.name}_outside.py'
  shutil.move(tmp_path / 'own/all.py', outside)
  files.forget()
  (folder / 'base.yaml').write_text(f'plugins: [../../{outside.name}]')
  assert load(folder / 'mine.yaml').plugins == (outside.as_posix(),)


def test_the_name_of_a_plugins_method_stands_for_a_config(write, tmp_path):
  write('all.py', WHOLE)
  folder = write_configs(tmp_path / 'configs')
  assert load(folder / 'mine.yaml', ['plugins=[all.py]']).method == {'name': 'mine', 'threshold': 0.5}


def test_a_teacher_of_a_plugin_is_found(write, tmp_path):
  write('configs/all.py', WHOLE)
  folder = write_configs(
    tmp_path / 'configs', mine='method: mine\nplugins: [all.py]', distill='method: distill'
  )
  config = load(folder / 'distill.yaml', ['teacher={config: mine.yaml}'])
  assert config.teacher.plugins == ('configs/all.py',) and not config.plugins
  files.forget()
  assert validate(to_dict(config)) == config


def test_a_grid_names_plugins(write, tmp_path):
  write('grids/all.py', WHOLE)
  write_configs(tmp_path / 'configs', mine='method: {name: mine, threshold: 0.9}')
  grid = {'base': 'configs', 'plugins': ['all.py'], 'blocks': [{'method': ['mine', 'supervised']}]}
  write('grids/small.yaml', yaml.safe_dump(grid))
  configs = expand(tmp_path / 'grids/small.yaml').configs
  assert [config.plugins for config in configs] == [('grids/all.py',)] * 2
  assert configs[0].method['threshold'] == 0.9  # its own file's
  write('grids/small.yaml', yaml.safe_dump({**grid, 'plugins': ['al.py']}))
  with pytest.raises(
    BadSetting, match=r"There is no plugin file 'grids/al.py'; did you mean 'grids/all.py'\?"
  ):
    expand(tmp_path / 'grids/small.yaml')


CHANGES = {
  'its method': ('threshold=threshold)', 'threshold=2 * threshold)', True),
  'a net of the file': ('widths=(width,)', 'widths=(width, width)', True),
  'a docstring': ('A FixMatch of another name', 'FixMatch', False),
}


@pytest.mark.parametrize('what', CHANGES)
def test_the_digest_of_the_code_covers_the_file(what, write, tmp_path):
  old, new, changes = CHANGES[what]
  folder = write_configs(tmp_path / 'configs')
  found = []
  for method in ('mine', 'fixmatch'):
    for text in (WHOLE, WHOLE.replace(old, new)):
      write('all.py', text)
      found.append(
        code_of(load(folder / 'fixmatch.yaml', [f'method={method}', 'net=slim', 'plugins=[all.py]']))
      )
      files.forget()
  for before, after in (found[:2], found[2:]):  # the net of a method of this package counts as well
    assert (before != after) == changes


def test_names_are_found_without_importing_jax():
  code = (
    'import sys\nfrom ssl_bench import plugins\nfound = [plugins.names(kind) for kind in plugins.KINDS]\n'
    'assert all(map(len, found[:7])), found\nprint({"jax", "flax", "wandb", "sklearn"} & set(sys.modules))'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], env={'PYTHONPATH': str(ROOT)}, capture_output=True, text=True, check=True
  )
  assert done.stdout == 'set()\n'


def test_an_optimizer_without_a_rate_is_told(write):
  text = "def still(*, schedule: str = 'constant'): 0\nPLUGINS = {'optimizers': [still]}"
  plugins.load([write('own.py', text)])
  with pytest.raises(BadSetting, match='optimizer still must have a setting lr; every optimizer has lr and'):
    check_optimizer({'name': 'still'})


def test_a_probe_must_score_the_test_part(write):
  text = 'def bad(**all): return all["test"]\nPLUGINS = {"probes": [bad]}'
  plugins.load([write('own.py', text), write('all.py', WHOLE)])
  fake, features = data.load('fake'), np.zeros((3, 5))
  with pytest.raises(BadSetting, match=r'The probe bad must return scores \[n, classes\] of the test part'):
    further(['bad'], fake, np.arange(10), features, features, np.zeros((80, 5)))
  found = further(['knn', 'coin'], fake, np.arange(10), features, features, np.zeros((80, 5)))
  guessed = np.random.default_rng(0).normal(size=(80, 10)).argmax(-1)
  assert found == {'coin': np.mean(guessed == fake.test_labels)}


@pytest.mark.slow
def test_a_grid_trains_with_a_file_in_worker_processes_and_its_records_outlive_it(write, tmp_path):
  write('grids/all.py', WHOLE)
  write_configs(
    tmp_path / 'configs',
    'dataset: squares\nlabels: 8\nevaluate: {every: 4, last: 2, bootstrap: 100, probes: [coin]}',
  )
  grid = {
    'base': 'configs',
    'plugins': ['all.py'],
    'set': {'net': 'slim', 'augment.weak': 'invert | crop(1)'},
  }
  grid['blocks'] = [{'method': ['mine'], 'seed': [0, 1]}]
  write('grids/small.yaml', yaml.safe_dump(grid))
  few = ('--workers', 2, '--wandb=disabled', '--no-timing')
  out = command('grid', 'grids/small.yaml', *few, '--track', 'paper(path=told.txt)')
  assert '2 trials: 0 recorded before, 2 done now.' in out
  records = [json.loads(path.read_text()) for path in sorted(tmp_path.glob('runs/small/records/*.json'))]
  assert [one['config']['plugins'] for one in records] == [['grids/all.py']] * 2
  assert all(one['versions']['method'] == 2 and 'coin' in one['metrics']['probes'] for one in records)
  assert (tmp_path / 'runs/small/told.txt').read_text().split() == [one['id'] for one in records]
  assert '2 recorded before, none now' in command('grid', 'grids/small.yaml', *few)
  assert re.search(
    r'^mine  \(file grids/all.py\)  One of each kind',
    command('list', 'methods', '--plugin', 'grids/all.py'),
    re.M,
  )

  told = command('submit', 'runs/small', '--to', 'board/records', code=2)
  assert "is of the plugin file 'grids/all.py'; if you trust what is named, which is run" in told
  assert 'give --plugin grids/all.py.' in told
  command('submit', 'runs/small', '--to', 'board/records', '--plugin', 'grids/all.py')
  copied = [json.loads(path.read_text()) for path in tmp_path.glob('board/records/squares/mine/*.json')]
  assert [one['config']['plugins'] for one in copied] == [['all.py']] * 2

  (tmp_path / 'grids/all.py').unlink()
  for place in ('runs/small/records', 'board/records'):
    command('leaderboard', '--records', place, '--out', 'board')
    assert 'mine' in (tmp_path / 'board/README.md').read_text()
  told = command('submit', 'runs/small', '--to', 'other', '--plugin', 'grids/all.py', code=2)
  assert "There is no plugin file 'grids/all.py'" in told
