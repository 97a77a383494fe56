"""Text of records is shown and is never markup, and a narrow terminal cuts neither numbers nor names."""

import copy
import csv
import io
import os
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console
from support.records import TODAY, failed, quickstart, record

from ssl_bench.leaderboard import aggregate, build, terminal
from ssl_bench.leaderboard.render import tables
from ssl_bench.leaderboard.render.escape import code, escape
from ssl_bench.leaderboard.render.markdown import markdown
from ssl_bench.leaderboard.render.short import short
from ssl_bench.leaderboard.render.terminal import _name

EVIL = '<script>alert(1)</script>`x` ``y|*b*_c_[d](http://e)~~f~~ $g$ &lt;h&gt;\n# i\x00\x1b[31mj\u202ek'
TAG = re.compile(r'<(?!/?(?:details|summary|code)>)')  # any other than the board's own


def hostile():
  """Records whose free strings are all markup: done, failed and stale ones, private and federated ones."""
  found = [
    record('fixmatch', 40, s, augment__strong=EVIL, net__name=EVIL, method__note=EVIL) for s in range(3)
  ]
  found += [record('supervised', 40, s) for s in range(3)]
  found.append(record('vat', 40, 0, stress__shift=EVIL, federated={'clients': 3, 'split': EVIL}))
  found.append(record('byol', 40, 0, private={'noise': 1.0, 'clip': EVIL, 'delta': EVIL}))
  for one in found:
    one['environment'] = {
      'device': {'platform': EVIL, 'kind': EVIL, 'count': 2},
      'packages': {'jax': EVIL},
      'git': {'commit': EVIL, 'dirty': True},
    }
    one['augment_resolved'] = {'weak': EVIL, EVIL: EVIL}
    one['versions']['dataset'] = EVIL
    one['metrics'] |= {
      'collapsed': True,
      'collapse_reason': EVIL,
      'privacy': {'epsilon': 1.0, 'stream': EVIL},
    }
    one['time'] = {'started': EVIL, 'finished': EVIL}
  found[3]['environment']['device'] = {'kind': 'cpu'}  # several kinds are told in a sentence
  found.append(failed('mean_teacher', 40, 0, error=EVIL))
  old = copy.deepcopy(record('fixmatch', 20, 0))
  old['versions']['method'] = EVIL
  return [*found, old]


def unfenced(text):
  """Markdown without its code spans."""
  return re.sub(r'(?<![`\\])(`+)(?!`).*?(?<!`)\1(?!`)', '', text)


class Tags(HTMLParser):
  def __init__(self):
    super().__init__()
    self.tags, self.attributes = [], set()

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes |= {name for name, _ in attrs}


@pytest.fixture(scope='module')
def out(tmp_path_factory):
  folder = tmp_path_factory.mktemp('hostile')
  build(hostile(), out=folder, today=TODAY)
  return folder


def files_of(folder):
  return {path.name: path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def test_the_readme_and_every_table_as_markdown_escape_every_string(out):
  text = (out / 'README.md').read_text()
  for section in aggregate(hostile(), today=TODAY).sections:
    made = [tables.failures(section), tables.stale(section), tables.trials(section)]
    for budget in section.budgets:
      made += [
        tables.ranking(budget),
        tables.further(budget),
        short(section.dataset, budget.rows),
        *tables.stressed(budget),
        *tables.patterns(budget),
      ]
      made += filter(None, [tables.sweep(budget)])
    text += ''.join(f'\n{markdown(table)}' for table in made)
  assert text.count('alert') > 20
  assert '<script' not in text
  plain = unfenced(text)
  assert not TAG.search(plain)
  for mark in (
    r'(?<!\\)\[d',
    r'(?<!\\)\*b\*',
    r'(?<!\\)~~f',
    r'(?<!\\)\$g',
    r'(?<!\\)`',
    '&lt;h',
    r'^# i',
    '[\x00\x1b\u202e]',
  ):
    found = re.search(mark, plain, re.MULTILINE)
    assert not found, plain[max(0, found.start() - 80) : found.end() + 20]
  for table in re.findall(r'(?:^\|.*\n)+', text, re.MULTILINE):
    assert len({len(re.findall(r'(?<!\\)\|', line)) for line in table.splitlines()}) == 1


def test_the_page_escapes_every_string(out, tmp_path):
  build([record('fixmatch', 40, s) for s in range(3)], out=tmp_path)
  pages = []
  for folder in (out, tmp_path):
    page = Tags()
    page.feed((folder / 'index.html').read_text())
    pages.append(page)
  text = (out / 'index.html').read_text()
  assert text.count('alert') > 10 and '<script>alert' not in text
  assert not re.search('[\x00\x1b\u202e]', text)
  assert pages[0].tags == pages[1].tags and pages[0].tags.count('script') == 4
  assert not re.search('[<>&]', re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])
  assert not any(name.startswith('on') for name in pages[0].attributes)


def test_a_csv_file_holds_no_control_character_and_no_formula(out):
  files = sorted((out / 'tables').glob('*.csv'))
  assert len(files) > 3 and all(re.fullmatch(r'[\w.-]+', path.name) for path in files)
  for path in files:
    rows = list(csv.reader(path.read_text().splitlines()))
    assert len({len(row) for row in rows}) == 1
    assert not re.search('[\x00\x1b\u202e]', path.read_text())
  build([failed('vat', 40, 0, error='=HYPERLINK("x")')], out=out / 'formula')
  assert "'=HYPERLINK" in (out / 'formula/tables/digits-smoke-failed.csv').read_text()


def test_the_terminal_shows_no_control_character():
  console = Console(width=100, file=io.StringIO())
  console.print(terminal(aggregate(hostile(), today=TODAY)))
  assert not re.search('[\x00\x1b\u202e]', console.file.getvalue())


@pytest.mark.parametrize('text', ['', 'a', '`', '``a`', 'a`b``c', '<b>', 'a\nb', ' '])
def test_a_code_span_holds_any_text(text):
  said = code(text)
  fence = re.match('`*', said)[0]
  assert '\n' not in said and '<b>' not in said
  if fence:
    inner = said[len(fence) : -len(fence)]
    assert said.endswith(fence) and fence not in re.findall('`+', inner) and inner
    assert inner.strip() == ' '.join(text.split())


def test_plain_text_stays_as_it_is():
  assert escape('Chen & He, 3 × 2 (± 1.5): 50 %') == 'Chen & He, 3 × 2 (± 1.5): 50 %'
  assert code('sgd (lr 0.1)') == '`sgd (lr 0.1)`'


@pytest.mark.parametrize('call', ['replace', 'fsync'])
def test_a_board_that_breaks_off_leaves_the_old_one(tmp_path, monkeypatch, call):
  build([record()], out=tmp_path)
  before = files_of(tmp_path)

  def broken(*words):
    raise OSError('No space left on device')

  monkeypatch.setattr(os, call, broken)
  with pytest.raises(OSError, match='No space'):
    build([record('supervised')], out=tmp_path)
  monkeypatch.undo()
  assert files_of(tmp_path) == before


@pytest.fixture(scope='module')
def board():
  rates = [record('fixmatch', 40, s, optimizer__lr=lr) for s in range(3) for lr in (0.1, 0.01, 0.001)]
  long = [record('supervised', 40, 0, augment__strong='x' * 150, net__width=w) for w in (48, 64)]
  return aggregate([*quickstart(), *rates, *long], today=TODAY)


@pytest.mark.parametrize('width', [40, 60, 80, 200])
def test_the_terminal_cuts_neither_a_number_nor_a_name(board, width):
  console = Console(width=width, file=io.StringIO())
  console.print(terminal(board))
  lines = console.file.getvalue().splitlines()
  table = '\n'.join(line for line in lines if not line.startswith(('mean_teacher', 'vat')))
  assert '…' not in table and 'accuracy, %' in table
  assert max(map(len, lines)) <= width
  names, numbers = [], []
  for line in lines:  # a row begins where there is a number, and its name goes on below
    found = re.match(r' (\S.*?)  +(\S.*)$', line)
    if found and re.match(r'\d', found[2]):
      names.append(found[1])
      numbers.append(found[2])
    elif line.startswith(' ') and line.strip() and not set(line) <= set(' ─') and names:
      names[-1] += line.strip()
    elif not line.startswith(' '):
      names.append('')
      numbers.append('')
  joined = {re.sub(r'\s', '', name) for name in names}
  for section in board.sections:
    for row in (row for b in section.budgets for row in b.rows):
      assert re.sub(r'\s', '', _name(row)) in joined, (row.method, width)
      accuracy = f'{100 * row.accuracy.value:.1f}'
      assert any(number.startswith(accuracy) for number in numbers)
      if row.accuracy.half is not None:
        said = f'{accuracy} ± {100 * row.accuracy.half:.1f}'
        assert any(number.startswith(said) for number in numbers)


def test_what_has_no_room_is_named(board):
  console = Console(width=40, file=io.StringIO())
  console.print(terminal(board))
  assert '(on the page: to supervised, ECE, s/epoch)' in ' '.join(console.file.getvalue().split())
  console = Console(width=200, file=io.StringIO())
  console.print(terminal(board))
  assert 'on the page' not in console.file.getvalue()
