"""The check before the first training: once a set, one line; and the page of pictures."""

import base64
import io
import json
import re
import time

import numpy as np
import pytest
from PIL import Image

from ssl_bench import data
from ssl_bench.data.checking import before, findings
from ssl_bench.data.checking.before import check_before
from ssl_bench.data.checking.page import page
from ssl_bench.data.checking.report import report, summary
from ssl_bench.data.custom import from_parts
from ssl_bench.settings.signature import BadSetting

LINE = (
  'Suspect in mine: test images with a twin in training: 2; empty inputs: 1. More: ssl-bench data check mine'
)


def mine():
  """Two test images are in the training part, and one training image is blank."""
  rng = np.random.default_rng(0)
  parts = [(rng.integers(0, 256, (n, 16, 16, 3), np.uint8), np.arange(n) % 4) for n in (40, 12, 12)]
  parts[0][0][5] = 100
  parts[2][0][1], parts[2][0][2] = parts[0][0][1], parts[0][0][2] // 2 + 60
  return from_parts('mine', *parts, classes=4)


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
  monkeypatch.setattr(before, '_checked', {})


def test_a_set_is_looked_at_once_and_told_in_one_line(tmp_path, monkeypatch):
  assert check_before(mine(), root=tmp_path) == LINE
  [path] = (tmp_path / 'ssl_bench/checks').iterdir()
  assert json.loads(path.read_text())['fingerprint'] == mine().fingerprint
  monkeypatch.setattr(before, 'find', lambda *args, **named: pytest.fail('looked at again'))
  assert check_before(mine(), root=tmp_path) == LINE
  before._checked.clear()  # as another process
  assert check_before(mine(), root=tmp_path) == LINE


def test_other_images_are_another_set(tmp_path):
  check_before(mine(), root=tmp_path)
  other = mine()._replace(fingerprint='f' * 64)
  check_before(other, root=tmp_path)
  assert len([*(tmp_path / 'ssl_bench/checks').iterdir()]) == 2


@pytest.mark.parametrize('text', ['', '{', '[]', '{"schema": 99}', 'null'])
def test_findings_that_cannot_be_read_are_made_again(text, tmp_path):
  check_before(mine(), root=tmp_path)
  [path] = (tmp_path / 'ssl_bench/checks').iterdir()
  path.write_text(text)
  before._checked.clear()
  assert check_before(mine(), root=tmp_path) == LINE and json.loads(path.read_text())['schema'] == 1


def test_where_nothing_can_be_written_it_is_told_all_the_same(tmp_path):
  (tmp_path / 'ssl_bench').write_text('')
  assert check_before(mine(), root=tmp_path) == LINE


def test_a_search_that_takes_too_long_is_ended_and_said(tmp_path, monkeypatch):
  monkeypatch.setattr(before, 'SECONDS', -1.0)
  assert 'there was no time left to look for near duplicates' in check_before(mine(), root=tmp_path)


def test_what_is_broken_is_refused(tmp_path):
  data_set = mine()
  broken = data_set._replace(train_images=np.full_like(data_set.train_images, 3))
  with pytest.raises(BadSetting, match='mine is broken: all 40 train inputs are equal; correct that'):
    check_before(broken, root=tmp_path)


@pytest.mark.parametrize('name', ['digits', 'digits_captions', 'identifiers', 'fake', 'fake_tokens'])
def test_what_comes_along_costs_nothing(name, tmp_path):
  data_set = data.load(name)
  start = time.perf_counter()
  assert check_before(data_set, root=tmp_path) == ''
  assert time.perf_counter() - start < 0.01 and not [*tmp_path.iterdir()]


def test_the_page_shows_pairs_and_suggested_labels_and_needs_no_other_file():
  data_set = mine()
  found = findings.find(data_set, wrong_labels=True)
  found['wrong_labels']['suspects'] = [{'at': ['train', 3], 'given': 3, 'suggested': 1, 'margin': 0.1}]
  html = page(data_set, found)
  assert 'suggested: 1 1 (margin 0.10)' in html and 'test 1' in html and 'train 1' in html
  assert not re.search(r'(?:src|href)="(?!data:)', html)
  pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
  shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in pictures]
  expected = [data_set.train_images[3], data_set.train_images[2], data_set.test_images[2]]
  expected += [data_set.train_images[1], data_set.test_images[1], data_set.train_images[5]]
  assert len(shown) == len(expected) and all((a == b).all() for a, b in zip(shown, expected))
  assert all(line in html for line in report(found)) and summary(found)


def test_names_on_the_page_are_text():
  data_set = mine()._replace(label_names=('<b>', '1', '2', '3'))
  found = findings.find(data_set)
  found['equal'][0]['labels'] = [0, 0]
  assert '<b>' not in page(data_set, found) and '&lt;b&gt;' in page(data_set, found)


def test_a_page_shows_the_first_of_very_many():
  data_set = mine()
  found = findings.find(data_set)
  found['equal'] *= 500
  html = page(data_set, found, most=7)
  assert 'Equal inputs: 7 of 500' in html and html.count('<figure>') == 7 + 1 + 1


def test_texts_are_shown_as_texts():
  data_set = data.load('fake_tokens')
  found = findings.find(data_set)
  found['equal'] = [{'a': ['train', 0], 'b': ['test', 0], 'labels': [0, 0]}]
  assert page(data_set, found).count('<code>') == 2
