"""Tables and series that ship in packages: parts, fingerprints, .ts files, what a missing package says."""

import csv
import gzip
import importlib.util

import numpy as np
import pytest

from ssl_bench import data
from ssl_bench.data.catalog import available, check_here
from ssl_bench.data.custom import fault
from ssl_bench.data.extras import FACTS, NotInstalled
from ssl_bench.data.series_files import read_ts
from ssl_bench.data.sources import KNOWN
from ssl_bench.settings.signature import BadSetting

WITH_SCIKIT_LEARN = {'breast_cancer': (409, 60, 100), 'wine': (103, 30, 45)}


def is_installed(name):
  return name not in FACTS or importlib.util.find_spec(FACTS[name].package.name) is not None


@pytest.mark.parametrize('name', [*WITH_SCIKIT_LEARN, *FACTS])
def test_a_set_is_sound_and_has_the_known_fingerprint(name):
  if not is_installed(name):
    pytest.skip(f'{FACTS[name].package.name} is not installed')
  found = data.load(name)
  assert fault(found, name) is None
  assert found.fingerprint == KNOWN[name]
  sizes = tuple(len(getattr(found, f'{part}_labels')) for part in ('train', 'validation', 'test'))
  if name in FACTS:
    facts = FACTS[name]
    assert sizes == (facts.train, facts.validation, facts.test)
    assert (found.shape, found.classes) == (facts.shape, facts.classes)
  else:
    assert sizes == WITH_SCIKIT_LEARN[name]
  assert len(set(np.bincount(found.validation_labels, minlength=found.classes))) == 1
  if found.kind == 'table':
    numbers = np.repeat(found.columns, found.columns) == 1
    seen = found.train_images[:, numbers].astype(float)
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(0), 1, atol=1e-4)


def test_rows_are_those_of_the_source():
  from sklearn.datasets import load_wine

  raw, found = load_wine(), data.load('wine')
  train = raw.data[found.train_index]
  np.testing.assert_allclose(
    found.test_images, (raw.data[found.test_index] - train.mean(0)) / train.std(0), atol=1e-5
  )
  np.testing.assert_array_equal(found.test_labels, raw.target[found.test_index])


@pytest.fixture
def without_packages(monkeypatch):
  from ssl_bench.data import extras

  monkeypatch.setattr(extras, 'find_spec', lambda name: None)
  data.catalog._made.cache_clear()


@pytest.mark.parametrize(
  ('name', 'command'),
  [('segment', r"pip install 'ssl_bench\[table\]'"), ('osu_leaf', 'pip install --no-deps aeon')],
)
def test_a_missing_package_is_one_sentence_and_the_list_stays_whole(
  without_packages, name, command, tmp_path
):
  sentence = f'^{name} is read from the package .*, which is not installed; run: {command}.$'
  for ask in (data.load, check_here):
    with pytest.raises(NotInstalled, match=sentence):
      ask(name)
  row = next(row for row in available(tmp_path) if row.name == name)
  facts = FACTS[name]
  assert not row.ready and row.mend is None and command.replace('\\', '') in row.how
  assert (row.train, row.validation, row.test, row.shape) == (
    *(facts.train, facts.validation, facts.test),
    facts.shape,
  )


def spec_of(folder):
  """A `find_spec` that finds every package below a folder."""

  def find(name):
    spec = importlib.util.spec_from_file_location(name, folder / name / '__init__.py')
    spec.submodule_search_locations = [str(folder / name)]
    return spec

  return find


def test_a_table_is_read_from_a_package_that_is_not_imported(tmp_path, monkeypatch):
  from ssl_bench.data import extras

  folder = tmp_path / 'river/datasets'
  folder.mkdir(parents=True)
  (tmp_path / 'river/__init__.py').write_text('raise ImportError("it was imported")')
  rng = np.random.default_rng(0)
  with gzip.open(folder / 'phishing.csv.gz', 'wt', newline='') as file:
    lines = csv.writer(file)
    lines.writerow([*(f'c{i}' for i in range(9)), 'is_phishing'])
    lines.writerows([*rng.choice(['0.0', '0.5', '1.0'], 9), i % 2] for i in range(1250))
  monkeypatch.setattr(extras, 'find_spec', spec_of(tmp_path))
  data.catalog._made.cache_clear()
  found = data.load('phishing')
  assert found.columns == (3,) * 9 and found.train_images.shape == (850, 27)
  assert set(np.unique(found.test_images)) == {0.0, 1.0}
  assert (found.test_images.reshape(-1, 9, 3).sum(2) == 1).all()
  data.catalog._made.cache_clear()


def test_series_of_several_lengths_and_channels_are_read_from_their_file(tmp_path):
  path = tmp_path / 'some.ts'
  path.write_text('#a comment: with a colon\n@classLabel true a b\n@data\n1,2.5,?:-1,0,3:a\n\n4,5:6,7:b\n')
  series, labels = read_ts(path)
  assert labels == ['a', 'b']
  np.testing.assert_array_equal(series[0], [[1, -1], [2.5, 0], [np.nan, 3]])
  np.testing.assert_array_equal(series[1], [[4, 6], [5, 7]])


@pytest.mark.parametrize(
  ('lines', 'sentence'),
  [
    ('@data\n1,x:a\n', 'line 2: channels of one length must be numbers'),
    ('@data\n1,2:3:a\n', 'line 2: channels of one length must be numbers'),
    ('@problemName some\n', 'holds no series with classes'),
    ('@data\n0.5\n', 'holds no series with classes'),
  ],
)
def test_what_is_no_series_is_one_sentence(tmp_path, lines, sentence):
  path = tmp_path / 'some.ts'
  path.write_text(lines)
  with pytest.raises(BadSetting, match=sentence):
    read_ts(path)


def test_a_set_of_the_archive_is_standardized_by_its_training_part_and_padded(tmp_path, monkeypatch):
  from ssl_bench.data import extras

  folder = tmp_path / 'aeon/datasets/data/JapaneseVowels'
  folder.mkdir(parents=True)
  rng = np.random.default_rng(1)
  written = {}
  for part, count in (('TRAIN', 270), ('TEST', 370)):
    written[part] = [rng.normal(3, 2, (12, rng.integers(7, 30))).round(3) for _ in range(count)]
    lines = [
      ':'.join(','.join(map(str, row)) for row in one) + f':{i % 9 + 1}'
      for i, one in enumerate(written[part])
    ]
    (folder / f'JapaneseVowels_{part}.ts').write_text('@data\n' + '\n'.join(lines))
  monkeypatch.setattr(extras, 'find_spec', spec_of(tmp_path))
  data.catalog._made.cache_clear()
  found = data.load('japanese_vowels')
  data.catalog._made.cache_clear()
  assert fault(found, 'japanese_vowels') is None and found.test_images.shape == (370, 29, 12)
  seen = np.concatenate([written['TRAIN'][i] for i in found.train_index], 1)
  mean, deviation = seen.mean(1)[:, None], seen.std(1)[:, None]
  for i in (0, 123):
    raw = written['TEST'][i]
    np.testing.assert_allclose(found.test_images[i, : raw.shape[1]].T, (raw - mean) / deviation, atol=1e-4)
    assert not found.test_images[i, raw.shape[1] :].any()
  np.testing.assert_array_equal(found.test_labels, np.arange(370) % 9)


def test_windows_lie_in_their_part_and_those_of_the_anomaly_hold_all_of_it(tmp_path, monkeypatch):
  from ssl_bench.data import extras

  folder = tmp_path / 'aeon/datasets/data/KDD-TSAD_135'
  folder.mkdir(parents=True)
  values = np.random.default_rng(2).normal(5, 3, 3000).round(2)
  labels = np.isin(np.arange(3000), range(2000, 2012))
  lines = [f'{i},{value},{int(odd)}' for i, (value, odd) in enumerate(zip(values, labels))]
  path = folder / '135_UCR_Anomaly_InternalBleeding16_TEST.csv'
  path.write_text('timestamp,value,is_anomaly\n' + '\n'.join(lines))
  monkeypatch.setattr(extras, 'find_spec', spec_of(tmp_path))
  data.catalog._made.cache_clear()
  found = data.load('internal_bleeding')
  data.catalog._made.cache_clear()
  assert fault(found, 'internal_bleeding') is None and found.classes == 1
  scaled = (values - values[:960].mean()) / values[:960].std()
  window = lambda start: scaled[start : start + 192]
  for part, first, end in (('train', 0, 960), ('validation', 960, 1200), ('test', 1200, 3000)):
    starts = getattr(found, f'{part}_index')
    assert starts[0] == first and starts[-1] > end - 192 - 8 and starts[-1] <= end - 192
    for start, one in zip(starts, getattr(found, f'{part}_images')):
      np.testing.assert_allclose(one[:, 0], window(start), atol=1e-5)
      assert not labels[start : start + 192].any()
  wanted = [start for start in range(1200, 2809, 8) if start <= 2000 and start + 192 >= 2012]
  np.testing.assert_allclose(found.anomaly_images[..., 0], [window(start) for start in wanted], atol=1e-5)
