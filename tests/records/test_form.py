"""What a file may say and still be a record: every mutation is one sentence, and nothing breaks the board."""

import copy
import gzip
import hashlib
import io
import json
import os
import random
from pathlib import Path

import pytest
from rich.console import Console

from ssl_bench.config import digest, outcome, validate
from ssl_bench.leaderboard import aggregate, terminal
from ssl_bench.leaderboard.render.csv_files import csv_files
from ssl_bench.leaderboard.render.markdown import markdown
from ssl_bench.leaderboard.render.readme import readme
from ssl_bench.leaderboard.render.tables import further, ranking
from ssl_bench.measures import all_measures
from ssl_bench.records import curves, record, strict_json
from ssl_bench.records.checks import deciding, outcome_of
from ssl_bench.records.strict_json import loads
from ssl_bench.records.trackers._contents import contents

RECORDS = Path(__file__).parents[2] / 'leaderboard' / 'records'


@pytest.fixture(scope='module')
def committed():
  return record.gather([RECORDS], with_curves=True)


@pytest.fixture(scope='module')
def bases(committed):
  """A record of every kind: plain, stressed, federated, private, of a student, of captions."""
  found = {}
  for one in committed.records:
    kinds = ('stress', 'federated', 'private', 'teacher', 'combine', 'text_net')
    found.setdefault(tuple(k for k in kinds if one['config'].get(k)), one)
    if one['metrics'].get('retrieval') or one['metrics'].get('transductive'):
      found.setdefault(tuple(one['metrics']), one)
  return list(found.values())


@pytest.fixture
def plain(committed):
  """A record of 400 test images and 1,500 steps, whatever else is recorded."""
  trained = [one for one in committed.records if one['config']['method']['name'] == 'fixmatch']
  return copy.deepcopy(next(one for one in trained if one['config']['dataset'] == 'digits'))


def put(tree, path, value):
  *folders, last = path.split('.') if isinstance(path, str) else path
  for name in folders:
    tree = tree.setdefault(name, {}) if isinstance(tree, dict) else tree[name]
  tree[last] = value


def named(one):
  """The record under the id of its own config, as someone who forges one would write it."""
  return one | {'id': digest(outcome_of(one['config']), deciding(one['versions']))}


def apart(one, path):
  """Writes the curves of a record beside `path`, and returns the record that names them, forged or not."""
  text = json.dumps({name: one[name] for name in curves.NAMES}).encode()
  curves.path_of(path).write_bytes(gzip.compress(text))
  rest = {k: v for k, v in one.items() if k not in curves.NAMES}
  return rest | {'curves': hashlib.sha256(text).hexdigest()}


def complaint(tmp_path, one):
  """The sentence on a record with its curves, or None where it is one; `one` may be text."""
  path = tmp_path / 'x.json'
  path.write_text(one if isinstance(one, str) else json.dumps(apart(one, path)))
  records, bad = record.gather([tmp_path], with_curves=True)
  assert len(records) + len(bad) == 1
  for sentence in bad:
    assert sentence.startswith(str(tmp_path / 'x.')) and sentence.isprintable() and sentence[-1] in '.?', (
      sentence
    )
  return bad[0] if bad else None


def test_all_committed_records_are_records(committed):
  assert not committed.bad
  assert len(committed.records) == len(list(RECORDS.rglob('*.json'))) >= 907


def test_the_id_of_a_recorded_config_is_that_of_the_config(bases):
  for one in bases:
    assert outcome_of(one['config']) == outcome(validate(one['config']))
  assert {'teacher', 'federated', 'private', 'combine', 'stress'} <= {k for b in bases for k in b['config']}


@pytest.mark.parametrize(
  ('path', 'value', 'sentence'),
  [
    ('metrics.accuracy', 1e308, 'metrics.accuracy must be less than or equal to 1, not 1e+308'),
    ('metrics.accuracy', 2.0, 'metrics.accuracy must be less than or equal to 1, not 2.0'),
    ('metrics.accuracy', -1, 'metrics.accuracy must be greater than or equal to 0, not -1'),
    ('metrics.accuracy', True, 'metrics.accuracy must be a number, not True'),
    ('metrics.accuracy', '0.9', "metrics.accuracy must be a number, not '0.9'"),
    ('metrics.nll', -0.5, 'metrics.nll must be greater than or equal to 0, not -0.5'),
    ('metrics.ece', 1.5, 'metrics.ece must be less than or equal to 1, not 1.5'),
    ('metrics.knn.200', [1], 'metrics.knn.200 must be a number, not [1]'),
    ('metrics.scaled', 7, 'metrics.scaled must be an object of names and values, not 7'),
    ('metrics.reliability.count', [1], 'metrics.reliability has lists of different lengths'),
    ('metrics.accuracy_by_class', [0.5, 7], 'metrics.accuracy_by_class.1 must be less than or equal to 1'),
    ('metrics.accuracy', 0.9876, 'metrics.accuracy is 0.9876, and '),
    ('split.test', 1_000_000, 'metrics.reliability is of 400 images, and split.test is 1000000'),
    ('metrics.accuracy_by_class', [0.0, 0.01], 'outside of metrics.accuracy_by_class'),
    ('metrics.ece_interval', [0.9, 0.1], 'metrics.ece_interval must be two numbers, the lower first'),
    ('metrics.scaled.ece_interval', [0.1], 'metrics.scaled.ece_interval must be two numbers'),
    (
      'evaluations',
      [{'step': 10**15, 'test_accuracy': 0.5}],
      'x.json: step 1000000000000000 of its curve comes after',
    ),
    ('labels', -5, 'labels must be greater than or equal to 0, not -5'),
    ('labels', 10**30, 'it holds the whole number 100000000000000000000000…, which is too large'),
    ('labels', 30, 'labels is 30, and that of its config is'),
    ('split.hash', [1], 'split.hash must be text, not [1]'),
    ('split.labeled', 3, 'and split.labeled is 3'),
    ('split.train', 3, 'more than split.train, which is 3'),
    ('split.train', None, 'a trial that is done must have split.train'),
    ('split.test', -1, 'split.test must be greater than or equal to 0, not -1'),
    ('protocol', 'paper', 'protocol is paper, and that of its config is'),
    ('labels_seen', 'all', 'labels_seen is all, and by its config it is trial'),
    ('error', 'but it went well', 'a trial that is done must have no error'),
    ('status', 'failed', 'a trial that is failed must have an error that says why'),
    ('tier', 'best', "tier must be 'ours' or 'submitted', not 'best'"),
    ('versions.code', 'abc', 'versions.code String should match pattern'),
    ('versions.dataset', 'mnist/1.0.0', 'versions.dataset is mnist/1.0.0, and its config is on digits'),
    ('environment.device.kind', 7, 'environment.device.kind must be text, not 7'),
    ('environment.device.count', 0, 'environment.device.count must be greater than or equal to 1'),
    ('environment.flags', {'a': 1}, 'environment.flags.a must be text, not 1'),
    ('curve', [{'loss': 1.0}], 'curve every row needs a step, a whole number, not None'),
    ('curve', [{'step': 5, 'loss': 'low'}], 'curve loss at step 5 must be a number or a list of numbers'),
    ('evaluations', [{'step': 5, 'test_accuracy': 7}], 'test_accuracy at step 5 must be in [0, 1], not 7'),
    ('cost.seconds_per_epoch', -1.0, 'cost.seconds_per_epoch must be greater than or equal to 0, not -1.0'),
    ('time.finished', 'now', 'time.finished Invalid isoformat string'),
    ('config.seed', 77, 'does not match its own config: it should be'),
    ('versions.method', 77, 'does not match its own config: it should be'),
    ('schema', True, 'schema must be a whole number, not True'),
    ('schema', 3, 'schema must be less than or equal to 2, not 3'),
    ('extra', 1, "there is no 'extra' in a record"),
  ],
)
def test_a_wrong_value_is_one_sentence(plain, tmp_path, path, value, sentence):
  assert complaint(tmp_path, plain) is None
  put(plain, path, value)
  assert sentence in (complaint(tmp_path, plain) or 'nothing')


@pytest.mark.parametrize(
  ('path', 'value', 'sentence'),
  [
    ('config.method.name', 'no_such', "There is no method 'no_such'"),
    ('config.method.name', 5, 'config: method.name must be text, not 5'),
    ('config.dataset', '../../somewhere', 'somewhere'),
    ('config.augment', 5, 'config: augment must be settings of the form {name: value}, not 5'),
    ('config.steps', -1, 'config: steps must be greater than or equal to 1, not -1'),
    ('config.combine', 'crest', 'it is not written out as `train` writes it'),
    ('config.teacher', 'simclr.yaml', 'config: teacher must be settings'),
    ('config.teacher', {'dataset': 'digits'}, "The config needs a value for 'teacher."),
    ('versions.teachers', [1], 'versions.teachers must have 0 entries, as many as its config'),
    ('config.net', {}, 'config: net.name must be text, not None'),
  ],
)
def test_a_forged_id_does_not_help_a_config_that_is_none(plain, tmp_path, path, value, sentence):
  put(plain, path, value)
  assert sentence in (complaint(tmp_path, named(plain)) or 'nothing')


def test_names_of_a_record_of_plugins_need_not_be_known_here_and_are_words(plain, tmp_path):
  plain['config']['plugins'] = ['somewhere/no_such.py', 'no-such-package']
  plain['config']['method'], plain['config']['dataset'] = {'name': 'no_such'}, 'nowhere'
  plain['versions']['dataset'] = 'nowhere/1.0.0'
  assert complaint(tmp_path, named(plain)) is None
  for path in ('config.dataset', 'config.method.name'):
    changed = copy.deepcopy(plain)
    put(changed, path, '../../somewhere')
    assert '../../somewhere' in complaint(tmp_path, named(changed))


@pytest.mark.parametrize(
  ('text', 'sentence'),
  [
    ('NaN', 'it holds NaN, which is no number in JSON'),
    ('-Infinity', 'it holds -Infinity'),
    ('1e400', 'it holds 1e400'),
    ('9' * 4400, 'too large'),
    ('[' * 3000 + ']' * 3000, 'nested more than 24 levels'),
    ('[' * 30 + ']' * 30, 'nested more than 24 levels'),
    ('{"a": 1, "a": 2}', "it names 'a' twice in one object"),
    (r'"\ud800"', 'half of a UTF-16 character'),
    ('{"half', 'it is not JSON'),
  ],
)
def test_json_that_means_nothing_or_two_things_is_refused(plain, tmp_path, text, sentence):
  whole = json.dumps(plain | {'grid': 'HERE'}).replace('"HERE"', text)
  assert sentence in (complaint(tmp_path, whole) or 'nothing')


def test_json_that_is_well_is_as_it_was():
  tree = {'a': [1, -2.5, None, True, {'b': 'é 😀 "'}], 'c': 2**53}
  assert loads(json.dumps(tree)) == tree


WELL = (
  '{"a": {"a": [1, -0.0, 1e-9, 1E+5, 0.1, 123456789.123456789e-3, true, null, "\\u0061 é 😀"]}}',
  f'[{2**63}, {-(2**63)}, 1e308, 0.00000012345678901234567890]',
  '[' * 24 + ']' * 24,
  '{"a":1,\n"b":{"a":[],"b":{}}}',
)
DOUBTFUL = (
  *('{"a": 1, "a": 1}', '{"a" : 1, "a" :2}', '{"a":1,"\\u0061":2}', '{"b": [{"a": 1, "a\t": 2, "a": 3}]}'),
  *('{"x": "\\":", "a" :1, "a":2}', '{"a"\n:1,"a"\r:1}', f'[{2**63 + 1}]', f'[{-(2**63) - 1}]', '9' * 4400),
  *(
    '[1e309]',
    '[[-1e999]]',
    '9' * 310 + '.0',
    'NaN',
    '[Infinity]',
    '-Infinity',
    '[' * 25 + ']' * 25,
    '{"a":' * 25,
  ),
  *('"\\ud800"', '"\\udc00\\ud800"', '\ufeff{}', '01', '[1,]', '{1: 2}', '"\n"', '', '{"half'),
)


@pytest.mark.parametrize('text', [*WELL, *DOUBTFUL])
def test_the_quick_reader_of_a_text_is_as_strict_as_the_slow_one(text):
  """What it reads is what the standard library does, to the type; what it doubts is left to the slow one."""
  found = strict_json._quick(text)
  assert (found is strict_json._DOUBT) == (text in DOUBTFUL)
  if text in WELL:
    assert repr(found) == repr(strict_json._slow(text)) == repr(json.loads(text))
  else:
    with pytest.raises(ValueError) as error:
      strict_json._slow(text)
    assert sentence_of(text) == str(error.value)


def sentence_of(text):
  with pytest.raises(ValueError) as error:
    loads(text)
  return str(error.value)


def test_every_digit_of_a_number_is_read_as_by_python():
  draw = random.Random(0)
  texts = [repr(draw.gauss() * 10.0 ** draw.randrange(-300, 300)) for _ in range(4000)]
  texts += [f'{draw.getrandbits(60)}.{draw.getrandbits(90):028d}' for _ in range(2000)]
  assert strict_json._quick(f'[{",".join(texts)}]') == [float(text) for text in texts]


def test_what_lies_in_the_folder_and_is_no_file_is_a_sentence(plain, tmp_path):
  (tmp_path / 'folder.json').mkdir()
  (tmp_path / 'gone.json').symlink_to(tmp_path / 'nowhere')
  os.mkfifo(tmp_path / 'pipe.json')
  (tmp_path / 'caf\udce9\x1b[31m.json').write_text('{}')
  record.write(plain, tmp_path)
  records, bad = record.gather([tmp_path])
  assert len(records) == 1 and len(bad) == 4
  assert all(sentence.isprintable() for sentence in bad)
  assert sum('it is no file' in sentence for sentence in bad) == 3


def test_what_others_may_add_is_accepted(plain, tmp_path):
  row = {
    'step': 5,
    'pretext_loss': 1.5,
    'knn': 0.5,
    'feature_std': None,
    'rankme': 'NaN',
    'later': [1.0, None],
  }
  plain['versions']['code'] = 'a' * 64
  plain['environment']['flags'] = {'jax_threefry_partitionable': 'True'}
  plain |= {'tier': 'submitted', 'evaluations': [row]}
  plain['metrics'] |= {'new': {'deep': [1, 'text', None]}}
  assert complaint(tmp_path, plain) is None


HOSTILE = [None, True, -1, 2, 1.5, -1e308, 1e308, 1e-320, 2**63, '', 'x', '<script>alert(1)</script>', 'NaN']
HOSTILE += [[], [1], {}, {'a': 1}, [None], [1e99] * 15, 'a|b`c*d_e\n\x00\x1b[31m\u202e', {'name': 'x'}]


def shown(one):
  """All that is made of one record, but the page, whose figures take long."""
  contents(one, {})
  board = aggregate([one])
  console = Console(width=60, file=io.StringIO())
  console.print(terminal(board))
  assert not any('nan' in text.replace('nano', '') for text in csv_files(board).values())
  tables = [table(b) for s in board.sections for b in s.budgets for table in (ranking, further)]
  return readme(board) + ''.join(map(markdown, tables)) + console.file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize('measure', all_measures(), ids=lambda row: row.name)
def test_a_measure_that_a_record_may_hold_can_be_shown(bases, tmp_path, measure):
  path = list(measure.path)
  for value in HOSTILE:
    one = copy.deepcopy(bases[0])
    put(one, path, value)
    if complaint(tmp_path, one) is None:
      assert 'nan' not in shown(one).replace('nano', ''), value


@pytest.mark.parametrize('seed', range(4))
def test_no_mutation_breaks_the_board(bases, tmp_path, seed):
  """Some of each record's values are changed, and where it is shown, nothing of it is markup."""
  rng = random.Random(seed)
  good = 0
  for _ in range(60):
    one = copy.deepcopy(rng.choice(bases))
    path = []
    tree = one
    while isinstance(tree, (dict, list)) and tree and (not path or rng.random() < 0.8):
      path.append(rng.choice(sorted(tree)) if isinstance(tree, dict) else 0)
      tree = tree[path[-1]]
    put(one, path, copy.deepcopy(rng.choice(HOSTILE)))
    one = named(one) if isinstance(one['config'], dict) and isinstance(one['versions'], dict) else one
    if complaint(tmp_path, one) is None:
      text = shown(one)
      assert '<script' not in text and '\x1b[31' not in text and '\x00' not in text
      good += 1
  assert good
