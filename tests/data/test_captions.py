"""Tokens and back, and the digits' captions: true to the label, in words, the prompts phrased otherwise."""

import numpy as np
import pytest

from ssl_bench.data import load
from ssl_bench.data.datasets.digits_captions import LANGUAGES
from ssl_bench.data.text import detokenize, tokenize
from ssl_bench.settings.signature import BadSetting

FINGERPRINT = '27065219af38828d9f0a7895a89a334910b63303262ac5c5752a9fd8b3cb7a36'
WORDS = {language: entry.words.split() for language, entry in LANGUAGES.items()}


@pytest.fixture(scope='module')
def data():
  return load('digits_captions')


def texts(rows):
  return [detokenize(row) for row in rows]


def test_text_is_its_utf8_bytes_padded_with_zeros():
  rows = tokenize(['', 'fünf', '五'], 6)
  assert rows.dtype == np.uint8 and rows.shape == (3, 6)
  assert bytes(rows[1]) == 'fünf'.encode() + b'\0' and bytes(rows[2]) == '五'.encode() + bytes(3)
  assert texts(rows) == ['', 'fünf', '五']
  with pytest.raises(BadSetting, match=r"^'fünfzehn' has 9 bytes, more than 6;"):
    tokenize(['fünfzehn'], 6)
  with pytest.raises(BadSetting, match='byte that stands for'):
    tokenize(['a\1b'], 6)


def test_images_labels_and_parts_are_the_digits(data):
  plain = load('digits')
  for name in (
    'train_images',
    'train_labels',
    'train_index',
    'validation_images',
    'test_images',
    'test_labels',
  ):
    np.testing.assert_array_equal(getattr(data, name), getattr(plain, name))
  assert plain.captions is plain.test_captions is plain.prompts is None
  assert data.fingerprint == FINGERPRINT != plain.fingerprint
  assert 'CC BY 4.0' in data.license and 'Apache-2.0' in data.license


def test_captions_say_the_label_in_six_languages_and_no_numeral(data):
  assert data.captions.shape == (1197, 36, 48) and data.prompts.shape == (10, 12, 48)
  assert data.test_captions.shape == (400, 12, 48) and len(WORDS) == 6
  assert all(len(words) == 10 == len(set(words)) for words in WORDS.values())
  for image in (0, 5, 700):
    digit, said = data.train_labels[image], texts(data.captions[image])
    assert len(set(said)) == 36
    for i, words in enumerate(WORDS.values()):
      assert all(words[digit] in text for text in said[6 * i : 6 * i + 6])
    assert not any(c.isnumeric() and c.isascii() for text in said for c in text)


def test_a_caption_belongs_to_one_digit(data):
  first = [data.captions[data.train_labels == digit][0] for digit in range(10)]
  said = [set(texts(rows)) | set(texts(prompts)) for rows, prompts in zip(first, data.prompts)]
  assert all(len(words) == 48 for words in said)
  assert len(set.union(*said)) == 480


def test_prompts_and_test_captions_are_in_phrasings_held_out(data):
  trained = set(texts(data.captions.reshape(-1, 48)))
  assert not trained & set(texts(data.prompts.reshape(-1, 48)))
  np.testing.assert_array_equal(data.test_captions, data.prompts[data.test_labels])
  for entry in LANGUAGES.values():
    assert not set(entry.phrasings) & set(entry.held_out)
