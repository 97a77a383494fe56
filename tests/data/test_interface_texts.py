"""Texts of Django's interface: one language each, no sentence in two parts, read from compiled catalogs."""

import ast
import gettext
import importlib.util
import re
import struct
from collections import defaultdict

import numpy as np
import pytest

from ssl_bench import data
from ssl_bench.data.datasets import interface_texts as texts
from ssl_bench.data.extras import DJANGO, NotInstalled, folder_of
from ssl_bench.data.text import detokenize

PARTS = ('train', 'validation', 'test')
HEADER = {'': 'Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n'}


def catalog(entries):
  """The bytes of a compiled catalog, as in GNU gettext's manual ("The Format of GNU MO Files")."""
  pairs = sorted((key.encode(), value.encode()) for key, value in (HEADER | entries).items())
  start = 28 + 16 * len(pairs)
  tables, content = [[], []], b''
  for side in (0, 1):
    for pair in pairs:
      tables[side] += [len(pair[side]), start + len(content)]
      content += pair[side] + b'\0'
  head = struct.pack('<7I', 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
  return head + struct.pack(f'<{4 * len(pairs)}I', *tables[0], *tables[1]) + content


def write(package, where, entries):
  path = package / where / 'LC_MESSAGES/django.mo'
  path.parent.mkdir(parents=True)
  path.write_bytes(catalog(entries))
  return path


def test_the_catalogs_of_the_tests_are_those_that_gettext_reads(tmp_path):
  path = write(tmp_path, 'de', {'Home': 'Start', 'in\x04Log': 'Protokoll', 'a day\0days': 'ein Tag\0Tage'})
  with path.open('rb') as file:
    read = gettext.GNUTranslations(file)
  assert read.gettext('Home') == 'Start' and read.pgettext('in', 'Log') == 'Protokoll'
  assert [read.ngettext('a day', 'days', n) for n in (1, 2)] == ['ein Tag', 'Tage']


def test_a_sentence_has_its_first_translation_whatever_its_context_and_the_first_form_of_a_plural(tmp_path):
  own = {'Home': 'Start', 'in\x04Log': 'Protokoll', 'a day\0days': 'ein Tag\0Tage', 'Admin': 'Admin'}
  write(tmp_path, 'conf/locale/de', own)
  write(tmp_path, 'contrib/sites/locale/de', {'Home': 'Heim', 'site': 'Seite'})
  write(tmp_path, 'contrib/sites/locale/fr', {'site': ' site web\n'})
  assert texts.read_catalogs(tmp_path) == {
    'de': {'Home': 'Start', 'Log': 'Protokoll', 'a day': 'ein Tag', 'site': 'Seite'},
    'fr': {'site': 'site web'},
  }


def test_a_language_is_its_locale_with_the_most_sentences():
  sizes = {'pt': 3, 'pt_BR': 4, 'de': 4, 'zh_Hans': 2, 'zh_Hant': 2, 'fr': 1}
  locales = {name: {f'{i}': f'{name} {i}' for i in range(n)} for name, n in sizes.items()}
  assert list(texts.most_translated(locales, 3)) == ['de', 'pt_BR', 'zh_Hans']


def test_texts_are_cut_after_a_whole_character():
  found = texts.shortened({'ja': {'a': '日本語', 'b': 'ab 日'}}, 5)
  assert found == {'ja': {'a': '日', 'b': 'ab'}}


def test_a_text_of_two_languages_or_two_sentences_is_left_out():
  given = {'de': {'A': 'eins', 'B': 'Name', 'C': 'zwei', 'D': 'zwei'}, 'nl': {'A': 'een', 'B': 'Name'}}
  assert texts.without_doubles(given) == {'de': {'A': 'eins'}, 'nl': {'A': 'een'}}


def test_the_parts_are_drawn_by_hash_among_the_sentences_of_all_languages():
  given = {name: {f'{i}': f'{name} {i}' for i in range(start, 30)} for name, start in (('a', 0), ('b', 10))}
  parts = texts.parts_by_sentence(given, {'test': 5, 'validation': 3}, salt='s')
  assert [list(parts.values()).count(part) for part in ('test', 'validation', 'train')] == [5, 3, 0]
  assert all(int(sentence) >= 10 for sentence in parts)
  more = texts.parts_by_sentence(given, {'test': 5, 'validation': 6}, salt='s')
  assert parts.items() < more.items()
  assert texts.parts_by_sentence(given, {'test': 5, 'validation': 3}, salt='t') != parts


def test_other_texts_than_the_known_ones_are_refused_in_one_sentence(tmp_path, monkeypatch):
  sentences = [f'sentence {i}' for i in range(200)]
  for label in range(31):
    write(tmp_path, f'conf/locale/l{label:02}', {key: f'{label} says {key}' for key in sentences[label:]})
  monkeypatch.setattr(texts, 'folder_of', lambda name: tmp_path)
  told = r'made of the texts of Django 5.2.8 to .* has others; run: pip install .ssl_bench\[text\]'
  with pytest.raises(NotInstalled, match=told):
    texts.interface_texts()
  monkeypatch.setattr(texts, 'fingerprint', lambda arrays: texts.KNOWN[texts.NAME])
  found = texts.interface_texts()
  assert found.label_names == tuple(f'l{label:02}' for label in range(30))
  said = {part: [detokenize(row[:, 0, 0]) for row in getattr(found, f'{part}_images')] for part in PARTS}
  assert [len(said[part]) for part in PARTS] == [sum(range(171, 201)) - 4500, 1500, 3000]
  of = {part: {text.split('says ')[1] for text in said[part]} for part in PARTS}
  assert not of['test'] & of['validation'] and not of['train'] & (of['test'] | of['validation'])
  for part in PARTS:
    assert [int(text.split()[0]) for text in said[part]] == getattr(found, f'{part}_labels').tolist()


@pytest.fixture(scope='module')
def real():
  if not importlib.util.find_spec(DJANGO.name):
    pytest.skip('django is not installed')
  return data.load('interface_texts')


ENTRY = re.compile(r'^(msgid|msgstr|msgstr\[0\]) ((?:"(?:[^"\\]|\\.)*"\n?)+)', re.MULTILINE)


def written(path):
  """(Sentence, translation) of each entry of a .po file that is not fuzzy."""
  for block in path.read_text('utf-8').split('\n\n'):
    if not re.search('^#,.*fuzzy', block, re.MULTILINE):
      entry = {key[:6]: ast.literal_eval(f'({lines})').strip() for key, lines in ENTRY.findall(block)}
      if entry.get('msgid') and entry.get('msgstr'):
        yield entry['msgid'], entry['msgstr']


@pytest.mark.parametrize('language', ['be', 'hu', 'zh_Hant'])
def test_the_real_texts_are_those_of_the_sources_and_no_sentence_is_in_two_parts(language, real):
  package, label = folder_of('interface_texts'), real.label_names.index(language)
  sentences = defaultdict(set)
  for path in package.glob(f'*/**/locale/{language}/LC_MESSAGES/django.po'):
    for sentence, text in written(path):
      sentences[text.encode()[:64].decode(errors='ignore').strip()].add(sentence)
  of = {}
  for part in PARTS:
    rows = getattr(real, f'{part}_images')[getattr(real, f'{part}_labels') == label]
    found = [sentences[detokenize(row[:, 0, 0])] for row in rows]
    assert all(found)
    of[part] = set().union(*found)
  assert not of['train'] & of['test'] and not of['train'] & of['validation']
  assert not of['validation'] & of['test'] and len(of['test']) == 100


def test_parts_of_the_real_texts_share_no_text_and_are_balanced(real):
  rows = [real.train_images, real.validation_images, real.test_images]
  every = np.concatenate(rows)[:, :, 0, 0]
  assert len(np.unique(every, axis=0)) == len(every) == 20_102
  assert set(np.bincount(real.validation_labels)) == {50} and set(np.bincount(real.test_labels)) == {100}
