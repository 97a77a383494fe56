"""Docstrings and tables as Markdown."""

from typing import Annotated, Literal

from ssl_bench.docs.markdown import cell, escape, hint_of, prose, read_docstring, settings_table, table
from ssl_bench.settings.signature import Range


def made(fact, *, rate: Annotated[float, Range(0, 1)] = 0.5, kind: Literal['a', 'b'] = 'a', plain: bool):
  """An idea: what f(x) * g_k[i] is.

  Objective (eq. 1): a sum
  over two lines.
  Evaluated: the classifier.  Deviations: none.

  * first `a|b`
    goes on
  * second

  Args:
    rate: of change, in [0, 1]
      (the paper: 0.5).
    kind: of a thing.

  ===  ===
  one  two
  ===  ===
  """


def test_a_docstring_is_read_in_parts():
  paragraphs, settings = read_docstring(made)
  assert settings == {'rate': 'of change, in [0, 1] (the paper: 0.5).', 'kind': 'of a thing.'}
  assert prose(paragraphs) == (
    'An idea: what f(x) \\* g\\_k\\[i\\] is.\n\n'
    '**Objective** (eq. 1): a sum over two lines.\n\n'
    '**Evaluated**: the classifier. Deviations: none.\n\n'
    '* first `a|b` goes on\n* second\n\n'
    '```text\n===  ===\none  two\n===  ===\n```\n\n'
  )


def test_settings_have_type_range_default_and_meaning():
  lines = settings_table(made).splitlines()
  assert lines[0] == '| setting | type | default | change | meaning |'
  assert lines[2] == (
    '| `rate` | a number in \\[0, 1\\] | `0.5` | traced | of change, in \\[0, 1\\] (the paper: 0.5). |'
  )
  assert lines[3] == '| `kind` | one of a, b | `a` | compiled | of a thing. |'
  assert lines[4] == '| `plain` | true or false | needed | compiled |  |'
  assert settings_table(lambda: None) == 'It has no settings.\n'


def test_nothing_in_a_cell_ends_it():
  assert cell('a | b `c|d`\ne') == 'a \\| b `c\\|d` e'
  assert escape('`a_b` c_d <e>') == '`a_b` c\\_d \\<e\\>'
  assert table(['a', 'b'], [['1', '2']]) == '| a | b |\n| --- | --- |\n| 1 | 2 |\n'


def test_a_field_is_said_as_a_user_would():
  assert hint_of(int | None) == 'a whole number or nothing'
  assert hint_of(dict[str, int]) == 'settings by name'
  assert hint_of(Annotated[tuple[str, ...], 'mark']) == 'a list of text'
