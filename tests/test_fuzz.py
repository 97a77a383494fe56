"""A short fuzz; `python tests/fuzz.py` runs a long one."""

import fuzz
import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
  'kind', [pytest.param('trial', marks=pytest.mark.slow), *sorted({*fuzz.KINDS} - {'trial'})]
)
def test_what_is_written_at_random_ends_in_a_result_or_in_a_sentence(kind):
  ends = fuzz.run(1, {'record': 12, 'words': 40, 'trial': 3}.get(kind, 80), (kind,))
  assert sum(ends.values())


def test_a_failure_is_told(monkeypatch):
  """The fuzz itself can fail: a config that raises anything but a refusal is named with its seed."""

  def broken(rng, folder):
    raise ZeroDivisionError('x')

  monkeypatch.setitem(fuzz.KINDS, 'words', broken)
  with pytest.raises(fuzz.Wrong, match=r'--seed 1 --kind words --only 0: (.|\n)*ZeroDivisionError: x'):
    fuzz.run(1, 2, ('words',))
