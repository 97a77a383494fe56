"""The check inside `train`, `grid` and `data check --record`: once a set, refused where it is broken."""

import json
import re
import sys

import pytest
from support import own_images as own
from support.cli import write_configs

from ssl_bench import data
from ssl_bench.cli import app
from ssl_bench.cli.exit import exit_code
from ssl_bench.data.adding.add import add
from ssl_bench.data.checking import before
from ssl_bench.data.checking.report import report, summary
from ssl_bench.settings.signature import BadSetting

PROTOCOL = """
dataset: mine
labels: 4
steps: 4
batch: {labeled: 4, unlabeled_ratio: 1}
evaluate: {every: 4, last: 1, bootstrap: 100, probes: []}
"""
GRID = 'name: some\nbase: configs/{}\nblocks: [{{method: supervised, seed: [0, 1]}}]\n'
BROKEN = """
import numpy as np
from ssl_bench.data.custom import from_parts

def flat():
  parts = [(np.full((n, 8, 8, 1), 7, np.uint8), np.arange(n) % 2) for n in (20, 4, 4)]
  return from_parts('flat', *parts, classes=2)

PLUGINS = {'datasets': [flat]}
"""


@pytest.fixture(scope='module')
def place(tmp_path_factory):
  """A working folder with a set of real images, of which one test image is a training image too."""
  place = tmp_path_factory.mktemp('place')
  own.write_classes(place / 'photos/train', each=12)
  own.write_classes(place / 'photos/test', each=3, first=50)
  (place / 'photos/test/cat/0.png').write_bytes((place / 'photos/train/dog/4.png').read_bytes())
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('SSL_BENCH_DATA', str(place / 'data'))
    add('mine', images=place / 'photos')
  write_configs(place / 'configs/mine', PROTOCOL)
  (place / 'grid.yaml').write_text(GRID.format('mine'))
  return place


@pytest.fixture
def ssl_bench(place, monkeypatch, capsys):
  """Runs a command as a new process would find it: (exit code, what it printed)."""
  monkeypatch.setenv('SSL_BENCH_DATA', str(place / 'data'))
  monkeypatch.chdir(place)

  def run(*words):
    monkeypatch.setattr(before, '_checked', {})
    monkeypatch.setattr(sys, 'argv', ['ssl-bench', *map(str, words)])
    code = exit_code(app)
    printed = capsys.readouterr()
    return code, printed.out + printed.err

  return run


def train(ssl_bench, *words):
  return ssl_bench('train', 'configs/mine/supervised.yaml', *words, '--wandb', 'disabled')


@pytest.fixture
def trained(place, ssl_bench):
  """The record of a trial on that set."""
  code, said = train(ssl_bench)
  assert code == 0, said
  return place / re.search(r'[Rr]ecorded: (\S+)', said)[1]


@pytest.mark.slow
def test_the_first_training_looks_at_a_set_and_later_ones_say_what_it_found(place, ssl_bench, monkeypatch):
  code, said = train(ssl_bench)
  [path] = (place / 'data/ssl_bench/checks').iterdir()
  found = json.loads(path.read_text())
  line = summary(found)
  assert code == 0 and line.startswith('Suspect in mine: test images with a twin in training: ')
  assert said.count('Suspect in') == 1 and said.index(line) < said.index('dataset: mine')
  [pair] = found['equal']
  assert {pair['a'][0], pair['b'][0]} == {'train', 'test'} and 'wrong_labels' not in found
  monkeypatch.setattr(before, 'find', lambda *args, **named: pytest.fail('looked at again'))
  code, said = train(ssl_bench, 'seed=1')
  assert code == 0 and line in said
  code, said = ssl_bench('grid', 'grid.yaml', '--workers', 1, '--wandb', 'disabled')
  assert code == 0 and said.count(line) == 1 and '2 trials: 0 recorded before, 2 done now' in said


@pytest.mark.slow
def test_labels_are_suspected_by_the_features_of_a_record(place, trained, ssl_bench):
  code, said = ssl_bench('data', 'check', 'mine', '--record', trained)
  assert code == 0 and 'mine is right' in said
  [path] = (place / 'data/ssl_bench/checks').iterdir()
  assert f'all of it: {path}' in said
  found = json.loads(path.read_text())
  assert found['wrong_labels']['on'] == 'features' and 0 <= found['wrong_labels']['agreement'] <= 1
  assert all(f'  {line}\n' in said for line in report(found))
  by_pixels = ssl_bench('data', 'check', 'mine')
  assert by_pixels[0] == 0 and json.loads(path.read_text())['wrong_labels']['on'] == 'inputs'


@pytest.mark.slow
def test_a_record_is_found_from_its_own_folder(place, trained, ssl_bench, monkeypatch):
  monkeypatch.chdir(trained.parent)
  code, said = ssl_bench('data', 'check', 'mine', '--record', trained.name)
  assert code == 0 and 'mine is right' in said


@pytest.mark.slow
def test_a_record_without_its_training_is_one_sentence_and_nothing_is_written(place, trained, ssl_bench):
  elsewhere = own.write(place / 'board/records/mine' / trained.name, trained.read_bytes())
  code, said = ssl_bench('data', 'check', 'mine', '--record', elsewhere)
  assert code == 2 and said.startswith('ssl-bench: ') and said.count('\n') == 1
  assert 'has no checkpoint of step 4; train it first.' in said
  assert [*(place / 'board').rglob('*.json')] == [elsewhere] and len([*(place / 'board').rglob('*')]) == 3


@pytest.mark.slow
def test_what_is_no_record_of_the_set_is_one_sentence(place, trained, ssl_bench):
  own.write(place / 'none.json', b'{}')
  for words, sentence in (
    (('digits', '--record', trained), f'{trained} is of mine, not of digits; give a record of that set.'),
    (('mine', '--record', 'none.json'), 'none.json is not a record'),
    (('mine', '--record', 'gone.json'), 'gone.json is not a readable record: it is no file.'),
    (('mine', '--record', trained, '--quick'), '--record is for wrong labels, for which --quick does not'),
  ):
    code, said = ssl_bench('data', 'check', *words)
    assert code == 2 and f'ssl-bench: {sentence}' in said and said.count('\n') == 1


@pytest.mark.parametrize('words', [('train', 'configs/flat/supervised.yaml'), ('grid', 'flat_grid.yaml')])
def test_a_broken_set_is_refused_before_anything_is_trained(place, ssl_bench, words):
  (place / 'flat.py').write_text(BROKEN)
  write_configs(place / 'configs/flat', PROTOCOL.replace('mine', 'flat') + f'plugins: [{place}/flat.py]')
  (place / 'flat_grid.yaml').write_text(GRID.format('flat'))
  code, said = ssl_bench(*words, '--runs', 'refused', '--wandb', 'disabled')
  assert code == 2 and said.count('\n') == 1
  assert said.startswith('ssl-bench: flat is broken: all 20 train inputs are equal; correct that')
  assert not [*place.glob('refused/*/records')] and not [*place.glob('refused/*/checkpoints')]
  assert not [*(place / 'data/ssl_bench').glob('checks/flat*')]


def test_the_features_of_a_record_of_a_graph_are_refused():
  with pytest.raises(
    BadSetting, match='fake_graph is a graph, in which no wrong labels are looked for; leave'
  ):
    data.check('fake_graph', wrong_labels=True, features=lambda one: pytest.fail('looked at'))
  assert data.check('fake_graph').findings is None


@pytest.mark.parametrize('name', ['digits', 'wine', 'identifiers', 'fake_graph', 'fake_series', 'fake_table'])
def test_a_made_set_of_every_kind_is_right(name, ssl_bench):
  code, said = ssl_bench('data', 'check', name, '--quick')
  assert code == 0 and f'{name} is right: fingerprint {data.load(name).fingerprint}' in said
