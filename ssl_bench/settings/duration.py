"""Lengths of time, as they are said and as a user writes them."""

import re

from ssl_bench.settings.signature import BadSetting, short

UNITS = {'s': 1, 'm': 60, 'h': 3600, 'd': 86_400}


def duration(seconds: float) -> str:
  """Seconds as words: 40 s, 12 min, 3.5 hours."""
  if seconds < 90:
    return f'{seconds:.0f} s'
  return f'{seconds / 60:.0f} min' if seconds < 90 * 60 else f'{seconds / 3600:.1f} hours'


def parse_duration(text: str) -> float:
  """Seconds of 90m, 3.5h, 1h30m or 04:00:00; raises `BadSetting` for anything else."""
  if match := re.fullmatch(r'(\d+):([0-5]\d):([0-5]\d)', text):
    hours, minutes, seconds = map(int, match.groups())
    found = 3600.0 * hours + 60 * minutes + seconds
  else:
    parts = re.findall(r'(\d+(?:\.\d+)?)([smhd])', text)
    found = sum(float(number) * UNITS[unit] for number, unit in parts)
    found *= ''.join(number + unit for number, unit in parts) == text
  if not found:
    raise BadSetting(f'{short(text)} is no length of time; write it as 90m, 3.5h, 1h30m or 04:00:00.')
  return found
