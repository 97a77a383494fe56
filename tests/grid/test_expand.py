"""A file of axes becomes configs: products, pairs, order, each once, and one sentence for what is wrong."""

import itertools
from collections import Counter

import pytest
import yaml
from support.cli import ROOT, write_configs

from ssl_bench.config import load
from ssl_bench.grid.expand import cells, expand
from ssl_bench.settings.signature import BadSetting


@pytest.fixture
def folder(tmp_path):
  write_configs(tmp_path / 'configs')
  return tmp_path


def write(folder, tree, name='grid'):
  path = folder / f'{name}.yaml'
  path.write_text(tree if isinstance(tree, str) else yaml.safe_dump(tree, sort_keys=False))
  return path


def grid_of(folder, *blocks, **more):
  return expand(write(folder, {'base': 'configs', 'blocks': list(blocks), **more}))


def test_a_block_is_a_product_the_last_axis_fastest(folder):
  axes = {'method': ['supervised', 'fixmatch'], 'labels': [20, 40, 100], 'seed': [0, 1]}
  configs = grid_of(folder, axes).configs
  found = [(c.method['name'], c.labels, c.seed) for c in configs]
  assert found == list(itertools.product(*axes.values()))


def test_pairs_move_together_and_scalars_stay(folder):
  block = {'method': 'supervised', 'labels': [20, 40], 'split_seed, seed': [[0, 0], [1, 1], [2, 5]]}
  found = [(c.labels, c.split_seed, c.seed) for c in grid_of(folder, block).configs]
  assert found == [(n, *pair) for n in (20, 40) for pair in ((0, 0), (1, 1), (2, 5))]


def test_a_method_can_be_one_of_a_pair(folder):
  block = {'method, optimizer.lr': [['supervised', 0.1], ['fixmatch', 0.2]]}
  found = [(c.method['name'], c.optimizer['lr']) for c in grid_of(folder, block).configs]
  assert found == [('supervised', 0.1), ('fixmatch', 0.2)]


def test_the_same_trial_stands_once_where_it_stood_first(folder):
  many = {'method': ['supervised', 'fixmatch'], 'labels': [20, 40]}
  again = {'method': ['fixmatch'], 'labels': [40, 20], 'method.threshold': [0.3, 0.9]}
  found = [
    (c.method['name'], c.labels, c.method.get('threshold')) for c in grid_of(folder, many, again).configs
  ]
  assert found == [
    ('supervised', 20, None),
    ('supervised', 40, None),
    ('fixmatch', 20, 0.3),
    ('fixmatch', 40, 0.3),
    ('fixmatch', 40, 0.9),
    ('fixmatch', 20, 0.9),
  ]


def test_who_wins(folder):
  write_configs(
    folder / 'configs', fixmatch='method: {name: fixmatch, threshold: 0.3}\nsteps: 13\nlog_every: 4'
  )
  tree = {
    'base': 'configs',
    'set': {'steps': 14, 'evaluate.every': 7, 'evaluate.probes': ['knn']},
    'blocks': [{'method': ['fixmatch'], 'steps': [15, 16], 'seed': 3}],
  }
  configs = expand(write(folder, tree), ['seed=4', 'labels=30']).configs
  assert [(c.steps, c.evaluate.every, c.log_every, c.seed, c.labels) for c in configs] == [
    (15, 7, 4, 4, 30),  # cell, set, file, command line twice
    (16, 7, 4, 4, 30),
  ]
  assert configs[0].evaluate.probes == ('knn',)  # a list under `set` is a value, not an axis


def test_settings_with_dots_and_methods_with_settings(folder):
  block = {
    'method': [{'name': 'fixmatch', 'weight': 0.5}, {'name': 'supervised', 'strong': True}],
    'augment.strong': ['crop(1)', 'crop(1) | cutout(3)'],
    'net.widths': [[8], [8, 8]],
  }
  configs = grid_of(folder, block).configs
  assert len(configs) == 8
  assert configs[0].method == {'name': 'fixmatch', 'threshold': 0.3, 'weight': 0.5}  # over the method's file
  assert configs[-1].method == {'name': 'supervised', 'strong': True}
  assert [c.net['widths'] for c in configs[:2]] == [(8,), (8, 8)]
  assert [c.augment['strong'] for c in configs[:4:2]] == ['crop(1)', 'crop(1) | cutout(3)']


def test_a_cell_is_what_train_would_run(folder):
  (config,) = grid_of(folder, {'method': 'simclr', 'labels': 40, 'seed': 2}).configs
  assert config == load(folder / 'configs' / 'simclr.yaml', ['labels=40', 'seed=2'])


def test_a_grid_is_named_by_its_file_unless_it_says_so(folder):
  assert grid_of(folder, {'method': 'supervised'}).name == 'grid'
  assert grid_of(folder, {'method': 'supervised'}, name='mine').name == 'mine'


def test_the_base_is_found_from_where_the_grid_is(folder, monkeypatch):
  (folder / 'experiments').mkdir()
  path = write(folder / 'experiments', {'base': 'configs', 'blocks': [{'method': 'supervised'}]})
  monkeypatch.chdir('/')
  assert len(expand(path).configs) == 1


def test_cells_of_nothing_but_scalars():
  assert list(cells({'method': 'a', 'x': 1})) == [{'method': 'a', 'x': 1}]


SHIPPED = [path for path in sorted((ROOT / 'experiments').rglob('*.yaml')) if path.stem != 'digits_tuning']


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_grids_expand(path):
  grid = expand(path)
  assert grid.name == path.stem
  assert len(set(map(str, grid.configs))) == len(grid.configs) > 0


def test_quickstart_is_the_grid_of_the_design():
  configs = expand(ROOT / 'experiments/quickstart.yaml').configs
  assert {c.protocol for c in configs} == {'smoke'}
  names = {'supervised', 'pseudo_label', 'mean_teacher', 'fixmatch', 'simclr', 'byol'}
  found = Counter((c.method['name'], c.labels, c.seed) for c in configs)
  assert set(found) == set(itertools.product(names, (20, 40, 100), (0, 1, 2)))
  swept = {trial: count for trial, count in found.items() if count > 1}
  assert set(swept) == set(itertools.product(('fixmatch', 'simclr'), (40,), (0, 1, 2)))
  assert all(c.split_seed == c.seed for c in configs)


WRONG = {
  'name: a\n': 'needs blocks, a list of axes.',
  'blocks: []\n': 'needs blocks, a list of axes.',
  'blocks: 3\n': 'needs blocks, a list of axes.',
  'block: []\n': "there is no 'block' in a grid; did you mean 'blocks'?",
  '- 1\n': 'should hold settings of the form name: value.',
  'methods: {supervised: {}}\n': 'is the file of a tuning, not a grid; run it with `ssl-bench tune`.',
  'blocks: [\n': 'is not YAML',
  'base: nowhere\nblocks: [{method: supervised}]': "there is no 'nowhere'.",
  'blocks: [{method: supervised}]': 'base must name a folder of configs',
  'base: configs\nname: ../a\nblocks: [{method: supervised}]': "not '../a'.",
  'base: configs\nset: 0\nblocks: [{method: supervised}]': 'set must hold settings of the form',
  'base: 3\nblocks: [{method: supervised}]': 'such as configs/digits; there is no 3.',
  'base: "%s"\nblocks: [{method: supervised}]' % ('x' * 300): 'base must name a folder of configs',
  'base: configs\nblocks: [{method: %s}]' % ('x' * 300): "There is no method 'xxx",
  'base: configs\nblocks: [{method: supervised}]\nblocks: []': "line 3 cannot be read: 'blocks' stands twice",
  'base: configs\nblocks: [{method: supervised, labels: [20], labels: [40]}]': "'labels' stands twice",
  'base: configs\nblocks: [{method: fixmatch, labels: 20, "labels, seed": [[4, 1]]}]': "'labels' stands",
  'base: configs\nblocks: [{method: supervised, method.name: fixmatch}]': "'method.name' stands twice",
  'base: configs\nblocks: [{method: supervised, augment.weak: [none, crop(1)], augment: {weak: none}}]': (
    "'augment.weak' stands twice in one block"
  ),
  'base: configs\nblocks: [{method: supervised, steps: &s [1, 2, 3, 4, 5, 6, 7, 8, 9], seed: *s, '
  'split_seed: *s, labels: *s, log_every: *s, batch.labeled: *s, knn: *s}]': 'a grid has at most 1,000,000.',
  'base: configs\nname: train\nblocks: [{method: supervised}]': "'train' is taken for something else",
  'base: configs\nname: Compiled\nblocks: [{method: supervised}]': "'Compiled' is taken for something else",
  'base: configs\nname: "null"\nblocks: [{method: supervised}]': "'null' is taken for something else",
  'base: configs\nname: null\nblocks: [{method: supervised}]': 'letters, digits, dots, dashes, not null.',
  'base: configs\nname: 3\nblocks: [{method: supervised}]': 'letters, digits, dots, dashes, not 3.',
  'base: configs\nname: %s\nblocks: [{method: supervised}]' % ('é' * 60): 'of at most 100 bytes',
  'base: configs\nset: 3\nblocks: [{method: supervised}]': 'set must hold settings of the form',
  'base: configs\nblocks: [3]': 'block 1: a block holds settings of the form name: values, not 3.',
  'base: configs\nblocks: [{method: supervised}, {seed: 1}]': 'block 2: a block needs a method',
  'base: configs\nblocks: [{method: []}]': "block 1: 'method' has no value",
  'base: configs\nblocks: [{method: [supervised, fixmach]}]': "There is no method 'fixmach'; did you mean",
  'base: configs\nblocks: [{method: 3}]': 'block 1: method must be a name',
  'base: configs\nblocks: [{method: supervised, lables: [1]}]': "did you mean 'labels'?",
  'base: configs\nblocks: [{method: supervised, optimizer.lr: [0.1, -1]}]': 'optimizer sgd: lr must be in',
  'base: configs\nblocks: [{method: supervised, "a, b": [1]}]': "block 1: 'a, b' moves 2 settings together",
  'base: configs\nblocks: [{method: supervised, "labels, seed": [[1, 2, 3]]}]': 'each value is a list of 2.',
}


@pytest.mark.parametrize('text', WRONG)
def test_what_is_wrong_is_one_sentence_with_the_file(folder, text):
  path = write(folder, text)
  with pytest.raises(BadSetting) as error:
    expand(path)
  assert WRONG[text] in str(error.value)
  assert str(path) in str(error.value) and '\n' not in str(error.value)


def test_a_missing_grid_is_told_with_the_nearest(folder):
  write(folder, {'base': 'configs'}, name='quick')
  with pytest.raises(BadSetting, match=r"There is no grid .*quik.yaml'; did you mean .*quick.yaml'\?"):
    expand(folder / 'quik.yaml')


def test_a_grid_is_not_named_like_a_folder_of_a_runs(folder):
  for stem in ('train', 'COMPILED'):
    path = write(folder, 'base: configs\nblocks: [{method: supervised}]', name=stem)
    with pytest.raises(BadSetting, match=f'{stem}.* is taken for something else'):
      expand(path)


def test_a_name_without_its_file_is_told_the_file(folder, monkeypatch):
  (folder / 'experiments').mkdir()
  write(folder / 'experiments', {'base': 'configs'}, name='digits')
  monkeypatch.chdir(folder)
  with pytest.raises(BadSetting, match=r"no grid 'digit'; did you mean 'digits'\?$"):
    expand('digit')


def test_a_swept_setting_may_stand_before_the_name_of_its_section(folder):
  block = {'method.threshold': [0.5, 0.6], 'method': 'fixmatch', 'net.widths': [[4], [8]], 'net': 'mlp'}
  found = [(c.method['threshold'], c.net['widths']) for c in grid_of(folder, block).configs]
  assert found == [(0.5, (4,)), (0.5, (8,)), (0.6, (4,)), (0.6, (8,))]


def test_seeds_of_a_cell_an_override_and_a_teacher_are_each_taken(folder):
  """Trials that differ in seeds alone are read once; what comes out is what reading each would give."""
  text = """
    name: mine
    base: configs
    set: {split_seed: 7}
    blocks: [{method: [supervised, fixmatch], seed: [3, 4], labels: [20, 40]}]
  """
  path = write(folder, text)
  seeds = lambda grid: [(c.method['name'], c.labels, c.split_seed, c.seed) for c in grid.configs]
  expected = [
    (method, labels, 7, seed)
    for method in ('supervised', 'fixmatch')
    for seed in (3, 4)
    for labels in (20, 40)
  ]
  assert seeds(expand(path)) == expected
  assert seeds(expand(path, ['split_seed=9', 'log_every=5'])) == [(m, n, 9, s) for m, n, _, s in expected]
  assert expand(path, ['split_seed=9']).name == 'mine'
  with_teacher = text.replace(
    'method: [supervised, fixmatch]', 'method: distill, teacher: {method: supervised}'
  )
  grid = expand(write(folder, with_teacher))
  assert [c.teacher.seed for c in grid.configs] == [c.seed for c in grid.configs] == [3, 3, 4, 4]
  with pytest.raises(BadSetting, match='seed must be'):
    expand(write(folder, text.replace('seed: [3, 4]', 'seed: [3, -4]')))
  with pytest.raises(BadSetting, match='seed must be'):
    expand(write(folder, text.replace('seed: [3, 4]', 'seed: [3, true]')))
