"""`digits_captions`: the digits, and captions that name them in several phrasings and languages.

A caption is written from the image's label, so a method that reads captions sees all labels.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.datasets.digits import LICENSE, digits
from ssl_bench.data.text import tokenize

VERSION = '1.0.0'
LENGTH = 48  # bytes of a caption


class Language(NamedTuple):
  """A language's words for the digits, and phrasings with a place for the word."""

  words: str  # zero to nine
  phrasings: tuple[str, ...]  # of the training images' captions
  held_out: tuple[str, ...]  # of prompts and the test images' captions, and of no training caption


LANGUAGES = {
  'English': Language(
    'zero one two three four five six seven eight nine',
    (
      'the handwritten digit {}',
      'the number {}, written by hand',
      'a picture of the digit {}',
      'this is {}',
      '{}, drawn with a pen',
      'on this scan: {}',
    ),
    ('a scan that shows the digit {}', 'somebody wrote {}'),
  ),
  'German': Language(
    'null eins zwei drei vier fünf sechs sieben acht neun',
    (
      'die handgeschriebene Ziffer {}',
      'die Zahl {}, von Hand geschrieben',
      'ein Bild der Ziffer {}',
      'das ist {}',
      '{}, mit dem Stift gezeichnet',
      'auf diesem Scan: {}',
    ),
    ('ein Scan, der die Ziffer {} zeigt', 'jemand schrieb {}'),
  ),
  'French': Language(
    'zéro un deux trois quatre cinq six sept huit neuf',
    (
      'le chiffre {} manuscrit',
      'le nombre {}, écrit à la main',
      'une image du chiffre {}',
      "c'est {}",
      '{}, tracé au stylo',
      'sur ce scan : {}',
    ),
    ('un scan qui montre le chiffre {}', "quelqu'un a écrit {}"),
  ),
  'Spanish': Language(
    'cero uno dos tres cuatro cinco seis siete ocho nueve',
    (
      'el dígito {} manuscrito',
      'el número {}, escrito a mano',
      'una imagen del dígito {}',
      'esto es {}',
      '{}, trazado con pluma',
      'en este escaneo: {}',
    ),
    ('un escaneo que muestra el dígito {}', 'alguien escribió {}'),
  ),
  'Italian': Language(
    'zero uno due tre quattro cinque sei sette otto nove',
    (
      'la cifra {} manoscritta',
      'il numero {}, scritto a mano',
      "un'immagine della cifra {}",
      'questo è {}',
      '{}, tracciato a penna',
      'su questa scansione: {}',
    ),
    ('una scansione che mostra la cifra {}', 'qualcuno ha scritto {}'),
  ),
  'Japanese': Language(
    '零 一 二 三 四 五 六 七 八 九',
    (
      '手書きの数字の{}',
      '手で書いた{}という数',
      '数字の{}の画像',
      'これは{}です',
      '{}、ペンで書いた数字',
      'このスキャンには{}',
    ),
    ('数字の{}を写したスキャン', '誰かが{}と書いた'),
  ),
}


def digits_captions() -> Dataset:
  """The digits in the parts of `digits`, with 36 captions a class: 6 phrasings in each of 6 languages.

  Prompts and the captions of the test images use the 12 held-out phrasings.  Images of a class share their
  captions.
  """
  data = digits()
  captions = write(lambda language: language.phrasings)
  prompts = write(lambda language: language.held_out)
  texts = {
    'captions': captions[data.train_labels],
    'test_captions': prompts[data.test_labels],
    'prompts': prompts,
  }
  return data._replace(
    name='digits_captions',
    version=VERSION,
    fingerprint=fingerprint([('digits', np.array(list(bytes.fromhex(data.fingerprint)))), *texts.items()]),
    license=f'{LICENSE} (images), Apache-2.0 (captions)',
    **texts,
  )


def write(phrasings: Callable[[Language], tuple[str, ...]]) -> np.ndarray:
  """uint8 [10, K, LENGTH]: for each digit, the tokens of the chosen phrasings in all languages."""
  spoken = [
    (language.words.split(), phrase) for language in LANGUAGES.values() for phrase in phrasings(language)
  ]
  return np.stack(
    [tokenize([phrase.format(words[d]) for words, phrase in spoken], LENGTH) for d in range(10)]
  )
