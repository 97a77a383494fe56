"""The names of programming languages: real ones, none twice, in fixed parts, and methods run on them."""

from importlib import import_module

import numpy as np
import pygments
import pytest
from support.cli import write_configs

from ssl_bench.config import load as load_config
from ssl_bench.data import load
from ssl_bench.data.datasets.identifiers import TABLES, names_by_language
from ssl_bench.data.text import detokenize
from ssl_bench.trial.run import run_trial
from ssl_bench.trial.run_folder import RunFolder

FINGERPRINT = '0652157162b90170d36f83309c8cc1c8b4cbbcb22a6d1ced19b8bd4728b97864'
VERSIONS = ('2.18', '2.19', '2.20', '2.21')  # that hold the same tables


@pytest.fixture(scope='module')
def data():
  return load('identifiers')


def names(data, part):
  return [detokenize(row[:, 0, 0]) for row in getattr(data, f'{part}_images')]


def test_parts_are_pinned_and_balanced(data):
  assert data.kind == 'tokens' and data.shape == (32, 1, 1) and data.classes == 10
  assert [len(names(data, part)) for part in ('train', 'validation', 'test')] == [6246, 500, 1000]
  assert set(np.bincount(data.validation_labels)) == {50} and set(np.bincount(data.test_labels)) == {100}
  if pygments.__version__.startswith(VERSIONS):
    assert data.fingerprint == FINGERPRINT
  assert data.license.startswith('BSD-2-Clause')


def test_no_name_is_twice_in_it(data):
  every = [name for part in ('train', 'validation', 'test') for name in names(data, part)]
  assert len(set(every)) == len(every) == 7746
  assert all(0 < len(name) <= 32 and name.isascii() for name in every)


def test_a_name_is_its_languages_and_no_other_ones(data):
  said = {}
  for language, (module, *tables) in TABLES.items():
    place = import_module(f'pygments.lexers.{module}')
    said[language] = '\n'.join(repr(getattr(place, table)) for table in tables)
  for name, label in list(zip(names(data, 'test'), data.test_labels))[::10]:
    found = [language for language, text in said.items() if repr(name) in text]
    assert found == [data.label_names[label]], name


def test_names_are_drawn_by_their_hash():
  found = names_by_language()
  assert list(found) == list(TABLES) and all(own == sorted(own) for own in found.values())
  assert {len(own) for language, own in found.items() if language != 'Common Lisp'} == {800}
  assert {'mapcar', 'defun'} & set(found['Common Lisp'])


@pytest.mark.slow
@pytest.mark.parametrize('method', ['simclr', 'supervised'])
def test_methods_on_images_run_on_texts_as_they_are(method, tmp_path):
  text = {'supervised': 'method: supervised', 'simclr': 'method: {name: simclr, hidden: 8, out: 8}'}[method]
  text += '\naugment: {weak: none, strong: span_crop | mask_tokens | swap_tokens}\nema: null\n'
  text += 'dataset: fake_tokens\nnet: {name: sequence, dim: 8, depth: 1, heads: 2}'
  folder = write_configs(tmp_path / 'configs', **{method: text})
  record = run_trial(load_config(folder / f'{method}.yaml'), RunFolder(tmp_path / 'runs'))
  assert record['status'] == 'done', record['error']
  assert 0 <= record['metrics']['accuracy'] <= 1 and record['augment_resolved']['strong'].startswith(
    'span_crop('
  )
