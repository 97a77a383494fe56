"""The matrix of transfer as tables of the board: a table a protocol and probe, a column a probed set."""

from ssl_bench import measures
from ssl_bench.leaderboard.render.cells import NOTHING, Cell, percent, whole, words
from ssl_bench.leaderboard.render.tables import Head, Table
from ssl_bench.leaderboard.rows import Board
from ssl_bench.leaderboard.transfer import PROBES, Line, matrix, say_net

LABELS = 'of the set that was trained on last; none where training sees none'
ON = 'sets in the order of training'
AS = 'the set in whose form the network reads all sets'
TEST = 'accuracy on the test part of'


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
  first: list[tuple[Head, list[Cell]]] = [
    (Head('method'), [words(line.method) for line in lines]),
    (Head('settings that differ', prose=True), [words(line.variant) for line in lines]),
    (Head('net'), [words(say_net(line.net, told) if told else '') for line in lines]),
    (Head('labels', LABELS, numeric=True), [whole(line.labels) for line in lines]),
    (Head('trained on', ON), [words(line.trained_on) for line in lines]),
    (Head('reads as', AS), [words(line.form) for line in lines]),
  ]
  there = [(head, cells) for head, cells in first if any(cell != NOTHING for cell in cells)]
  heads = (
    *(head for head, _ in there),
    *(Head(f'on {name}, %', f'{TEST} {name}', numeric=True) for name in sets),
  )
  numbers = [
    [percent(line.cells.get(name, {}).get(probe), 1, interval=True) for name in sets] for line in lines
  ]
  rows = tuple((*(cells[i] for _, cells in there), *numbers[i]) for i in range(len(lines)))
  title = measures.get(f'transfer_{probe}').title
  return Table(f'{title[0].upper()}{title[1:]}, {protocol} protocol', heads, rows)
