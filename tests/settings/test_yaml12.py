"""YAML as version 1.2 has it: what a number is, a name stands once, and nothing that never ends."""

import math

import pytest
import yaml

from ssl_bench.settings.yaml12 import DEEPEST, MOST, fault_of, parse_yaml, write_yaml

# What section 10.3 of the specification of YAML 1.2.2 says of plain scalars.
SCALARS = {
  '040': 40, '0o40': 32, '0x1F': 31, '-12': -12, '+3': 3, '1:40': '1:40', '0_03': '0_03', '1_000': '1_000',
  '0b11': '0b11', '-0x1': '-0x1', '0.5': 0.5, '.5': 0.5, '1.': 1.0, '1e3': 1000.0, '1.e-3': 0.001,
  '-1.5E+2': -150.0, '1:40.5': '1:40.5', '1e': '1e', '.inf': math.inf, '-.INF': -math.inf, 'inf': 'inf',
  'nan': 'nan', 'true': True, 'True': True, 'FALSE': False, 'tRue': 'tRue', 'yes': 'yes', 'no': 'no',
  'on': 'on', 'off': 'off', 'y': 'y', 'null': None, 'Null': None, '~': None, '': None, 'none': 'none',
  '2026-01-01': '2026-01-01', '2026-13-45': '2026-13-45', '"040"': '040', "'true'": 'true', '!!str 12': '12',
  '!!float 3': 3.0, '=': '=', '<<': '<<',
}  # fmt: skip


@pytest.mark.parametrize('text', SCALARS)
def test_a_plain_scalar_is_what_the_core_schema_says(text):
  found = parse_yaml(text)
  assert found == SCALARS[text] and type(found) is type(SCALARS[text])
  assert parse_yaml(f'[{text or "~"}]') == [SCALARS[text]] and parse_yaml(f'a: {text}') == {
    'a': SCALARS[text]
  }


def test_not_a_number_is_one():
  assert math.isnan(parse_yaml('.NaN'))


# Text -> (line, what is told of it).
WRONG = {
  'a: 1\nb: 2\na: 3\n': (3, "'a' stands twice"),
  'blocks:\n- x\nblocks:\n- y\n': (3, "'blocks' stands twice"),
  '{a: 1, "a": 2}': (1, "'a' stands twice"),
  'x:\n  y: {b: 1,\n    b: 2}': (3, "'b' stands twice"),
  '[' * 3000: (1, f'more than {DEEPEST} levels'),
  '\n'.join('- ' * i + 'x' for i in (2, 3000)): (2, f'more than {DEEPEST} levels'),
  '9' * 4400: (1, 'a whole number of 4,400 digits'),
  '0x' + 'f' * 9000: (1, 'a whole number of 9,002 digits'),
  '&a [*a]': (1, 'a value stands within itself'),
  'x: &a {b: {c: *a}}': (1, 'a value stands within itself'),
  '[1]: 2': (1, 'a name must be text'),
  '!!int x': (1, 'this is no int'),
  '!!bool 1': (1, 'this is no bool'),
  '!!null x': (1, 'this is no null'),
  '!!int [1]': (1, 'this is no int'),
  '!!str [1]': (1, 'this is no text'),
  '!!seq {a: 1}': (1, 'this is no list'),
  '!!map [1]': (1, 'no names and values'),
  '!!timestamp 2026-13-45': (1, "no tag '!!timestamp'"),
  '!!binary x': (1, "no tag '!!binary'"),
  '!!python/object/apply:os.getcwd []': (1, "no tag '!!python/object/apply:os.getcwd'"),
  '"a\\ud800"': (1, 'half a character'),
  'a: b: c': (1, 'mapping values are not allowed here'),
  '--- 1\n--- 2': (2, 'another document'),
  'a\0b': (None, 'special characters are not allowed'),
}


@pytest.mark.parametrize('text', WRONG, ids=lambda text: repr(text[:20]))
def test_what_cannot_be_read_is_told_with_its_line(text):
  with pytest.raises(yaml.YAMLError) as error:
    parse_yaml(text)
  line, problem = fault_of(error.value)
  assert line == WRONG[text][0] and WRONG[text][1] in problem and '\n' not in problem


def test_aliases_repeat_a_value_but_do_not_explode():
  assert parse_yaml('seeds: &s [1, 2]\nsame: *s') == {'seeds': [1, 2], 'same': [1, 2]}
  lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
  lines += [f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 10)}]' for i in range(1, 9)]
  with pytest.raises(yaml.YAMLError) as error:
    parse_yaml('\n'.join(lines))  # 10^9 values in 9 lines
  assert f'more than {MOST:,} values' in fault_of(error.value)[1]


def test_what_is_written_is_read_back():
  for value in (*SCALARS, 1e-5, 1e22, 3, True, None, [1, 'x', [2.5]], {'a': 'no'}, 'é', "it's", 'a: b', '[x'):
    assert parse_yaml(write_yaml(value)) == value
  assert yaml.safe_load(write_yaml('yes')) == 'yes'  # by readers of version 1.1 as well
