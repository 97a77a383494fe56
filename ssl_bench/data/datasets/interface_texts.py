"""`interface_texts`: texts of Django's interface, each in one of 30 languages; from the package django."""

import gettext
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.extras import FACTS, NotInstalled, folder_of
from ssl_bench.data.meta import PARTS
from ssl_bench.data.sources import KNOWN
from ssl_bench.data.split import by_hash
from ssl_bench.data.text import tokenize

NAME = 'interface_texts'
CATALOGS = ('conf', 'contrib/*')  # folders of the package that have locales
CATALOG = 'LC_MESSAGES/django.mo'  # in the folder of a locale
CONTEXT = '\x04'  # between the context of a sentence and the sentence

Texts = dict[str, dict[str, str]]  # language or locale -> English sentence -> its translation


def interface_texts() -> Dataset:
  """15,602 training, 1,500 validation and 3,000 test texts, tokens uint8 [N, 64, 1, 1], of 30 languages.

  A text is the translation of a sentence of Django's interface, at most 64 bytes of it in whole characters.
  The parts are split by sentence: a hash draws 100 for test and 50 for validation among the sentences that
  all 30 languages have, and the texts of all others are for training.  No text is twice in the set.

  A language is its locale with the most translated sentences, and the 30 languages are those with the most;
  ties go to the first of the alphabet.  Fuzzy and empty translations do not count, nor do those that are the
  English sentence.  Source: the message catalogs of Django 5.2.8 to 5.2.19 (`pip install 'ssl_bench[text]'`).

  Raises `NotInstalled` where the installed Django has other texts.
  """
  facts = FACTS[NAME]
  texts = most_translated(read_catalogs(folder_of(NAME)), facts.classes)
  texts = without_doubles(shortened(texts, facts.shape[0]))
  parts = parts_by_sentence(
    texts,
    {'test': facts.test // facts.classes, 'validation': facts.validation // facts.classes},
    salt=f'{NAME} {facts.version}',
  )
  rows = [
    (text, label, parts.get(sentence, 'train'))
    for label, own in enumerate(texts.values())
    for sentence, text in own.items()
  ]
  tokens = tokenize([text for text, *_ in rows], facts.shape[0])[:, :, None, None]
  labels = np.array([label for _, label, _ in rows], np.int32)
  arrays: dict[str, Any] = {}
  for part in PARTS:
    index = np.flatnonzero([row[-1] == part for row in rows]).astype(np.int32)
    arrays |= {f'{part}_images': tokens[index], f'{part}_labels': labels[index], f'{part}_index': index}
  digest = fingerprint(arrays.items())
  if digest != KNOWN[NAME]:
    raise NotInstalled(
      f'{NAME} is made of the texts of Django 5.2.8 to 5.2.19, and the installed Django has others; '
      f'run: {facts.package.install}.'
    )
  return Dataset(
    name=NAME,
    version=facts.version,
    classes=facts.classes,
    label_names=tuple(texts),
    fingerprint=digest,
    license=facts.license,
    kind='tokens',
    **arrays,
  )


def read_catalogs(package: Path) -> Texts:
  """Per locale: the first translation of each sentence, in the order of the paths of its catalogs.

  A sentence is one whatever the context in which it is translated; of a plural it is the singular, and the
  translation its first form.  Compiled catalogs hold no fuzzy and no empty translation.
  """
  found: Texts = defaultdict(dict)
  for path in sorted(path for folder in CATALOGS for path in package.glob(f'{folder}/locale/*/{CATALOG}')):
    with path.open('rb') as file:
      own = found[path.parts[-3]]
      for sentence, text in _entries(gettext.GNUTranslations(file)):
        if text not in ('', sentence):
          own.setdefault(sentence, text)
  return dict(found)


def _entries(catalog: gettext.GNUTranslations) -> Iterator[tuple[str, str]]:
  """(Sentence, translation) of a catalog, without contexts, and without forms of a plural but the first."""
  for key, text in vars(catalog)['_catalog'].items():  # as Django reads it; no public name lists the entries
    sentence, form = key if isinstance(key, tuple) else (key, 0)
    if sentence and form == 0:
      yield sentence.split(CONTEXT)[-1].strip(), text.strip()


def most_translated(locales: Texts, count: int) -> Texts:
  """The `count` languages with the most translated sentences, one locale of each, by name."""
  order = sorted(locales, key=lambda locale: (-len(locales[locale]), locale))
  best: dict[str, str] = {}
  for locale in order:
    best.setdefault(locale.split('_')[0], locale)
  return {locale: locales[locale] for locale in sorted([*best.values()][:count])}


def shortened(texts: Texts, length: int) -> Texts:
  """The texts with at most `length` bytes, cut after a whole character."""
  cut = lambda text: text.encode()[:length].decode(errors='ignore').strip()
  return {language: {key: cut(text) for key, text in own.items()} for language, own in texts.items()}


def without_doubles(texts: Texts) -> Texts:
  """Without each text that is there twice: in two languages, or for two sentences of one."""
  count = Counter(text for own in texts.values() for text in own.values())
  return {
    language: {key: own[key] for key in sorted(own) if count[own[key]] == 1}
    for language, own in texts.items()
  }


def parts_by_sentence(texts: Texts, sizes: Mapping[str, int], *, salt: str) -> dict[str, str]:
  """Sentence -> part, for as many sentences of each part as `sizes` says, drawn by hash; none other is named.

  They are drawn among the sentences that every language has.
  """
  everywhere = set.intersection(*map(set, texts.values()))
  drawn = iter(sorted(everywhere, key=lambda sentence: by_hash(salt, sentence)))
  return {sentence: part for part, size in sizes.items() for sentence in islice(drawn, size)}
