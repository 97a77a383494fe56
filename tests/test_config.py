"""A trial's config: what wins over what, what is written out, and what cannot be."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import ROOT, write_configs

from ssl_bench import combine
from ssl_bench.config import digest, load, outcome, to_dict, validate
from ssl_bench.planning import make_plan
from ssl_bench.settings.signature import BadSetting
from ssl_bench.settings.yaml import leaves, read_protocol


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
  base = [
    'stress={label_noise: 0.1, shift: none, unlabeled: 5, imbalance: 2}',
    'evaluate.shifts=[blur]',
    'evaluate.privacy=[inversion]',
    'evaluate.transfer=[fake]',
  ]  # not written by default
  tree = to_dict(load(folder / 'fixmatch.yaml', base))
  other = {
    'dataset': 'digits', 'labels': 40, 'split_seed': 7, 'fold': 1, 'seed': 9, 'protocol': 'paper',
    'steps': 77,
    'batch.labeled': 3, 'batch.unlabeled_ratio': 5, 'ema.decay': 0.5, 'augment.weak': 'none', 'log_every': 2,
    'augment.strong': 'flip | crop(4)', 'evaluate.every': 5, 'evaluate.last': 3, 'evaluate.probes': ['knn'],
    'evaluate.shifts': ['noise', 'jpeg'], 'evaluate.privacy': ['membership'],
      'evaluate.transfer': ['digits'],
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
    named = {config.method['name'], config.net['name'], *(combine.parse(text)[0] for text in config.combine)}
    assert any(path.stem == name or path.stem.startswith(f'{name}_') for name in named), path
  for folder in {p.parent for p in (ROOT / 'configs').rglob('_protocol.yaml')}:
    base = read_protocol(folder)
    config = validate({**base, 'method': 'supervised'})
    assert folder.name in (config.dataset, f'{config.dataset}_{config.protocol}')


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
  'dataset=digit': "There is no dataset 'digit'; did you mean 'digits'?",
  'augment.weak=cropp(1)': "There is no augmentation 'cropp'; did you mean 'crop'?",
  'optimizer.schedule=cosin(7/16)': "There is no schedule 'cosin'; did you mean 'cosine'?",
  'protocol=smok': "protocol must be 'smoke', 'budget' or 'paper', not 'smok'.",
  'augment.strong=randaugment(2, variant=goggle)': "variant must be one of google, torchssl, not 'goggle'.",
  'optimizer.lr=-1': 'optimizer sgd: lr must be in [0, ∞), not -1.',
  'optimizer.lr=.inf': 'optimizer sgd: lr must be a finite number, not inf.',
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
  'net.widths=[0]': 'net mlp: widths must be in [1, 65536], not [0].',
  'net.widths=8': 'net mlp: widths must be a list of a whole number, not 8.',
  'labels=0': 'labels must be greater than 0, not 0.',
  'labels=-3': 'labels must be greater than 0, not -3.',
  'labels=1.5': 'labels is a count or a fraction up to 1, not 1.5.',
  'labels=true': 'labels must be a whole number, not true.',
  'labels=many': "labels must be a whole number, not 'many'.",
  # Numbers that are none, and numbers that single precision does not hold.
  'labels=1e400': 'labels must be a finite number, not inf.',
  'labels=.nan': 'labels must be a finite number, not nan.',
  'stress.imbalance=1e400': 'stress.imbalance.labeled must be a finite number, not inf.',
  'stress.imbalance={unlabeled: -.inf}': 'stress.imbalance.unlabeled must be a finite number, not -inf.',
  'stress.imbalance=1e300': 'stress.imbalance.labeled must be less than or equal to 1000000000',
  'stress.mismatch=.nan': 'stress.mismatch must be a finite number, not nan.',
  'stress.unlabeled=1e400': 'stress.unlabeled must be a finite number, not inf.',
  'stress.shift=jitter(1e400)': 'jitter: brightness must be a finite number, not inf.',
  'federated.proximal=1e400': 'federated.proximal must be a finite number, not inf.',
  'federated.participation=.nan': 'federated.participation must be a finite number, not nan.',
  'federated.split=dirichlet(1e400)': "federated.split cannot be 'dirichlet(1e400)'",
  'private.clip=1e400': 'private.clip must be a finite number, not inf.',
  'private.noise=.inf': 'private.noise must be a finite number, not inf.',
  'private.delta=.nan': 'private.delta must be a finite number, not nan.',
  'ema.decay=.nan': 'ema.decay must be a finite number, not nan.',
  'optimizer.lr=1e39': 'lr must be 0 or from 1.2e-38 to 3.4e+38 in size, what single precision',
  'optimizer.lr=1e-50': 'what single precision holds, not 1e-50.',
  'optimizer.clip=1e39': 'clip must be a number above 0 or null, not 1e+39.',
  'optimizer.clip=.nan': 'clip must be a number above 0 or null, not nan.',
  'optimizer.groups={head: {lr: 1e400}}': 'optimizer sgd group head: lr must be a finite number, not inf.',
  'optimizer.schedule=cosine(1e400)': "schedule 'cosine(1e400)': cosine: part must be a finite number",
  'optimizer.schedule=cosine(.nan)': "schedule 'cosine(.nan)': cosine: part must be a finite number",
  "optimizer.schedule=cosine('1e-999999999')": 'write one number or fraction',
  'optimizer.schedule=cosine(7/16, frozen=.inf)': 'write one number or fraction',
  'method.weight=1e400': 'method fixmatch: weight must be a finite number, not inf.',
  'net.dropout=.nan': 'net mlp: dropout must be a finite number, not nan.',
  'augment.weak=cutout(1e400)': 'cutout: size must be a finite number, not inf',
  'augment.weak=jitter(.nan)': 'jitter: brightness must be a finite number, not nan.',
  'augment.weak=jitter(hue=1e400)': 'jitter: hue must be a finite number, not inf.',
  'combine=distribution_alignment(.nan)': 'distribution_alignment: decay must be a finite number, not nan.',
  'teacher={method: fixmatch, labels: .inf}': 'teacher: labels must be a finite number, not inf.',
  # Counts without end.
  'labels=99999999999': 'labels must be less than 2147483648',
  'split_seed=4294967296': 'split_seed must be less than 4294967296',
  'fold=10001': 'fold must be less than or equal to 10000',
  'batch.labeled=99999999999': 'batch.labeled must be less than or equal to 1048576',
  'batch.unlabeled_ratio=99999999999': 'batch.unlabeled_ratio must be less than or equal to 1024',
  'evaluate.every=99999999999': 'evaluate.every must be less than 2147483648',
  'evaluate.last=99999999999': 'evaluate.last must be less than or equal to 10000',
  'evaluate.bootstrap=99999999999': 'evaluate.bootstrap must be less than or equal to 100000',
  'checkpoint.every=99999999999': 'checkpoint.every must be less than 2147483648',
  'log_every=99999999999': 'log_every must be less than 2147483648',
  'stress.unlabeled=99999999999': 'stress.unlabeled must be less than 2147483648',
  'federated.clients=99999999999': 'federated.clients must be less than or equal to 1048576',
  'federated.local_steps=99999999999': 'federated.local_steps must be less than 2147483648',
  'net.widths=[99999999999]': 'net mlp: widths must be in [1, 65536], not [99999999999].',
  f'net.widths=[{"8, " * 100}8]': 'net mlp: widths holds 101 values; at most 100 can be.',
  # YAML that is not what it looks like, or no YAML.
  'labels=2026-13-45': "labels must be a whole number, not '2026-13-45'.",
  'labels=2026-01-01': "labels must be a whole number, not '2026-01-01'.",
  f'labels={"9" * 4400}': 'cannot be read: a whole number of 4,400 digits; at most 100 can be read.',
  f'labels={"[" * 3000}': 'cannot be read: more than 64 levels within one another.',
  f'augment.weak=crop({"9" * 4400})': 'a whole number of 4,400 digits',
  f'method={"x" * 300}': "There is no method 'xxx",
  'labels=1:40': "not '1:40'; write a number with nothing between its digits.",
  'labels=1,000': "not '1,000'; write a number with nothing between its digits.",
  'optimizer.lr=0_03': "optimizer sgd: lr must be a number, not '0_03'.",
  'optimizer.nesterov=yes': "nesterov must be true or false, not 'yes'.",
  'method={name: fixmatch, name: supervised}': "'name' stands twice; leave one of them out.",
  'net={name: mlp': "'net={name: mlp' cannot be read: expected ',' or '}', but got '<stream end>'.",
  'augment.weak=crop(padding=1, padding=2)': 'padding stands twice; leave one of them out.',
  'augment.weak=randaugment(2,,google)': 'a value is missing beside a comma.',
  # What was taken without a word.
  'optimizer.groups=0': 'optimizer sgd: groups must be of the form {head: {lr: 0.1}}, not 0.',
  'optimizer.groups=false': 'groups must be of the form {head: {lr: 0.1}}, not False.',
  'optimizer.groups=[]': 'groups must be of the form {head: {lr: 0.1}}, not [].',
  "optimizer.groups={'': {lr: 1}}": 'groups must be of the form',
  'text_net={}': 'text_net needs a name',
  'combine=|||': "combine needs a name on either side of each |, not '|||'.",
  'combine=curriculum |': 'combine needs a name on either side of each |',
  'combine=curriculum(5) | curriculum(3)': 'combine names curriculum twice; leave one of them out.',
  'evaluate.probes=[linear, knn, linear]': 'evaluate.probes names linear twice; leave one of them out.',
  # Hints.
  'method=FixMatch': "did you mean 'fixmatch'?",
  'method=SimCLR': "did you mean 'simclr'?",
  'method=MoCo-v3': "did you mean 'moco_v3'?",
  'method=Barlow Twins': "did you mean 'barlow_twins'?",
  'net=WideResNet': "did you mean 'wide_resnet'?",
  'optimizer=AdamW': "did you mean 'adamw'?",
  'dataset=Fashion-MNIST': "did you mean 'fashion_mnist'?",
  'combine=ClassAwareSampling': "did you mean 'class_aware_sampling'?",
  'augment.weak=RandAugment(2)': "did you mean 'randaugment'?",
  'batch.unlabeledRatio=2': "did you mean 'unlabeled_ratio'?",
  'labels=40%': "labels must be a whole number, not '40%'; write a share as a fraction, 0.4.",
  'ema.decay=99.5%': 'write a share as a fraction, 0.995.',
  'evaluate.probes=lienar': "evaluate.probes must be a list, not 'lienar'; write [linear].",
  'evaluate.probes=KNN': 'write [knn].',
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
  'evaluate.probes=linear': "evaluate.probes must be a list, not 'linear'; write [linear].",
  'evaluate.probes=[lin]': "There is no probe 'lin'; did you mean 'linear'?",
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


@pytest.mark.parametrize('words', WRONG, ids=lambda words: words[:40])
def test_what_a_user_gets_wrong_is_one_sentence(folder, words):
  with pytest.raises(BadSetting) as error:
    load(folder / 'fixmatch.yaml', [words])
  text = str(error.value)
  assert WRONG[words] in text
  assert '\n' not in text and text[-1] in '.?' and len(text) < 600


def test_numbers_are_what_they_look_like(folder):
  for text, labels in [('040', 40), ('0o50', 40), ('0x28', 40)]:
    assert load(folder / 'fixmatch.yaml', [f'labels={text}']).labels == labels
  assert str(load(folder / 'fixmatch.yaml', ['method.weight=-0.0']).method['weight']) == '0.0'


def test_a_number_that_is_none_is_never_written_as_null(folder):
  config = load(folder / 'fixmatch.yaml', ['stress.label_noise=0.25'])
  for broken in (
    config.model_copy(update={'labels': math.inf}),
    config.model_copy(update={'optimizer': {**config.optimizer, 'lr': math.nan}}),
    config.model_copy(update={'stress': config.stress.model_copy(update={'label_noise': -math.inf})}),
  ):
    with pytest.raises(ValueError, match='which no record can'):
      to_dict(broken)
  with pytest.raises(ValueError):
    digest({'x': math.nan})


def test_every_number_of_a_config_has_an_end(folder):
  """Over all settings, so that a younger one is met as well: neither infinity nor a count without end."""
  base = [
    'stress={label_noise: 0.1}',
    'federated={local_steps: 3}',
    'stress.imbalance=2',
    'stress.unlabeled=0.5',
  ]
  tree = to_dict(load(folder / 'fixmatch.yaml', base))
  private = to_dict(load(folder / 'fixmatch.yaml', ['private={}']))['private']
  names = [place for place, value in leaves({**tree, 'private': private}) if type(value) in (int, float)]
  assert {'.'.join(name) for name in names} >= {
    'labels',
    'seed',
    'evaluate.last',
    'private.clip',
    'net.dropout',
  }
  for name in names:
    words = [w for w in base if not (name[0] == 'private' and w.startswith('federated'))]
    for value in ('.inf', '.nan', '1' + '0' * 90):
      with pytest.raises(BadSetting):
        load(folder / 'fixmatch.yaml', [*words, f'{".".join(name)}={value}'])


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
    (
      'twice',
      b'method: supervised\nlabels: 20\nmethod: fixmatch\n',
      "twice.yaml line 3 cannot be read: 'method' stands",
    ),
    ('zero', b'0\n', 'zero.yaml should hold settings of the form name: value.'),
    (
      'dated',
      b'labels: 2026-13-45\nmethod: supervised\n',
      "labels must be a whole number, not '2026-13-45'.",
    ),
    ('deep', b'method: ' + b'[' * 3000, 'deep.yaml line 1 cannot be read: more than 64 levels'),
    ('zeros', b'method: a\0b', 'zeros.yaml is not YAML: special characters are not allowed.'),
    ('self', b'base: self.yaml\nmethod: supervised', 'self.yaml: base must name another file in'),
    ('dot', b'base: ./dot.yaml\nmethod: supervised', 'dot.yaml: base must name another file in'),
    ('far', b'base: ' + b'x' * 300, 'base must name another file in'),
    ('odd', b'base: [a]', 'base must name another file in'),
    ('empty', b'', "The config needs a value for 'method'."),
  ],
)
def test_a_file_that_is_no_config_is_named(folder, name, content, sentence):
  (folder / f'{name}.yaml').write_bytes(content)
  with pytest.raises(BadSetting) as error:
    load(folder / f'{name}.yaml')
  assert sentence in str(error.value) and '\n' not in str(error.value)


def test_a_circle_of_bases_is_told(folder):
  for one, other in [('a', 'b'), ('b', 'c'), ('c', 'a')]:
    (folder / f'{one}.yaml').write_text(f'base: {other}.yaml\nmethod: supervised')
  with pytest.raises(BadSetting, match=r"c\.yaml: its base 'a\.yaml' stands on this file itself; leave one"):
    load(folder / 'a.yaml')


def test_a_file_is_utf_8_whatever_the_locale(folder):
  (folder / 'supervised.yaml').write_text('# ε, naïve\nmethod: supervised\n', encoding='utf-8')
  code = 'import sys; from ssl_bench.config import load; print(load(sys.argv[1]).method["name"])'
  environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'LC_ALL': 'C', 'PYTHONUTF8': '0'}
  words = [sys.executable, '-c', code, str(folder / 'supervised.yaml')]
  assert subprocess.run(words, env=environment, capture_output=True, text=True).stdout == 'supervised\n'


def test_a_name_without_its_file_is_told_the_file(folder, monkeypatch, tmp_path):
  (tmp_path / 'empty').mkdir()
  monkeypatch.chdir(tmp_path / 'empty')
  told = "There is no config 'FixMatch'; did you mean 'digits/fixmatch'?"
  for make in (
    lambda: None,
    lambda: write_configs(Path('configs/digits')),
  ):  # without the folder, and with it
    make()
    with pytest.raises(BadSetting) as error:
      load('FixMatch')
    assert str(error.value) == told
  with pytest.raises(BadSetting, match=r"did you mean 'configs/digits/simclr\.yaml'\?"):
    load('configs/digits/simclr')
  monkeypatch.chdir(folder)
  with pytest.raises(BadSetting, match=r"did you mean 'fixmatch\.yaml'\?"):
    load('FixMatch')
  with pytest.raises(BadSetting, match='its name is too long') as error:
    load(f'configs/digits/{"x" * 300}.yaml')
  assert len(str(error.value)) < 200


def test_a_missing_file_is_told_with_the_nearest(folder):
  with pytest.raises(
    BadSetting, match=r"There is no config .*fixmach.yaml'; did you mean .*fixmatch.yaml'\?"
  ):
    load(folder / 'fixmach.yaml')
  with pytest.raises(BadSetting, match=r'is a folder, not a config; choose from .*fixmatch.yaml'):
    load(folder)
  told = "There is no config 'nowhere/x.yaml'; name a file, or one that is shipped such as 'digits/fixmatch'."
  with pytest.raises(BadSetting, match=f'^{re.escape(told)}$'):
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
from ssl_bench import config
from ssl_bench.settings import signature
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


@pytest.mark.parametrize(('name', 'asked'), [('shifts', '[blur, jpeg]'), ('privacy', '[membership]')])
def test_a_config_that_does_not_ask_for_further_measures_is_what_it_was(name, asked, folder):
  path = folder / 'fixmatch.yaml'
  plain, further = load(path), load(path, [f'evaluate.{name}={asked}'])
  assert name not in to_dict(plain)['evaluate'] and load(path, [f'evaluate.{name}=[]']) == plain
  one, other = make_plan(plain), make_plan(further)
  assert one.training_id == other.training_id and one.trial_id != other.trial_id
