"""Kept predictions: whole, of their record alone, and enough to compute a record's measures again."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score
from support.cli import run

from ssl_bench.evaluation.predictions import Predictions, rounded
from ssl_bench.plugins import files
from ssl_bench.records import predictions, record
from ssl_bench.records.submit import submit
from ssl_bench.settings.signature import BadSetting

COMMITTED = Path(__file__).parents[2] / 'leaderboard' / 'records' / 'digits' / 'supervised'
PLUGIN = """
from sklearn.metrics import f1_score
from ssl_bench.measures import Measure

TOY = Measure(
  'toy_f1', ('metrics', 'toy_f1'), 'toy F1',
  lambda seen: float(f1_score(seen.labels, seen.predicted, average='macro')),
  hint='macro F1', table='toys', range=(0, 1), reads='predictions',
)
PLUGINS = {'measures': [TOY]}
"""


def made(groups=False):
  """Predictions of 400 test and 200 validation images of ten classes, as many as the digits have."""
  rng = np.random.default_rng(0)
  labels = rng.integers(10, size=400).astype('int32')
  logits = rng.normal(size=(400, 10)) + 2 * np.eye(10)[labels]
  return Predictions(
    rounded(logits),
    labels,
    np.arange(400, dtype='int32'),
    rounded(rng.normal(size=(200, 10))),
    rng.integers(10, size=200).astype('int32'),
    rng.integers(2, size=400).astype('int32') if groups else None,
    ('ann', 'bob') if groups else (),
  )


def same(one, other):
  return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize('groups', [False, True])
def test_what_is_written_is_read_back_and_named_by_its_digest(tmp_path, groups):
  path = tmp_path / 'a.json'
  digest = predictions.write(made(groups), predictions.path_of(path))
  assert [one.name for one in tmp_path.iterdir()] == ['a.predictions.npz']
  told = {'predictions': digest, 'split': {'test': 400, 'validation': 200}}
  assert same(predictions.read(path, told), made(groups))
  assert predictions.write(made(groups), tmp_path / 'other.npz') == digest
  assert predictions.write(made(not groups), tmp_path / 'other.npz') != digest
  with np.load(predictions.path_of(path)) as plain:  # what the docs tell of it, and its size
    assert plain['log_probabilities'].dtype == np.float16
    np.testing.assert_allclose(np.exp(plain['log_probabilities'].astype(float)).sum(-1), 1, rtol=0.01)
    size = sum(plain[name].nbytes for name in plain.files if name != 'group_names')
    assert size == 400 * (2 * 10 + 8 + 4 * groups) + 200 * (2 * 10 + 4)


def broken(path, change):
  """The file of `path` with one array replaced."""
  with np.load(path) as found:
    arrays = {**found} | change
  np.savez(path, **arrays)
  return predictions._digest(arrays)


@pytest.mark.parametrize(
  ('change', 'sentence'),
  [
    ({'labels': np.full(400, 10, 'int32')}, 'a label that is no class'),
    ({'labels': np.zeros(399, 'int32')}, 'arrays have different lengths'),
    ({'log_probabilities': np.zeros((400, 10))}, 'no float16 matrix'),
    ({'log_probabilities': np.full((400, 10), np.nan, 'float16')}, 'not finite'),
    ({'groups': np.full(400, 2, 'int32')}, 'a group without a name'),
  ],
)
def test_arrays_that_contradict_each_other_are_one_sentence(tmp_path, change, sentence):
  path = tmp_path / 'a.json'
  predictions.write(made(True), predictions.path_of(path))
  told = {'predictions': broken(predictions.path_of(path), change), 'split': {'test': 400, 'validation': 200}}
  with pytest.raises(BadSetting, match=f'does not hold the predictions of .*: .*{sentence}'):
    predictions.read(path, told)


def test_a_file_that_is_missing_torn_or_of_another_run_is_one_sentence(tmp_path):
  path, place = tmp_path / 'a.json', tmp_path / 'a.predictions.npz'
  told = {'predictions': 'f' * 64, 'split': {'test': 400, 'validation': 200}}
  with pytest.raises(BadSetting, match='npz is missing; it holds the predictions of'):
    predictions.read(path, told)
  with pytest.raises(BadSetting, match='names no predictions'):
    predictions.read(path, {'split': {}})
  digest = predictions.write(made(), place)
  with pytest.raises(BadSetting, match='another SHA-256, so copy both files anew'):
    predictions.read(path, told)
  with pytest.raises(BadSetting, match='has 400 test and 200 validation images, and the record others'):
    predictions.read(path, {'predictions': digest, 'split': {'test': 401, 'validation': 200}})
  whole = place.read_bytes()
  for torn in (b'', b'no zip', whole[: len(whole) // 2], whole[:300] + b'\0' * 80 + whole[380:]):
    place.write_bytes(torn)
    with pytest.raises(BadSetting, match=r'does not hold the predictions of a\.json: it is no whole file'):
      predictions.read(path, told | {'predictions': digest})


def test_a_file_that_would_run_something_or_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
  path, place = tmp_path / 'a.json', tmp_path / 'a.predictions.npz'
  told = {'predictions': 'f' * 64, 'split': {}}
  np.savez(place, labels=np.array([{'a': 1}], object))
  with pytest.raises(BadSetting, match='Object arrays cannot be loaded'):
    predictions.read(path, told)
  packed = io.BytesIO()
  with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
    archive.writestr('labels.npy', b'0' * 2**20)
  place.write_bytes(packed.getvalue())
  monkeypatch.setattr(predictions, 'LARGEST', 2**19)
  with pytest.raises(BadSetting, match='unpacks to more than'):
    predictions.read(path, told)


@pytest.fixture
def here(tmp_path, monkeypatch):
  """A record of digits in a run folder, of a plugin's measure, whose predictions are kept; its path."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'toy.py').write_text(PLUGIN)
  tree = record.read_with_curves(next(COMMITTED.glob('*.json')))
  tree['config'] |= {'plugins': ['toy.py']}
  path = tmp_path / f'runs/train/records/{tree["id"]}.json'
  digest = predictions.write(made(), predictions.path_of(path))
  yield record.write(tree | {'predictions': digest}, path.parent)
  files.forget()


def test_evaluate_adds_what_a_record_lacks_and_changes_nothing_else(here, monkeypatch, capsys):
  before = json.loads(here.read_text())
  code, out, errors = run(monkeypatch, capsys, 'evaluate', here)
  assert not code, errors
  after, kept = json.loads(here.read_text()), made()
  value = f1_score(kept.labels, kept.log_probs.argmax(-1), average='macro')
  assert after['metrics'].pop('toy_f1') == value
  assert f'toy F1  {value:.3f}\n' in out
  assert after['metrics'].items() >= before['metrics'].items()
  assert {k: v for k, v in after.items() if k != 'metrics'} == {
    k: v for k, v in before.items() if k != 'metrics'
  }
  written = here.read_bytes()
  code, out, _ = run(monkeypatch, capsys, 'evaluate', here)
  assert not code and '0 measures added' in out and here.read_bytes() == written


def test_a_broken_file_of_predictions_is_exit_code_2_and_leaves_the_record(here, monkeypatch, capsys):
  before = here.read_bytes()
  predictions.path_of(here).write_bytes(b'PK')
  code, out, errors = run(monkeypatch, capsys, 'evaluate', here)
  assert code == 2 and 'does not hold the predictions of' in errors and errors.count('\n') == 1 and not out
  assert here.read_bytes() == before


def test_a_copy_for_the_board_names_predictions_and_has_none(here, tmp_path, monkeypatch):
  assert submit(here, tmp_path / 'board', ours=True, trusted=['toy.py']) == (1, 0, 0)
  (copied,) = (tmp_path / 'board').rglob('*.json')
  assert record.read(copied)['predictions'] == record.read(here)['predictions']
  assert not list((tmp_path / 'board').rglob('*.npz'))


def test_a_record_of_before_is_read_without_predictions(here):
  tree = json.loads(here.read_text())
  del tree['predictions']
  here.write_text(json.dumps(tree))
  assert record.read(here).get('predictions') is None
