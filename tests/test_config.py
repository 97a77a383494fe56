"""A trial's config: what wins over what, what is written out, and what cannot be."""

import json
import os
import subprocess
import sys

import pytest
from trials import ROOT, write_configs

from ssl_bench import combine
from ssl_bench.config import digest, load, outcome, to_dict, validate
from ssl_bench.signature import BadSetting
from ssl_bench.tree import read_protocol


@pytest.fixture
def folder(tmp_path):
  return write_configs(tmp_path)


def test_the_command_line_wins_over_the_file_and_the_file_over_the_protocol(folder):
  (folder / 'fixmatch.yaml').write_text('method: {name: fixmatch, threshold: 0.3}\nlabels: 30\nseed: 1')
  config = load(folder / 'fixmatch.yaml', ['seed=2', 'method.weight=0.5', 'seed=3'])
  assert config.steps == 12  # of the protocol
  assert config.labels == 30  # of the file
  assert config.seed == 3  # of the command line, the last word
  assert config.method == {'name': 'fixmatch', 'threshold': 0.3, 'weight': 0.5}


def test_every_setting_can_be_overridden(folder):
  base = ['stress={label_noise: 0.1, shift: none, unlabeled: 5, imbalance: 2}']  # not written by default
  tree = to_dict(load(folder / 'fixmatch.yaml', base))
  other = {
    'dataset': 'digits', 'labels': 40, 'split_seed': 7, 'fold': 1, 'seed': 9, 'protocol': 'paper',
    'steps': 77,
    'batch.labeled': 3, 'batch.unlabeled_ratio': 5, 'ema.decay': 0.5, 'augment.weak': 'none', 'log_every': 2,
    'augment.strong': 'flip | crop(4)', 'evaluate.every': 5, 'evaluate.last': 3, 'evaluate.probes': ['knn'],
    'evaluate.bootstrap': 200, 'checkpoint.every': 6, 'method.threshold': 0.5, 'method.weight': 2.0,
    'net.widths': [3, 4], 'net.norm': 'none', 'net.dropout': 0.25, 'net.momentum': 0.5,
    'net.dtype': 'bfloat16',
    'stress.label_noise': 0.25, 'stress.shift': 'cutout(3)', 'stress.unlabeled': 0.5,
    'stress.imbalance.labeled': 10.0, 'stress.imbalance.unlabeled': 0.5,
    'optimizer.lr': 0.125, 'optimizer.momentum': 0.5, 'optimizer.nesterov': False, 'optimizer.clip': 1.0,
    'optimizer.weight_decay': 0.25, 'optimizer.schedule': 'constant', 'optimizer.groups': {},
  }  # fmt: skip
  words = [f'{name}={v if isinstance(v, str) else json.dumps(v)}' for name, v in other.items()]
  changed = to_dict(load(folder / 'fixmatch.yaml', base + words))

  def flat(tree, prefix=''):
    if not isinstance(tree, dict) or not tree:
      return {prefix: tree}
    return {k: v for name in tree for k, v in flat(tree[name], f'{prefix}.{name}'.strip('.')).items()}

  assert {k: v for k, v in flat(changed).items() if not k.endswith('name')} == other
  assert flat(changed).keys() == flat(tree).keys()  # so none is forgotten above


def test_naming_another_method_replaces_the_section(folder):
  for words in (['method=supervised'], ['method.name=supervised'], ['method={name: supervised}']):
    assert load(folder / 'fixmatch.yaml', words).method == {'name': 'supervised', 'strong': False}
  assert load(folder / 'fixmatch.yaml', ['method=fixmatch']).method['threshold'] == 0.3  # the same stays


def test_a_method_that_is_only_a_name_can_be_changed(folder):
  assert load(folder / 'supervised.yaml', ['method.strong=true']).method['strong'] is True


def test_defaults_are_written_out_and_the_result_is_its_own_config(folder):
  config = load(folder / 'fixmatch.yaml')
  assert config.method == {'name': 'fixmatch', 'threshold': 0.3, 'weight': 1.0}
  assert config.net.keys() == {'name', 'widths', 'norm', 'momentum', 'dropout', 'dtype'}
  assert config.optimizer == {
    'name': 'sgd', 'lr': 0.03, 'momentum': 0.9, 'nesterov': True, 'weight_decay': 5e-4,
    'schedule': 'cosine(7/16)', 'clip': None, 'groups': {},
  }  # fmt: skip
  assert validate(to_dict(config)) == config
  assert json.loads(json.dumps(to_dict(config))) == to_dict(config)


def test_groups_of_parameters_start_from_the_optimizers_own_settings(folder):
  config = load(folder / 'fixmatch.yaml', ['optimizer.groups={head: {lr: 1e-3}}'])
  assert config.optimizer['groups']['head']['lr'] == 0.001
  assert config.optimizer['groups']['head']['momentum'] == 0.9


def test_labels_are_a_count_or_a_fraction(folder):
  for text, labels in [('20', 20), ('0.5', 0.5), ('1.0', 1.0), ('1', 1)]:
    config = load(folder / 'fixmatch.yaml', [f'labels={text}'])
    assert config.labels == labels and type(config.labels) is type(labels)


def test_a_config_is_frozen(folder):
  with pytest.raises(ValueError, match='frozen'):
    load(folder / 'fixmatch.yaml').seed = 3


def test_the_shipped_configs_are_valid():
  paths = [p for p in sorted((ROOT / 'configs').rglob('*.yaml')) if not p.name.startswith('_')]
  for path in paths:
    config = load(path)
    assert path.stem in {config.method['name'], *(combine.parse(text)[0] for text in config.combine)}
  for folder in {p.parent for p in (ROOT / 'configs').rglob('_protocol.yaml')}:
    base = read_protocol(folder)
    assert validate({**base, 'method': 'supervised'}).dataset == folder.name


PINNED = '123809e98cc9e03c'  # where it moves, the records that were made lose their identity


def test_the_digest_is_pinned_and_the_same_in_every_process(folder):
  config = load(folder / 'fixmatch.yaml')
  assert digest(outcome(config)) == PINNED
  code = 'import sys; from ssl_bench.config import *; print(digest(outcome(load(sys.argv[1]))))'
  environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONHASHSEED': '77'}
  words = [sys.executable, '-c', code, str(folder / 'fixmatch.yaml')]
  assert subprocess.run(words, env=environment, capture_output=True, text=True).stdout.strip() == PINNED


def test_a_younger_section_counts_where_it_is_set(folder):
  for words in ('stress=null', 'stress={}', 'stress.label_noise=0.0', 'stress={shift: null}'):
    assert digest(outcome(load(folder / 'fixmatch.yaml', [words]))) == PINNED, words
  one = outcome(load(folder / 'fixmatch.yaml', ['stress={label_noise: 0.25, mismatch: null}']))
  assert one['stress'] == {'label_noise': 0.25}
  tails = ('10', '{labeled: 10, unlabeled: 10}')  # a number is that of both
  one, other = (load(folder / 'fixmatch.yaml', [f'stress.imbalance={tail}']) for tail in tails)
  assert one == other == validate(to_dict(one))


def test_the_digest_knows_the_outcome_and_not_the_manner(folder):
  same = load(folder / 'fixmatch.yaml', ['checkpoint.every=7'])
  other = load(folder / 'fixmatch.yaml', ['method.threshold=0.31'])
  assert digest(outcome(same)) == PINNED != digest(outcome(other))
  tree = to_dict(same)
  assert digest(dict(reversed(tree.items()))) == digest(tree)  # no order of keys


# What is wrong -> what the sentence says.  Every one is told by the config alone, before data or jax come in.
WRONG = {
  'stepz=3': "There is no setting 'stepz'; did you mean 'steps'?",
  'lr=-1': "There is no setting 'lr'; did you mean 'optimizer.lr'?",
  'batch.labled=3': "There is no setting 'batch.labled'; did you mean 'labeled'?",
  'ema.deca=0.5': "There is no setting 'ema.deca'; did you mean 'decay'?",
  'evaluate.evry=3': "There is no setting 'evaluate.evry'; did you mean 'every'?",
  'checkpoint.evry=3': "did you mean 'every'?",
  'method.treshold=0.5': "method fixmatch has no setting 'treshold'; did you mean 'threshold'?",
  'net.widht=3': "net mlp has no setting 'widht'; did you mean 'widths'?",
  'optimizer.momentun=0.5': "optimizer sgd has no setting 'momentun'; did you mean 'momentum'?",
  'optimizer.groups={head: {lrr: 1}}': "optimizer sgd group head has no setting 'lrr'; did you mean 'lr'?",
  'augment.srong=none': "There is no policy 'srong' in augment; did you mean 'strong'?",
  'augment.weak=crop(padd=1)': "crop has no setting 'padd'; did you mean 'padding'?",
  'method=fixmach': "There is no method 'fixmach'; did you mean 'fixmatch'?",
  'net=mpl': "There is no net 'mpl'; did you mean 'mlp'?",
  'optimizer=sdg': "There is no optimizer 'sdg'; did you mean 'sgd'?",
  'dataset=digit': "there is no dataset 'digit'; did you mean 'digits'?",
  'augment.weak=cropp(1)': "there is no augmentation 'cropp'; did you mean 'crop'?",
  'optimizer.schedule=cosin(7/16)': "There is no schedule 'cosin(7/16)'; did you mean 'cosine'?",
  'protocol=smok': "protocol must be 'smoke', 'budget' or 'paper', not 'smok'.",
  'augment.strong=randaugment(2, variant=goggle)': "variant must be one of google, torchssl, not 'goggle'.",
  'optimizer.lr=-1': 'optimizer sgd: lr must be in [0, ∞), not -1.',
  'optimizer.lr=.inf': 'optimizer sgd: lr must be a number, not inf.',
  'optimizer.lr=fast': "optimizer sgd: lr must be a number, not 'fast'.",
  'optimizer.groups={head: {lr: -1}}': 'optimizer sgd group head: lr must be in [0, ∞), not -1.',
  'optimizer.groups=3': 'optimizer sgd: groups must be of the form {head: {lr: 0.1}}, not 3.',
  'optimizer.groups={head: 3}': 'optimizer sgd: groups must be of the form',
  'optimizer.clip=0': 'optimizer sgd: clip must be a number above 0 or null, not 0.',
  'optimizer.clip=.inf': 'optimizer sgd: clip must be a number above 0 or null, not inf.',
  'optimizer.schedule=cosine(3)': "schedule 'cosine(3)': write one number in [0, 1)",
  'optimizer.schedule=cosine({)': "'cosine({)': '{' cannot be read as a value.",
  'optimizer={name: [1]}': 'There is no optimizer [1]',
  'optimizer=null': 'optimizer must be a name, or {name: …} with settings, not null.',
  'method.threshold=1.5': 'method fixmatch: threshold must be in [0, 1], not 1.5.',
  'method.threshold=high': "method fixmatch: threshold must be a number, not 'high'.",
  'method=3': 'method must be a name, or {name: …} with settings, not 3.',
  'net.widths=[0]': 'net mlp: widths must be in [1, ∞), not [0].',
  'net.widths=8': 'net mlp: widths must be a list of a whole number, not 8.',
  'labels=0': 'labels must be greater than 0, not 0.',
  'labels=-3': 'labels must be greater than 0, not -3.',
  'labels=1.5': 'labels is a count or a fraction up to 1, not 1.5.',
  'labels=true': 'labels must be a whole number, not true.',
  'labels=many': "labels must be a whole number, not 'many'.",
  'labels=null': 'labels must be a whole number, not null.',
  'seed=-1': 'seed must be greater than or equal to 0, not -1.',
  'seed=4294967296': 'seed must be less than 4294967296',
  'seed=1.5': 'seed must be a whole number, not 1.5.',
  'steps=0': 'steps must be greater than or equal to 1, not 0.',
  'steps=99999999999': 'steps must be less than 2147483648',
  'fold=-1': 'fold must be greater than or equal to 0, not -1.',
  'batch=3': 'batch must be settings of the form {name: value}, not 3.',
  'batch.labeled=0': 'batch.labeled must be greater than or equal to 1, not 0.',
  'batch.labeled.x=3': "batch.labeled must be a whole number, not {'x': 3}.",
  'ema=3': 'ema must be settings of the form {name: value}, not 3.',
  'ema.decay=2': 'ema.decay must be less than or equal to 1, not 2.',
  'ema.decay=true': 'ema.decay must be a number, not true.',
  'evaluate.probes=linear': "evaluate.probes must be a list, not 'linear'.",
  'evaluate.probes=[lin]': "evaluate.probes.0 must be 'linear', 'knn', 'label_propagation' or ",
  'evaluate.bootstrap=3': 'evaluate.bootstrap must be greater than or equal to 100, not 3.',
  'log_every=0': 'log_every must be greater than or equal to 1, not 0.',
  'checkpoint=null': 'checkpoint must be settings of the form {name: value}, not null.',
  'augment=none': "augment must be settings of the form {name: value}, not 'none'.",
  'augment.weak=': 'augment.weak must be text, not null.',
  'augment.weak=3': 'augment.weak must be text, not 3.',
  'augment.weak=crop(-1)': 'crop: padding must be in [0, 256], not -1.',
  'augment.weak=crop(a)': "crop: padding must be a whole number, not 'a'.",
  'augment.weak=crop(1': "'crop(1' is not of the form name(value, name=value).",
  'augment.weak=crop({)': "'crop({)': '{' cannot be read as a value.",
  'augment={1: none}': 'A name of a setting must be text, not 1.',
  'steps': "'steps' is not of the form key=value.",
  '=3': "'=3' is not of the form key=value.",
  '': "'' is not of the form key=value.",
}


@pytest.mark.parametrize('words', WRONG)
def test_what_a_user_gets_wrong_is_one_sentence(folder, words):
  with pytest.raises(BadSetting) as error:
    load(folder / 'fixmatch.yaml', [words])
  text = str(error.value)
  assert WRONG[words] in text
  assert '\n' not in text and text[-1] in '.?'


def test_a_config_needs_what_has_no_default(folder):
  with pytest.raises(BadSetting, match=r"^The config needs a value for 'method'\.$"):
    load(folder / '_protocol.yaml')
  with pytest.raises(
    BadSetting, match=r"^augment needs a policy named 'strong', such as augment.strong=none\.$"
  ):
    validate({**read_protocol(folder), 'method': 'fixmatch', 'augment': {'weak': 'none'}})


@pytest.mark.parametrize(
  ('name', 'content', 'sentence'),
  [
    ('broken', b'method: {name: fixmatch\n', "broken.yaml line 2 is not YAML: expected ',' or '}'"),
    ('list', b'- 1\n', 'list.yaml should hold settings of the form name: value.'),
    ('binary', b'\xff\xfe\x00', 'binary.yaml is not a text file in UTF-8.'),
    ('number', b'1: 2\nmethod: supervised\n', 'A name of a setting must be text, not 1.'),
    ('empty', b'', "The config needs a value for 'method'."),
  ],
)
def test_a_file_that_is_no_config_is_named(folder, name, content, sentence):
  (folder / f'{name}.yaml').write_bytes(content)
  with pytest.raises(BadSetting) as error:
    load(folder / f'{name}.yaml')
  assert sentence in str(error.value) and '\n' not in str(error.value)


def test_a_missing_file_is_told_with_the_nearest(folder):
  with pytest.raises(
    BadSetting, match=r"There is no config .*fixmach.yaml'; did you mean .*fixmatch.yaml'\?"
  ):
    load(folder / 'fixmach.yaml')
  with pytest.raises(BadSetting, match=r'is a folder, not a config; choose from .*fixmatch.yaml'):
    load(folder)
  with pytest.raises(BadSetting, match=r"^There is no config 'nowhere/x.yaml'\.$"):
    load('nowhere/x.yaml')


def test_a_method_needs_no_file_of_its_own(folder):
  assert load(folder / 'pseudo_label.yaml', ['seed=3']) == validate(
    {**read_protocol(folder), 'method': 'pseudo_label', 'seed': 3}
  )


@pytest.mark.parametrize('order', [1, -1])
def test_a_setting_may_stand_before_the_name_of_its_section(order):
  words = ['method=simclr', 'method.temperature=0.2', 'net=mlp', 'net.norm=layer'][::order]
  config = load(ROOT / 'configs/digits/fixmatch.yaml', words)
  assert config.method['name'] == 'simclr' and config.method['temperature'] == 0.2
  assert config.net['name'] == 'mlp' and config.net['norm'] == 'layer'


def test_a_whole_number_is_not_its_float():
  with pytest.raises(BadSetting, match='depth must be one of 18, 34, 50'):
    load(ROOT / 'configs/digits/fixmatch.yaml', ['net={name: resnet, depth: 18.0}'])


def test_a_missing_set_is_told_before_jax_is_imported(tmp_path):
  script = """
import sys
from ssl_bench import config, signature
try:
  config.load(sys.argv[1], ['dataset=kmnist'], need_data=True)
except signature.BadSetting as error:
  assert 'data prepare kmnist' in str(error)
  assert 'jax' not in sys.modules
  print('told')
"""
  words = [sys.executable, '-c', script, str(ROOT / 'configs/digits/fixmatch.yaml')]
  env = {**os.environ, 'SSL_BENCH_DATA': str(tmp_path), 'PYTHONPATH': str(ROOT)}
  assert subprocess.run(words, env=env, capture_output=True, text=True).stdout == 'told\n'


def test_a_file_may_stand_on_another_one(tmp_path):
  folder = write_configs(tmp_path)
  (folder / '_pretraining.yaml').write_text('{steps: 77, optimizer: {lr: 0.5}}')
  (folder / 'simclr.yaml').write_text('{base: _pretraining.yaml, method: simclr, optimizer: {lr: 0.25}}')
  config = load(folder / 'simclr.yaml')
  assert (config.steps, config.optimizer['lr'], config.method['name']) == (77, 0.25, 'simclr')
  (folder / 'simclr.yaml').write_text('{base: _nothing.yaml, method: simclr}')
  with pytest.raises(BadSetting, match='base must name another file'):
    load(folder / 'simclr.yaml')
