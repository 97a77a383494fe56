"""`identifiers`: builtin names of ten programming languages, from Pygments, as texts to classify."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from ssl_bench.data.arrays import Dataset, fingerprint
from ssl_bench.data.split import cut
from ssl_bench.data.text import tokenize

VERSION = '1.0.0'
LICENSE = 'BSD-2-Clause (Pygments)'
LENGTH = 32  # bytes of a name; the few longer names are left out
MOST = 800  # the most names of one language
VALIDATION, TEST = 50, 100  # names of one language

# Language -> the module of pygments.lexers that has its builtin names, and the tables there.
TABLES = {
  'Asymptote': ('_asy_builtins', 'ASYFUNCNAME', 'ASYVARNAME'),
  'Cocoa': ('_cocoa_builtins', 'COCOA_INTERFACES', 'COCOA_PROTOCOLS'),
  'Common Lisp': ('_cl_builtins', 'BUILTIN_FUNCTIONS', 'MACROS', 'SPECIAL_FORMS'),
  'Csound': ('_csound_builtins', 'OPCODES', 'DEPRECATED_OPCODES'),
  'Lasso': ('_lasso_builtins', 'BUILTINS', 'MEMBERS'),
  'PHP': ('_php_builtins', 'MODULES'),
  'Scheme': ('_scheme_builtins', 'scheme_builtins'),
  'Scilab': ('_scilab_builtins', 'functions_kw', 'macros_kw'),
  'SourceMod': ('_sourcemod_builtins', 'FUNCTIONS'),
  'Stata': ('_stata_builtins', 'builtins_base', 'builtins_functions'),
}


def identifiers() -> Dataset:
  """About 6,200 training, 500 validation and 1,000 test names, tokens uint8 [N, 32, 1, 1], of 10 languages.

  The parts are fixed by a hash; validation and test hold equally many names of each language.  Pygments 2.18
  to 2.21 have the same tables; other tables change the fingerprint.
  """
  by_language = names_by_language()
  classes = len(by_language)
  texts = [name for names in by_language.values() for name in names]
  labels = np.repeat(np.arange(classes), [len(names) for names in by_language.values()]).astype(np.int32)
  tokens = tokenize(texts, LENGTH)[:, :, None, None]
  sizes = [TEST * classes, VALIDATION * classes]
  test, validation, train = cut(labels, sizes, salt=f'identifiers {VERSION}', classes=classes)
  arrays: dict[str, Any] = {}
  for part, index in [('train', train), ('validation', validation), ('test', test)]:
    arrays |= {f'{part}_images': tokens[index], f'{part}_labels': labels[index], f'{part}_index': index}
  return Dataset(
    name='identifiers',
    version=VERSION,
    classes=classes,
    label_names=tuple(by_language),
    fingerprint=fingerprint(arrays.items()),
    license=LICENSE,
    kind='tokens',
    **arrays,
  )


def names_by_language() -> dict[str, list[str]]:
  """Per language: the names of no other language that are short enough; the first `MOST` by hash, sorted."""
  builtin = {}
  for language, (module, *tables) in TABLES.items():
    lexer = import_module(f'pygments.lexers.{module}')
    builtin[language] = {name for table in tables for name in _names(getattr(lexer, table))}
  count = Counter(name for names in builtin.values() for name in names)
  order = lambda name: hashlib.sha256(name.encode()).digest()
  kept = {
    language: [name for name in names if count[name] == 1 and len(name.encode()) <= LENGTH]
    for language, names in builtin.items()
  }
  return {language: sorted(sorted(names, key=order)[:MOST]) for language, names in kept.items()}


def _names(table: Any) -> Iterator[str]:
  """The texts in a table: a set, a list, or a dictionary of them by topic."""
  if isinstance(table, str):
    yield table
  else:
    for entry in table.values() if isinstance(table, dict) else table:
      yield from _names(entry)
