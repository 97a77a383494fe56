"""Private training beside the same without: which rows stand together, and what their columns say."""

from collections.abc import Sequence

from ssl_bench import measures
from ssl_bench.leaderboard.aggregate import nearest
from ssl_bench.leaderboard.columns import Column, cell_of, of
from ssl_bench.leaderboard.columns.ranking import ACCURACY, METHOD, SPLITS
from ssl_bench.leaderboard.read import Settings
from ssl_bench.leaderboard.render.cells import NOTHING, Cell, digits_of, signed, words
from ssl_bench.leaderboard.rows import Row
from ssl_bench.leaderboard.statistics import compare
from ssl_bench.leaderboard.variants import say_variant

PATTERN = 'private.'


def beside_open(rows: Sequence[Row]) -> tuple[Row, ...]:
  """The private rows, each method's by their noise, after the rows without privacy that they are compared to.

  That is the one of the same method whose settings differ the least; `to_usual` is then the difference to it.
  """
  private = [row for row in rows if _is_private(row)]
  groups: dict[tuple[str, str], list[Row]] = {}
  for row in sorted(private, key=lambda row: (row.method, _noise(row), say_variant(row.variant))):
    other = _nearest(row, rows)
    name = (row.method, say_variant(other.variant) if other else '')
    groups.setdefault(name, [other] if other else []).append(row._replace(to_usual=compare(row, other)))
  return tuple(row for name in sorted(groups) for row in groups[name])


def _is_private(row: Row) -> bool:
  return any(name.startswith(PATTERN) for name in row.settings)


def _noise(row: Row) -> float:
  return float(row.settings.get('private.noise', 0))


def _nearest(row: Row, rows: Sequence[Row]) -> Row | None:
  """The same method without privacy."""
  found = [other for other in rows if other.method == row.method and not _is_private(other)]
  return nearest(_without(row.settings), found)


def _without(settings: Settings) -> dict[str, str]:
  return {k: v for k, v in settings.items() if not k.startswith(PATTERN)}


def _setting(name: str, hint: str) -> Column:
  return Column(name, hint, lambda row: words(row.settings.get(f'{PATTERN}{name}', '')))


def _epsilon(row: Row) -> Cell:
  if not _is_private(row):
    return NOTHING
  return cell_of(measures.get('epsilon'), row) if 'epsilon' in row.measures else Cell('∞', 1e9)


def _stream(row: Row) -> Cell:
  return words(
    ', '.join(sorted({t.texts['privacy_stream'] for t in row.trials if 'privacy_stream' in t.texts}))
  )


def columns() -> tuple[Column, ...]:
  """Of the table of private training."""
  return (
    METHOD,
    Column(
      'variant',
      '',
      lambda row: words(say_variant(_without(row.variant))),
      numeric=False,
      prose=True,
      optional=True,
    ),
    Column('protects', measures.get('privacy_stream').hint, _stream, numeric=False),
    _setting('clip', measures.get('privacy_clip').hint),
    _setting('noise', measures.get('privacy_noise').hint),
    of('epsilon', optional=False)._replace(cell=_epsilon),
    Column(
      measures.get('privacy_delta').title,
      measures.get('privacy_delta').hint,
      lambda row: words(row.settings.get('private.delta', '')),
    ),
    SPLITS,
    ACCURACY,
    Column(
      'to without, points',
      'paired difference to the same method without privacy, in the settings that are nearest',
      lambda row: signed(row.to_usual, digits_of(row)) if _is_private(row) else NOTHING,
    ),
    of('membership_auc'),
  )
