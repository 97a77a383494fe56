"""Figures by name: what they show is computed elsewhere, and the page draws it."""

from collections.abc import Mapping, Sequence
from typing import Any

KINDS = ('critical-difference', 'interquartile-mean', 'performance-profile')

Figure = Mapping[str, Any]
"""{name, title, caption, kind, data}: `name` is its id in the page and its file's, `data` is plain.

* critical-difference: {methods, ranks, cliques: [[method, …], …]}, methods from the best rank on;
* interquartile-mean: {kind, middles: [{method, value, low, high}]};
* performance-profile: {kind, thresholds, profiles: [{method, shares, low, high}]}.
"""


def drawn(figures: Sequence[Figure]) -> list[Figure]:
  """The figures of kinds that the page draws, without what else they hold."""
  kept = ('name', 'title', 'caption', 'kind', 'data')
  return [{name: figure[name] for name in kept} for figure in figures if figure['kind'] in KINDS]
