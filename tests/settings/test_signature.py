"""Settings are read from signatures; what does not fit is one sentence."""

import math
from types import ModuleType
from typing import Annotated, Literal

import pytest

from ssl_bench import plugins
from ssl_bench.settings import signature
from ssl_bench.settings.added import written
from ssl_bench.settings.signature import (
  ADDED,
  POSITIVE,
  UNIT,
  BadSetting,
  Range,
  Static,
  check,
  parse_call,
  settings_of,
)
from ssl_bench.settings.yaml12 import parse_yaml


def factory(
  encoder,
  classes,
  *,
  rate: Annotated[float, POSITIVE] = 0.5,
  share: Annotated[float, UNIT] = 1,
  drop: Annotated[Static, Range(0, 1, below=True)] = 0.0,
  count: Annotated[int, Range(1)] = 3,
  kind: Literal['a', 'b'] = 'a',
  sizes: Annotated[tuple[int, ...], Range(1)] = (4, 4),
  pair: tuple[float, float] = (0.0, 1.0),
  limit: float | None = None,
  free: int = 0,
  flag: bool = False,
):
  return encoder, classes


def needy(*, name: str):
  return name


def test_facts_are_positional_and_settings_are_keyword_only():
  assert signature.facts_of(factory) == ('encoder', 'classes')
  settings = signature.settings_of(factory)
  assert list(settings) == [
    'rate',
    'share',
    'drop',
    'count',
    'kind',
    'sizes',
    'pair',
    'limit',
    'free',
    'flag',
  ]
  assert settings['rate'].range == POSITIVE and settings['rate'].default == 0.5
  assert not settings['rate'].required and signature.settings_of(needy)['name'].required


def test_only_floats_that_decide_no_shape_are_numbers():
  numbers = [name for name, s in signature.settings_of(factory).items() if s.is_number]
  assert numbers == ['rate', 'share']


def test_check_writes_out_defaults_and_converts():
  checked = check(factory, {'rate': 2, 'sizes': [1, 2], 'limit': 3, 'pair': [1, 2]})
  assert checked['rate'] == 2.0 and isinstance(checked['rate'], float)
  assert checked['sizes'] == (1, 2) and checked['pair'] == (1.0, 2.0) and checked['limit'] == 3.0
  assert checked['kind'] == 'a' and checked['flag'] is False
  assert list(checked) == list(signature.settings_of(factory))


def test_an_added_setting_is_written_only_off_its_default():
  def gained(*, old: int = 1, new: Annotated[int, ADDED] = 2):
    return old, new

  assert written(gained, check(gained, {})) == written(gained, check(gained, {'new': 2})) == {'old': 1}
  assert written(gained, check(gained, {'new': 3})) == {'old': 1, 'new': 3}


@pytest.mark.parametrize('kind', ['methods', 'nets'])
def test_no_added_setting_is_traced(kind):
  every = [s for name in plugins.own_names(kind) for s in settings_of(plugins.get(kind, name)).values()]
  assert [s.name for s in every if s.added and (s.is_number or s.required)] == []


@pytest.mark.parametrize(
  ('given', 'sentence'),
  [
    ({'rat': 1}, "factory has no setting 'rat'; did you mean 'rate'?"),
    ({'zzz': 1}, "factory has no setting 'zzz'; choose from rate, share, drop"),
    ({'rate': 0}, 'factory: rate must be in (0, ∞), not 0.'),
    ({'rate': -1}, 'factory: rate must be in (0, ∞), not -1.'),
    ({'rate': math.inf}, 'factory: rate must be a finite number, not inf.'),
    ({'rate': math.nan}, 'factory: rate must be a finite number, not nan.'),
    ({'rate': '1'}, "factory: rate must be a number, not '1'."),
    ({'rate': True}, 'factory: rate must be a number, not True.'),
    ({'share': 1.01}, 'factory: share must be in [0, 1], not 1.01.'),
    ({'drop': 1}, 'factory: drop must be in [0, 1), not 1.'),
    ({'count': 1.0}, 'factory: count must be a whole number, not 1.0.'),
    ({'count': True}, 'factory: count must be a whole number, not True.'),
    ({'count': 0}, 'factory: count must be in [1, ∞), not 0.'),
    ({'kind': 'c'}, "factory: kind must be one of a, b, not 'c'."),
    ({'sizes': 4}, 'factory: sizes must be a list of a whole number, not 4.'),
    ({'sizes': [4, 0]}, 'factory: sizes must be in [1, ∞), not [4, 0].'),
    ({'pair': [1]}, 'factory: pair must be a list of a number and a number, not [1].'),
    ({'limit': 'x'}, "factory: limit must be a number or nothing, not 'x'."),
    (
      {'rate': 1e39},
      'factory: rate must be 0 or from 1.2e-38 to 3.4e+38 in size, what single precision holds',
    ),
    ({'rate': 10**400}, 'factory: rate must be a number, not 1000000'),
    ({'rate': 10**5000}, 'factory: rate must be a number, not a number of thousands of digits.'),
    ({'limit': 1e-50}, 'factory: limit must be 0 or from'),
    ({'pair': [1e39, 0]}, 'factory: pair must be 0 or from'),
    ({'free': 2**31}, 'factory: free must be in [-2147483647, 2147483647], not 2147483648.'),
    ({'sizes': [1] * 101}, 'factory: sizes holds 101 values; at most 100 can be.'),
    ({'RATE-': 1}, "factory has no setting 'RATE-'; did you mean 'rate'?"),
    ({'flag': 1}, 'factory: flag must be true or false, not 1.'),
  ],
  ids=lambda x: str(x)[:40] if isinstance(x, str) else '',
)
def test_what_does_not_fit_is_one_sentence(given, sentence):
  with pytest.raises(BadSetting) as error:
    check(factory, given)
  assert str(error.value).startswith(sentence)


def test_a_setting_without_a_default_is_asked_for():
  with pytest.raises(BadSetting, match="needy needs a value for 'name'"):
    check(needy, {})


@pytest.mark.parametrize(
  ('limits', 'inside', 'outside'),
  [
    (Range(0, 1), (0, 0.5, 1), (-1e-9, 1 + 1e-9)),
    (Range(0, 1, above=True), (1e-9, 1), (0,)),
    (Range(0, 1, below=True), (0, 1 - 1e-9), (1,)),
    (Range(-2), (-2, 1e30), (-2.1,)),
  ],
)
def test_ranges_are_closed_unless_they_say_otherwise(limits, inside, outside):
  assert all(value in limits for value in inside)
  assert not any(value in limits for value in outside)


def test_a_call_is_read_as_a_user_writes_it():
  assert parse_call('cutout') == ('cutout', [], {})
  assert parse_call(' cutout(16, fill=gray) ') == ('cutout', [16], {'fill': 'gray'})
  assert parse_call('jitter([0.1, 0.2], p=1e-3)') == ('jitter', [[0.1, 0.2]], {'p': 0.001})
  assert parse_call('a({b: 1, c: 2})') == ('a', [{'b': 1, 'c': 2}], {})
  for text in ('', '3', 'a(1', 'a)', 'a b', 'a(x=1, 2)', 'a({)', 'a(b=[)', 'a(1,,2)', 'a(1,)', 'a(b=1, b=2)'):
    with pytest.raises(BadSetting):
      parse_call(text)


def test_bind_fills_in_order_and_refuses_what_is_given_twice():
  bound = signature.bind(factory, [0.25], {'kind': 'b'})
  assert bound['rate'] == 0.25 and bound['kind'] == 'b'
  with pytest.raises(BadSetting, match="factory got 'rate' twice"):
    signature.bind(factory, [1], {'rate': 1})
  with pytest.raises(BadSetting, match='needy takes at most 1 settings'):
    signature.bind(needy, ['a', 'b'], {})


@pytest.mark.parametrize(
  ('name', 'meant'),
  [
    ('FixMatch', 'fixmatch'),
    ('Mix-Match', 'mixmatch'),
    ('SIMCLR', 'simclr'),
    ('moco v3', 'moco_v3'),
    ('zzz', None),
  ],
)
def test_a_name_is_found_whatever_its_capitals_and_dashes(name, meant):
  known = ['flexmatch', 'mixmatch', 'fixmatch', 'simclr', 'moco', 'moco_v3']
  assert signature.nearest(name, known) == meant


def test_a_module_without_its_factory_is_told():
  module = ModuleType('ssl_bench.methods.mine')
  for content in ({}, {'mine': 3}):
    vars(module).update(content)
    with pytest.raises(BadSetting, match=r'^The file of method mine must define a function mine\.$'):
      signature.factory_in(module, 'method')


@pytest.mark.parametrize('text', ['1e-3', '1E-3', '1.e-3', '+1e-3', '.1e-2', '0.001', '1.0e-3'])
def test_numbers_are_read_as_everybody_writes_them(text):
  assert parse_yaml(text) == 0.001


@pytest.mark.parametrize('text', ['1e', 'e3', '1e-3x', 'crop(1e3)', '1e-3 | 2'])
def test_what_is_no_number_stays_text(text):
  assert parse_yaml(text) == text
