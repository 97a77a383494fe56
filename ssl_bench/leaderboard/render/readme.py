"""The board in short, as one Markdown file: a picture, and the best rows of each ranking."""

from collections.abc import Sequence

from ssl_bench.leaderboard.across import Comparison
from ssl_bench.leaderboard.named import Named, average_ranks, ranked
from ssl_bench.leaderboard.render import notes, reproduced
from ssl_bench.leaderboard.render import signs as of_signs
from ssl_bench.leaderboard.render.across import MARKS, choices, what_to_use
from ssl_bench.leaderboard.render.escape import escape
from ssl_bench.leaderboard.render.markdown import markdown
from ssl_bench.leaderboard.render.short import best, short
from ssl_bench.leaderboard.render.svg import to_file
from ssl_bench.leaderboard.rows import Board, Section
from ssl_bench.leaderboard.signs import NONE, Signs
from ssl_bench.settings import plural

LINES = 250  # at most
BEST = (10, 8, 6, 5, 4, 3, 2, 1)  # rows of a ranking beside its baselines: the first that fits
PICTURE = 'what-to-use.svg'
FLOORLESS = 'Probes of raw inputs and of fresh networks are not drawn; the tables have them.'
EMPTY = """There is no record yet. Run `make quickstart` (a few minutes on a laptop), or one trial with
`ssl-bench train configs/digits/fixmatch.yaml`, and build the board again with `ssl-bench leaderboard`."""
PAGE = """Built from records by `ssl-bench leaderboard` and not edited by hand. **The same command builds the
page**, `index.html` beside this file, with every row, column, figure, setting and trial, and each table as
CSV in `tables/`; open it in a browser. ± is the half width of the 95 % Student-t interval over splits; ≈
marks rows that are not separable from the best, † rows over fewer splits than most, which no other rank
counts. Verdicts on the difference to `supervised` are for one comparison each."""


def readme(board: Board, signs: Signs = NONE) -> str:
  """A picture, then one table for each dataset and protocol, in at most 250 lines."""
  over = average_ranks(board)
  for most in BEST:
    text = _written(board, over, signs, most, board.sections)
    if len(text.splitlines()) <= LINES:
      return text
  kept = len(board.sections)
  while len(text.splitlines()) > LINES and kept:
    kept -= 1
    text = _written(board, over, signs, BEST[-1], board.sections[:kept])
  return text


def picture(board: Board) -> str | None:
  """The picture beside the README as SVG; None where no ranking has a baseline."""
  drawn = what_to_use(board)
  return None if drawn is None else to_file(drawn, 'svg', PICTURE).decode()


def _written(
  board: Board, over: Sequence[Named], signs: Signs, most: int, sections: tuple[Section, ...]
) -> str:
  parts = ['# Leaderboard', PAGE, notes.counts(board) if board.sections else EMPTY, *_picture(board)]
  for figure in over:
    ranks = escape(ranked(figure.data)) if isinstance(figure.data, Comparison) else ''
    parts += [f'**{figure.title}:** {ranks}. {figure.caption.partition(" Bars join")[0]}']
  if said := of_signs.short(signs):
    parts += [f'**{of_signs.TITLE}:** {escape(said)}']
  for table in board.reproduced:
    found = reproduced.short(table)
    parts += [f'## {escape(table.title)}', reproduced.told(table), markdown(found) if found.rows else '']
  for section in sections:
    parts += _section(section, most)
  if left := len(board.sections) - len(sections):
    parts.append(f'{left} more datasets and protocols are on the page.')
  return '\n\n'.join(part.strip('\n') for part in parts if part) + '\n'


def _picture(board: Board) -> list[str]:
  if not choices(board):
    return []
  said = 'Accuracy of supervised learning and of the best method of each family, by dataset and labels'
  return [
    f'![{said}]({PICTURE})',
    f'{said}, the names at the right, the better one first; {MARKS}. {FLOORLESS}',
  ]


def _section(section: Section, most: int) -> list[str]:
  budgets = [budget for budget in section.budgets if budget.rows]
  rows = [row for budget in budgets for row in best(budget, most)]
  left = {b.labels: len(b.rows) - len(best(b, most)) for b in budgets}
  more = ', '.join(f'{count} with {plural.count(labels, "label")}' for labels, count in left.items() if count)
  parts = [f'## {escape(notes.title(section))}']
  if rows:
    parts.append(markdown(short(notes.title(section), rows, labels=True)))
  failed = f'{len(section.failed):,} trials failed or diverged.' if section.failed else ''
  more = f'More rows on the page: {more}.' if more else ''
  parts.append(' '.join(filter(None, (notes.unclassified(section), more, failed))))
  return parts
