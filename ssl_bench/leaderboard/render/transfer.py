"""The matrix of transfer as tables of the board: a table a protocol and probe, a column a probed set."""

from ssl_bench import measures
from ssl_bench.leaderboard.render.cells import percent, whole, words
from ssl_bench.leaderboard.render.tables import Head, Table
from ssl_bench.leaderboard.rows import Board
from ssl_bench.leaderboard.transfer import PROBES, Line, matrix, say_net

ON = 'sets in the order of training; of random weights, the set whose form the network reads'


def tables_of(board: Board) -> tuple[Table, ...]:
  """A table for each protocol and probe of which there are numbers; the linear probe first."""
  lines = matrix(board)
  protocols = dict.fromkeys(line.protocol for line in lines)
  return tuple(
    _table(probe, protocol, found)
    for protocol in protocols
    for probe in PROBES
    if (found := [line for line in lines if line.protocol == protocol and _is_there(line, probe)])
  )


def _is_there(line: Line, probe: str) -> bool:
  return any(probe in cells for cells in line.cells.values())


def _table(probe: str, protocol: str, lines: list[Line]) -> Table:
  """One table; of the nets' settings it shows those that differ among its lines."""
  sets = sorted({name for line in lines for name in line.cells})
  every = {k for line in lines for k in line.net}
  told = {k for k in every if len({line.net.get(k) for line in lines}) > 1}
  row = measures.get(f'transfer_{probe}')
  heads = (
    Head('method'),
    Head('settings that differ', prose=True),
    Head('net'),
    Head('labels', 'of the set that was trained on last; none where training sees none', numeric=True),
    Head('trained on', ON),
    *(Head(f'on {name}, %', f'accuracy on the test part of {name}', numeric=True) for name in sets),
  )
  rows = tuple(
    (
      words(line.method),
      words(line.variant),
      words(say_net(line.net, told)),
      whole(line.labels),
      words(line.trained_on),
      *(percent(line.cells.get(name, {}).get(probe), 1, interval=True) for name in sets),
    )
    for line in lines
  )
  return Table(f'{row.title[0].upper()}{row.title[1:]}, {protocol} protocol', heads, rows)
