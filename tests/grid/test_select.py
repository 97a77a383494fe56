"""A part of a grid: what a selection keeps, and which overrides would make other trials of a grid's."""

import pytest
import yaml
from support.cli import write_configs

from ssl_bench.grid.expand import expand
from ssl_bench.settings.signature import BadSetting

BLOCKS = [
  {
    'method': ['supervised', 'fixmatch'],
    'labels': [20, 40],
    'split_seed, seed': [[0, 0], [1, 1], [2, 2]],
    'stress.label_noise': [0.0, 0.2],
  },
  {
    'method': 'fixmatch',
    'labels': 40,
    'augment.strong': ['crop(1)', 'crop(1) | cutout(3)'],
    'net.widths': [[8], [8, 8]],
    'optimizer.lr': [0.1, 1],
    'split_seed, seed': [[0, 0]],
  },
]


@pytest.fixture
def path(tmp_path):
  write_configs(tmp_path / 'configs')
  (tmp_path / 'grid.yaml').write_text(yaml.safe_dump({'base': 'configs', 'blocks': BLOCKS}, sort_keys=False))
  return tmp_path / 'grid.yaml'


SELECTIONS = [
  (['seed=0'], lambda c: c.seed == 0),
  (['seed=0|2'], lambda c: c.seed in (0, 2)),
  (['seed=0, seed=2'], lambda c: c.seed in (0, 2)),
  (['seed=0, labels=20'], lambda c: c.seed == 0 and c.labels == 20),
  (['seed=0', 'labels=20'], lambda c: c.seed == 0 and c.labels == 20),
  (['method=fixmatch'], lambda c: c.method['name'] == 'fixmatch'),
  (['method.name=fixmatch, seed = 1'], lambda c: c.method['name'] == 'fixmatch' and c.seed == 1),
  (['augment.strong=crop(1)'], lambda c: c.augment['strong'] == 'crop(1)'),
  (['augment.strong=crop(1)|cutout(3)'], lambda c: c.augment['strong'] == 'crop(1) | cutout(3)'),
  (['net.widths=[8, 8]'], lambda c: c.net['widths'] == (8, 8)),
  (['optimizer.lr=1.0'], lambda c: c.optimizer['lr'] == 1),
  (['optimizer.lr=1e-1'], lambda c: c.optimizer['lr'] == 0.1),
  (['stress.label_noise=0'], lambda c: c.stress is None and c.optimizer['lr'] == 0.03),
  (['stress.label_noise=0.2'], lambda c: c.stress is not None),
  (['stress=null'], lambda c: c.stress is None),
  (['method.threshold=0.3'], lambda c: c.method['name'] == 'fixmatch'),  # of the method's file
  (['dataset=fake'], lambda c: True),
]


@pytest.mark.parametrize(
  ('terms', 'holds'), SELECTIONS, ids=lambda x: ' '.join(x) if isinstance(x, list) else ''
)
def test_a_selection_keeps_what_it_says_in_the_order_of_the_grid(path, terms, holds):
  whole = expand(path).configs
  assert expand(path, select=terms).configs == tuple(c for c in whole if holds(c)) != ()


WRONG = {
  'seed=7': 'seed is 0, 1 or 2 here, never 7.',
  'seed=true': 'seed is 0, 1 or 2 here, never True.',
  'seed=0|7': 'never 7.',
  'sede=0': "no trial here has a setting 'sede'; did you mean 'seed'?",
  'method.treshold=0.5': "did you mean 'method.threshold'?",
  'method=FixMatch': "method is supervised or fixmatch here, never 'FixMatch'.",
  'seed': "'seed' is not of the form name=value, such as seed=0.",
  'seed=': "'seed=' is not of the form name=value",
  'seed=0,': "'' is not of the form name=value",
  'seed=1, labels=40, net.widths=[8]': 'no trial is all of that at once; here seed is',
}


@pytest.mark.parametrize('term', WRONG)
def test_a_selection_that_leaves_nothing_says_what_there_is(path, term):
  with pytest.raises(BadSetting) as error:
    expand(path, select=[term])
  text = str(error.value)
  assert text.startswith('--select: ') and WRONG[term] in text and '\n' not in text


# Each would make other trials of the grid's, or fewer, under their name.
AXES = {
  'seed=0': 'would change seed, which varies over the trials of this grid (0, 1 and 2); choose trials by '
  "--select 'seed=0'",
  'split_seed=3': "--select 'split_seed=0'",
  'labels=100': 'would change labels',
  'seed=2': "choose trials by --select 'seed=2'",
  'method=simclr': 'would change method, which',
  'method.name=simclr': "--select 'method=supervised'",
  'method={name: simclr}': 'would change method',
  'augment={weak: none, strong: none}': 'would change augment.strong',
  'augment={}': 'would change augment.strong',
  'augment=null': 'would change augment.strong',
  'augment.strong=none': "--select 'augment.strong=crop(1)'",
  'stress=null': 'would change stress.label_noise',
  'stress.label_noise=0.5': 'would change stress.label_noise',
  'net=convnet': 'would change net.widths',  # another net starts the section anew
  'net={name: mlp, widths: [4]}': 'would change net.widths',
  'optimizer.name=adamw': 'would change optimizer.lr',
}


@pytest.mark.parametrize('words', AXES)
def test_an_axis_is_not_overridden(path, words):
  with pytest.raises(BadSetting) as error:
    expand(path, ['steps=12', words])
  assert AXES[words] in str(error.value) and str(path) in str(error.value)


def test_what_does_not_vary_may_be_overridden(path):
  words = [
    'steps=24',
    'method.threshold=0.5',
    'net.dropout=0.5',
    'augment.weak=none',
    'optimizer.momentum=0.5',
  ]
  configs = expand(path, words, select=['method=fixmatch']).configs
  assert len(configs) == len(expand(path, select=['method=fixmatch']).configs)
  assert {(c.steps, c.net['dropout'], c.method['threshold']) for c in configs} == {(24, 0.5, 0.5)}


def test_a_value_that_all_blocks_share_is_no_axis(path):
  one = {
    'base': 'configs',
    'blocks': [{'method': 'supervised', 'seed': [3]}, {'method': 'fixmatch', 'seed': 3}],
  }
  path.write_text(yaml.safe_dump(one))
  assert {c.seed for c in expand(path, ['seed=4']).configs} == {4}
  one['blocks'][1].pop('seed')  # now one block says 3, and the other goes by its protocol
  path.write_text(yaml.safe_dump(one))
  with pytest.raises(BadSetting, match='would change seed'):
    expand(path, ['seed=4'])
