"""A record is whole or not there, known by what decided it, and submitted only if it is what it says."""

import json
import math
import os
from pathlib import Path

import pytest
from support.cli import write_configs

from ssl_bench import data
from ssl_bench.config import digest, load, outcome, to_dict
from ssl_bench.planning import identity
from ssl_bench.records import record
from ssl_bench.records.checks import deciding
from ssl_bench.records.submit import submit
from ssl_bench.settings.signature import BadSetting

PRINT = data.load('digits').fingerprint


@pytest.fixture
def folder(tmp_path):
  return write_configs(tmp_path / 'configs')


def config_of(folder, *words, method='fixmatch'):
  return load(folder / f'{method}.yaml', ['dataset=digits', *words])


def make(config, **changes):
  """A record of a config, as a trial writes it."""
  return {
    'schema': record.SCHEMA,
    'id': identity.identify(config, PRINT),
    'grid': None,
    'protocol': config.protocol,
    'status': 'done',
    'error': None,
    'config': to_dict(config),
    'augment_resolved': {'weak': 'crop(padding=1, mode=reflect)', 'strong': 'none'},
    'family': 'semi-supervised',
    'versions': {**identity.versions_of(config, PRINT), 'dataset': 'digits/1.0.0'},
    'labels': config.labels,
    'labels_seen': 'trial',
    'split': {'hash': 'a' * 64, 'labeled': config.labels, 'train': 1197, 'validation': 200, 'test': 400},
    'metrics': {'accuracy': 0.5, 'nll': 1.0, 'ece': 0.1},
    'curve': [{'step': 3, 'loss': 1.0}],
    'evaluations': [],
    'cost': {'gflops_per_step': 0.1},
    'environment': {'python': '3'},
    'time': {'started': '2026-01-01T00:00:00+00:00', 'finished': '2026-01-01T00:00:01+00:00'},
    **changes,
  }


def test_what_is_written_is_read_back(folder, tmp_path):
  made = make(config_of(folder))
  path = record.write(made, tmp_path / 'records')
  assert path.name == f'{made["id"]}.json' and record.read_with_curves(path) == made
  assert {p.name for p in path.parent.iterdir()} == {path.name, f'{made["id"]}.curves.json.gz'}
  assert oct(path.stat().st_mode & 0o777) == '0o644'


@pytest.mark.parametrize('call', ['fsync', 'replace'])
@pytest.mark.parametrize('error', [OSError('No space left on device'), KeyboardInterrupt()])
def test_a_write_that_breaks_off_leaves_what_was_there(folder, tmp_path, monkeypatch, call, error):
  old = make(config_of(folder), status='failed', error='x', metrics={})
  path = record.write(old, tmp_path / 'records')

  def broken(*words):
    raise error

  monkeypatch.setattr(os, call, broken)
  with pytest.raises(type(error)):
    record.write(make(config_of(folder)), path.parent)
  monkeypatch.undo()
  assert record.read_with_curves(path) == old
  assert {p.name for p in path.parent.iterdir()} == {path.name, f'{old["id"]}.curves.json.gz'}


def test_the_file_is_on_disk_before_it_has_its_name(folder, tmp_path, monkeypatch):
  told = []
  fsync, replace = os.fsync, os.replace
  monkeypatch.setattr(os, 'fsync', lambda handle: (told.append('fsync'), fsync(handle)))
  monkeypatch.setattr(os, 'replace', lambda *words: (told.append('replace'), replace(*words)))
  record.write(make(config_of(folder)), tmp_path / 'records')
  assert told == 2 * ['fsync', 'replace', 'fsync']  # of the curves, then the record: file, name, folder


def test_a_temporary_file_of_a_killed_process_is_no_record(folder, tmp_path):
  path = record.write(make(config_of(folder)), tmp_path / 'records')
  (path.parent / '.abc.tmp').write_text('{"half')
  assert len(record.read_all([tmp_path])) == 1


def test_what_came_out_and_is_not_finite_is_written_as_a_word(folder, tmp_path):
  """The loss of a diverged trial, a bound that is no bound, the precision of no pseudo-labels; null stays."""
  made = make(
    config_of(folder),
    metrics={'accuracy': 0.5, 'nll': math.nan, 'b': [math.inf, {'c': -math.inf}], 'd': (1.0, 2), 'e': None},
    curve=[{'step': 6, 'loss': 2.0, 'by_class': [0.5, math.nan]}, {'step': 12, 'loss': math.nan}],
    cost={'seconds_per_epoch': math.inf},
  )
  path = record.write(made, tmp_path)

  def refuse(constant):
    raise AssertionError(constant)

  found = json.loads(path.read_text(), parse_constant=refuse)
  assert found == record.read(path)
  rows = record.read_curves(path)
  words = {'nll': 'NaN', 'b': ['Infinity', {'c': '-Infinity'}], 'd': [1.0, 2], 'e': None}
  assert found['metrics'] == {'accuracy': 0.5, **words}
  assert rows['curve'] == [{'step': 6, 'loss': 2.0, 'by_class': [0.5, 'NaN']}, {'step': 12, 'loss': 'NaN'}]
  assert found['cost'] == {'seconds_per_epoch': 'Infinity'}


@pytest.mark.parametrize('part', ['config', 'versions', 'split', 'labels', 'environment'])
@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_nothing_that_decides_a_trial_may_be_no_number(folder, tmp_path, part, value):
  made = make(config_of(folder))
  made[part] = value if part == 'labels' else {**made[part], 'deep': [{'x': value}]}
  with pytest.raises(BadSetting, match=f'{part}.* is (NaN|Infinity); what decides a trial must be a finite'):
    record.write(made, tmp_path / 'records')
  assert not (tmp_path / 'records').exists()


def test_text_that_no_file_can_hold_is_spelled_out(folder, tmp_path):
  made = make(config_of(folder), status='failed', error='no file caf\udce9', metrics={})
  assert record.read(record.write(made, tmp_path))['error'] == 'no file caf\\udce9'


@pytest.mark.parametrize(
  ('content', 'sentence'),
  [
    ('{"half', 'is not a readable record'),
    ('', 'is not a readable record'),
    ('[]', 'is not a record of schema 2'),
    ('{}', 'is not a record of schema 2'),
    ('{"schema": 3}', 'is not a record of schema 2: schema'),
  ],
)
def test_a_file_that_is_no_record_is_named(tmp_path, content, sentence):
  path = tmp_path / 'x.json'
  path.write_text(content)
  with pytest.raises(BadSetting) as error:
    record.read(path)
  assert str(path) in str(error.value) and sentence in str(error.value) and '\n' not in str(error.value)
  path.write_bytes(b'\xff\xfe')
  with pytest.raises(BadSetting, match=r'x\.json is not a readable record'):
    record.read_all([tmp_path])


@pytest.mark.parametrize('change', [{'extra': 1}, {'status': 'fine'}, {'id': 'xyz'}, {'labels': 'many'}])
def test_a_record_has_its_form(folder, tmp_path, change):
  made = make(config_of(folder)) | change
  (tmp_path / 'x.json').write_text(json.dumps(made))
  with pytest.raises(BadSetting, match=r'x\.json is not a record of schema 2'):
    record.read(tmp_path / 'x.json')


def test_the_same_record_in_two_folders_counts_once_in_a_fixed_order(folder, tmp_path):
  made = [make(config_of(folder, f'seed={seed}')) for seed in range(4)]
  for one in made:
    record.write(one, tmp_path / 'a')
  for one in reversed(made[:2]):
    record.write(one, tmp_path / 'b')
  found = record.read_all([tmp_path / 'b', tmp_path / 'a'])
  assert [one['id'] for one in found] == sorted(one['id'] for one in made)


def test_two_files_with_one_id_that_differ_are_named_and_neither_is_believed(folder, tmp_path):
  good, one = make(config_of(folder)), make(config_of(folder, 'seed=1'))
  record.write(good, tmp_path / 'a')
  first = record.write(one, tmp_path / 'a')
  second = record.write({**one, 'metrics': {**one['metrics'], 'accuracy': 1.0}}, tmp_path / 'b')
  records, bad = record.gather([tmp_path], with_curves=True)
  assert records == [good]
  assert bad == [f'{first} and {second} are different records with the id {one["id"]}; keep the right one.']
  with pytest.raises(BadSetting, match='are different records with the id'):
    record.read_all([tmp_path])


def test_submit_does_not_hide_that_other_numbers_are_there(folder, tmp_path):
  made = make(config_of(folder, 'dataset=digits'))
  record.write(made, tmp_path / 'a')
  assert submit(tmp_path / 'a', tmp_path / 'board') == (1, 0, 0)
  record.write({**made, 'metrics': {**made['metrics'], 'accuracy': 0.9}}, tmp_path / 'a')
  with pytest.raises(BadSetting, match=r'is in .*board with other numbers; keep the right one, by hand\.'):
    submit(tmp_path / 'a', tmp_path / 'board')


def test_submit_adds_measures_that_a_record_gained(folder, tmp_path):
  """What is there keeps its numbers, its clock and its tier."""
  made = make(config_of(folder, 'dataset=digits'))
  record.write(made, tmp_path / 'a')
  submit(tmp_path / 'a', tmp_path / 'board', ours=True)
  (path,) = (tmp_path / 'board').rglob('*.json')
  before = path.read_bytes()
  more = {
    **made,
    'metrics': {**made['metrics'], 'macro_f1': 0.25},
    'cost': {**made['cost'], 'seconds': 999.0},
  }
  record.write(more, tmp_path / 'a')
  assert submit(tmp_path / 'a', tmp_path / 'board') == (0, 0, 1)  # a stranger's do not enter one of ours
  assert path.read_bytes() == before
  assert submit(tmp_path / 'a', tmp_path / 'board', ours=True) == (0, 1, 0)
  now = record.read_with_curves(path)
  assert now['metrics'] == more['metrics'] and 'tier' not in now
  assert {k: v for k, v in now.items() if k != 'metrics'} == {k: v for k, v in made.items() if k != 'metrics'}
  record.write(made, tmp_path / 'a')  # the shorter one is none of other numbers only where it holds all
  with pytest.raises(BadSetting, match='with other numbers'):
    submit(tmp_path / 'a', tmp_path / 'board', ours=True)


def test_submit_keeps_numbers_that_differ_by_rounding(folder, tmp_path):
  """Threads add in another order; a record gains measures all the same, and its own numbers stay."""
  made = make(config_of(folder, 'dataset=digits'))
  record.write(made, tmp_path / 'a')
  submit(tmp_path / 'a', tmp_path / 'board', ours=True)
  (path,) = (tmp_path / 'board').rglob('*.json')
  before, nll = path.read_bytes(), made['metrics']['nll']
  for metrics, end in (
    ({'nll': nll * (1 + 1e-12)}, (0, 0, 1)),
    ({'nll': nll * (1 + 1e-12), 'macro_f1': 0.25}, (0, 1, 0)),
  ):
    record.write({**made, 'metrics': {**made['metrics'], **metrics}}, tmp_path / 'a')
    assert submit(tmp_path / 'a', tmp_path / 'board', ours=True) == end
    assert end[1] or path.read_bytes() == before
  assert record.read(path)['metrics'] == {**made['metrics'], 'macro_f1': 0.25}
  record.write({**made, 'metrics': {**made['metrics'], 'nll': nll * (1 + 1e-8)}}, tmp_path / 'a')
  with pytest.raises(BadSetting, match='with other numbers'):
    submit(tmp_path / 'a', tmp_path / 'board', ours=True)


@pytest.mark.parametrize(
  ('part', 'sentence'),
  [('method', 'of another version of its method'), ('fingerprint', 'of other data than digits has here')],
)
def test_submit_refuses_what_today_would_be_another_record(folder, tmp_path, part, sentence):
  config = config_of(folder, 'dataset=digits')
  versions = make(config)['versions'] | {part: {'method': 99, 'fingerprint': 'e' * 64}[part]}
  made = make(config, versions=versions, id=digest(outcome(config), deciding(versions)))
  record.write(made, tmp_path / 'a')
  with pytest.raises(BadSetting, match=sentence):
    submit(tmp_path / 'a', tmp_path / 'board')


def test_submit_refuses_a_family_that_is_not_the_methods(folder, tmp_path):
  record.write(make(config_of(folder, 'dataset=digits'), family='self-supervised'), tmp_path / 'a')
  with pytest.raises(BadSetting, match='says self-supervised, and its method is semi-supervised'):
    submit(tmp_path / 'a', tmp_path / 'board')


def test_the_identity_is_what_decides_the_outcome(folder, monkeypatch):
  known = identity.identify(config_of(folder), PRINT)
  assert known == identity.identify(config_of(folder, 'checkpoint.every=1'), PRINT)
  changes = ('seed=1', 'split_seed=1', 'labels=30', 'method.threshold=0.5', 'optimizer.lr=0.1', 'ema=null')
  changes += ('augment.weak=none', 'evaluate.bootstrap=101', 'protocol=paper', 'net.widths=[17]', 'steps=13')
  others = [identity.identify(config_of(folder, words), PRINT) for words in changes]
  assert len({known, *others}) == 1 + len(changes)
  assert identity.identify(config_of(folder), 'e' * 64) != known  # the data
  monkeypatch.setattr(identity, 'PROTOCOL_VERSION', identity.PROTOCOL_VERSION + 1)
  assert identity.identify(config_of(folder), PRINT) != known  # the protocol
  monkeypatch.undo()
  monkeypatch.setattr(identity.methods, 'version', lambda name: 99)
  assert identity.identify(config_of(folder), PRINT) != known  # the method


def test_a_training_is_shared_by_trials_that_differ_in_what_it_does_not_see(folder):
  def training(*words, method='simclr', streams=('unlabeled',)):
    return identity.identify_training(config_of(folder, *words, method=method), PRINT, streams)

  unseen = ('evaluate.probes=[linear]', 'evaluate.bootstrap=101', 'evaluate.last=1', 'checkpoint.every=1')
  for words in (*unseen, 'protocol=paper', 'labels=40', 'split_seed=3'):
    assert training(words) == training(), words
  for words in ('seed=1', 'steps=13', 'method.temperature=0.4', 'augment.strong=none', 'evaluate.every=3'):
    assert training(words) != training(), words
  seen = {'method': 'fixmatch', 'streams': ('labeled', 'unlabeled')}
  for words in unseen:
    assert training(words, **seen) == training(**seen)
  for words in ('labels=40', 'split_seed=3', 'seed=1'):
    assert training(words, **seen) != training(**seen), words


def test_submit_copies_what_is_whole_and_keeps_what_is_there(folder, tmp_path):
  made = [make(config_of(folder, f'seed={seed}')) for seed in range(2)]
  made.append(make(config_of(folder, method='supervised'), status='diverged', error='x', metrics={}))
  for one in made:
    record.write(one, tmp_path / 'runs/quick/records')
  assert submit(tmp_path / 'runs/quick', tmp_path / 'board') == (3, 0, 0)
  there = sorted(str(p.relative_to(tmp_path / 'board')) for p in (tmp_path / 'board').rglob('*.json'))
  places = [f'digits/{one["config"]["method"]["name"]}/{one["id"]}.json' for one in made]
  assert there == sorted(places)
  first = tmp_path / 'board' / places[0]
  first.write_text(first.read_text() + ' ')  # so that overwriting would show
  assert submit(tmp_path / 'runs/quick', tmp_path / 'board') == (0, 0, 3)
  assert first.read_text().endswith(' ')
  one = tmp_path / 'runs/quick/records' / f'{made[0]["id"]}.json'
  assert submit(one, tmp_path / 'other') == (1, 0, 0)
  (tmp_path / 'third').mkdir()
  first.rename(tmp_path / 'third/of_another_name.json')  # what is there is known by its id
  assert submit(one, tmp_path / 'third') == (0, 0, 1)


def test_a_submitted_record_says_so_and_those_of_the_project_do_not(folder, tmp_path):
  made = make(config_of(folder), tier='ours')
  record.write(made, tmp_path / 'records')
  submit(tmp_path / 'records', tmp_path / 'theirs')
  submit(tmp_path / 'records', tmp_path / 'own', ours=True)
  del made['tier']
  assert record.read_all([tmp_path / 'theirs'], with_curves=True) == [{**made, 'tier': 'submitted'}]
  assert record.read_all([tmp_path / 'own'], with_curves=True) == [made]


def test_submit_asks_for_no_accuracy_where_there_is_one_class(tmp_path):
  if 'internal_bleeding' not in [row.name for row in data.available() if row.ready]:
    pytest.skip('internal_bleeding needs: pip install --no-deps aeon')
  source = Path(__file__).parents[2] / 'leaderboard' / 'records' / 'internal_bleeding' / 'raw_pixels'
  submit(source, tmp_path / 'board')
  kept = record.read_all([tmp_path / 'board'])
  assert len(kept) == 5 and all('accuracy' not in one['metrics'] for one in kept)


def failed(folder):
  return make(config_of(folder), status='failed', error='ValueError: no', metrics={})


def fake(folder):
  made = make(load(folder / 'fixmatch.yaml'))
  made['versions']['dataset'] = 'fake_8x8x1/1.0.0'
  return made


def tampered(folder):
  made = make(config_of(folder))
  made['config']['seed'] = 10
  return made


def reversioned(folder):
  made = make(config_of(folder))
  made['versions']['method'] = 99
  return made


def lacking(folder):
  return make(config_of(folder), metrics={'accuracy': 0.5, 'ece': None, 'nll': 1.0})


@pytest.mark.parametrize(
  ('wrong', 'sentence'),
  [
    (failed, 'is of a failed trial; run it again'),
    (fake, 'is of a synthetic set, which is for tests only.'),
    (tampered, 'does not match its own config: it should be'),
    (reversioned, 'does not match its own config: it should be'),
    (lacking, "lacks the measure 'ece'; run it anew."),
  ],
)
def test_submit_refuses_what_is_not_what_it_says(folder, tmp_path, wrong, sentence):
  record.write(make(config_of(folder, 'seed=5')), tmp_path / 'records')
  record.write(wrong(folder), tmp_path / 'records')
  with pytest.raises(BadSetting) as error:
    submit(tmp_path / 'records', tmp_path / 'board')
  assert sentence in str(error.value) and '\n' not in str(error.value)
  assert not (tmp_path / 'board').exists()  # all or nothing


def test_submit_says_where_there_is_nothing(tmp_path):
  with pytest.raises(BadSetting, match=r"There is no '.*nowhere'; name a record or a folder"):
    submit(tmp_path / 'nowhere', tmp_path / 'board')
  (tmp_path / 'empty').mkdir()
  with pytest.raises(BadSetting, match='There is no record under'):
    submit(tmp_path / 'empty', tmp_path / 'board')
