"""The board's page in a real browser: chosen, filtered, sorted, compared, exported, linked, and audited."""

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.browser import CHROMIUM, Browser, folder, until
from support.records import SETS, TODAY, failed, probed, quickstart, record

from ssl_bench.leaderboard import aggregate, build, read_published
from ssl_bench.leaderboard.reproduced import read_tables
from ssl_bench.leaderboard.statistics import compare

NO_BROWSER = 'no chromium on PATH: the page was not opened in a browser'
NO_AXE = 'no build/axe-core/axe.min.js, which .ci/run gets from npm: the page was not audited'
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / 'leaderboard' / 'published.csv'
AXE = ROOT / 'build' / 'axe-core' / 'axe.min.js'  # `.ci/run` puts it there
EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>"\'&`\n\u202e'


def everything():
  """A small grid in which everything happens, learning curves, and a second set with a large test part."""
  found = quickstart()
  for one in found:
    if one['status'] == 'done':
      one['curve'] = [{'step': 10 * i, 'loss': 2 / i} for i in range(1, 41)]
      one['evaluations'] = [{'step': 100 * i, 'validation_accuracy': 0.1 * i} for i in range(1, 5)]
  three = ('fixmatch', 'simclr', 'supervised')
  large = [record(m, n, s, dataset='cifar10') for m in three for n in (40, 250) for s in range(3)]
  for one in large:
    one['split']['test'] = 10000
  large[0]['environment']['device'] = {'platform': 'gpu', 'kind': 'H200', 'count': 2}
  return [*found, *large]


@pytest.fixture(scope='module')
def board():
  return aggregate(everything(), read_published(PUBLISHED), today=TODAY)


@pytest.fixture(scope='module')
def home(tmp_path_factory):
  """The address of the page of everything."""
  out = tmp_path_factory.mktemp('page')
  files = {one['id']: f'leaderboard/records/digits/{one["id"]}.json' for one in everything()}
  build(everything(), read_published(PUBLISHED), out=out, today=TODAY, files=files)
  return (out / 'index.html').as_uri()


@pytest.fixture(scope='module')
def browser():
  with folder() as profile:
    found = Browser(Path(profile))
    try:
      yield found
    finally:
      found.close()


@pytest.fixture(autouse=True)
def _silent(request):
  """Whatever a test does, the console stays empty and nothing is asked for but files."""
  browser = request.getfixturevalue('browser')
  browser.console.clear()
  browser.requests.clear()
  yield
  assert browser.console == []
  assert all(address.startswith(('file:', 'blob:', 'about:')) for address in browser.requests)


def section_of(board, dataset):
  return next(one for one in board.sections if one.dataset == dataset)


def shown(browser, column):
  """The texts of a column of the ranking, by its name."""
  return browser.run(f"""(() => {{
    const heads = [...document.querySelectorAll('#ranking thead th, #ranking thead td')];
    const at = heads.findIndex(head => head.textContent.startsWith({json.dumps(column)}));
    const cells = [...document.querySelectorAll('#ranking tbody tr')].map(row => row.children[at]);
    return cells.map(cell => (cell.querySelector('.num') ?? cell).textContent.trim());
  }})()""")


def methods(browser):
  return texts(browser, '#ranking tbody th a')


def texts(browser, selector):
  return browser.run(f'[...document.querySelectorAll({json.dumps(selector)})].map(one => one.textContent)')


def text(browser, selector='main'):
  """What is seen of an element."""
  return browser.run(f'document.querySelector({json.dumps(selector)}).innerText')


def click(browser, selector):
  browser.run(f'document.querySelector({json.dumps(selector)}).click()')
  browser.run('new Promise(done => setTimeout(done, 0))')


def open_all(browser, selector):
  browser.run(f'for (const one of document.querySelectorAll({json.dumps(selector)})) one.open = true')
  browser.run('new Promise(done => setTimeout(done, 50))')


def fill(browser, name, value, event):
  """Gives a field a value, as typing or choosing does."""
  found = f'document.getElementById({json.dumps(name)})'
  browser.run(f'{found}.focus(); {found}.value = {json.dumps(value)}')
  browser.run(f'{found}.dispatchEvent(new Event({json.dumps(event)}))')
  browser.run('new Promise(done => setTimeout(done, 0))')


def of_digits(board, labels):
  return next(one for one in section_of(board, 'digits').budgets if one.labels == labels)


def press(browser, text, within='body'):
  """Clicks the first button or link of exactly this text; raises where there is none."""
  browser.run(f"""(() => {{
    const all = [...document.querySelector({json.dumps(within)}).querySelectorAll('button, a, summary')];
    const one = all.find(node => node.textContent.trim() === {json.dumps(text)});
    if (!one) throw new Error('nothing to press: ' + all.map(node => node.textContent).join('; '));
    one.click();
  }})()""")
  browser.run('new Promise(done => setTimeout(done, 0))')


def number(text):
  return float(text.split()[0].replace('−', '-').replace(',', ''))


def said(browser):
  return browser.run("document.getElementById('said').textContent")


SIZES = "[...document.querySelectorAll('.picture svg')].map(one => one.getBoundingClientRect().height > 150)"
CUT = """[...document.querySelectorAll('.picture svg text')].filter(text => {
  const svg = text.closest('svg').getBoundingClientRect(), own = text.getBoundingClientRect();
  return own.right > svg.right + 4 || own.left < svg.left - 4;
}).map(text => text.textContent)"""


def test_it_opens_from_disk_at_every_width_light_and_dark(browser, home):
  for width in (390, 900, 1440):
    for scheme in ('light', 'dark'):
      browser.size(width)
      browser.media(scheme=scheme)
      browser.open(home)
      assert browser.run('document.documentElement.scrollWidth') <= width, 'the page scrolls sideways'
      assert browser.run(SIZES) == [True, True]
      assert browser.run(CUT) == []
  browser.size(1280)
  browser.media()
  assert text(browser, 'h1') == 'Which method should I use with 40 labels of digits?'
  assert re.match(r'fixmatch.*: \d\d\.\d ± \d.* %', text(browser, '#answer'))
  assert 'rows of 6 methods, smoke protocol' in text(browser, '#answer')
  assert browser.requests.count(home) == 6


def test_each_button_says_how_many_rows_it_leaves(browser, home, board):
  browser.open(home)
  buttons = "[...document.querySelectorAll('.choices button:not(:disabled)')]"
  names = browser.run(f"{buttons}.map(one => one.getAttribute('aria-label'))")
  assert len(names) > 10
  for name in names:
    browser.open(f'{home}#')
    click(browser, f'.choices button[aria-label={json.dumps(name)}]')
    left = len(methods(browser))
    assert name.endswith(f': {left} row' + ('s' if left != 1 else '')), name
  for budget in section_of(board, 'digits').budgets:
    browser.open(f'{home}#data=digits&labels={budget.labels}')
    assert methods(browser) == [row.method for row in budget.rows]


def test_the_first_click_of_a_head_puts_the_best_first_and_says_so(browser, home):
  browser.open(f'{home}#data=digits&labels=40&columns=rank,method,accuracy,difference,ece,gflops')
  press(browser, 'accuracy, %', '#ranking')
  found = [number(one) for one in shown(browser, 'accuracy')]
  assert found == sorted(found, reverse=True) and said(browser) == 'Sorted by accuracy, %, highest first.'
  assert texts(browser, '#ranking th[aria-sort=descending] button') == ['accuracy, %']
  press(browser, 'accuracy, %', '#ranking')
  found = [number(one) for one in shown(browser, 'accuracy')]
  assert found == sorted(found) and 'sort=accuracy' in browser.run('location.hash')
  press(browser, 'ECE', '#ranking')
  found = [number(one) for one in shown(browser, 'ECE')]
  assert found == sorted(found) and said(browser) == 'Sorted by ECE, lowest first.'
  press(browser, 'to supervised, points', '#ranking')
  *found, last = shown(browser, 'to supervised')
  assert last == '–' and [number(one) for one in found] == sorted(map(number, found), reverse=True)
  browser.run("document.querySelectorAll('#ranking thead button')[1].focus()")
  browser.key('Enter', 13, text='\r')
  assert methods(browser) == sorted(methods(browser))


def test_a_comma_is_or_and_a_space_is_and(browser, home):
  browser.open(f'{home}#data=digits&labels=40')
  every = len(methods(browser))
  filtering = lambda terms: fill(browser, 'filter', terms, 'input')
  filtering('FixMatch, byol')
  assert set(methods(browser)) == {'fixmatch', 'byol'}
  assert re.fullmatch(rf'\d+ of {every} rows shown\.', said(browser).strip())
  filtering('supervised strong')
  assert methods(browser) == ['supervised']
  assert 'method.strong: true' in text(browser, '#ranking tbody th')
  assert browser.run('document.activeElement.id') == 'filter'
  filtering('')
  assert len(methods(browser)) == every


def test_a_view_has_an_address_and_the_back_button_works(browser, home):
  browser.open(f'{home}#data=digits&labels=20&family=self&sort=-method&filter=byol,simclr')
  assert methods(browser) == ['simclr', 'byol']
  click(browser, '.choices button[aria-label^="labels 100"]')
  browser.wait("location.hash.includes('labels=100')")
  browser.wait("document.querySelector('h1').textContent.includes('100 labels')")
  browser.run('history.back()')
  browser.wait("document.querySelector('h1').textContent.includes('20 labels')")
  assert methods(browser) == ['simclr', 'byol']
  browser.open(
    f'{home}#data=nothing&labels=7&sort=nothing&columns=nothing&trial=nothing&rows=nothing&view=nothing'
  )
  assert methods(browser)


def test_the_keyboard_alone_is_enough(browser, home):
  browser.open(f'{home}#data=digits&labels=40')
  browser.key('Tab', 9)
  assert browser.run('document.activeElement.textContent') == 'Skip to the table'
  seen = []
  for _ in range(7):
    browser.key('Tab', 9)
    seen.append(browser.run('document.activeElement.dataset.key'))
  assert seen[:5] == ['data cifar10', 'data digits', 'labels 20', 'labels 40', 'labels 100']
  browser.run('document.querySelector(\'[data-key="labels 100"]\').focus()')
  browser.key('Enter', 13, text='\r')
  browser.wait("document.querySelector('h1').textContent.includes('100 labels')")
  assert browser.run('document.activeElement.dataset.key') == 'labels 100'
  browser.run('document.querySelector(\'[data-key="compare simclr"]\').focus()')
  browser.key(' ', 32, text=' ')
  assert said(browser) == '1 row selected.' and 'rows=simclr' in browser.run('location.hash')
  assert browser.run('document.activeElement.dataset.key') == 'compare simclr'


def test_columns_are_chosen_by_group(browser, home):
  browser.open(f'{home}#data=digits&labels=40')
  press(browser, 'columns', '#ranking')
  groups = {'accuracy', 'probes', 'calibration', 'health', 'pseudo labels', 'cost'}
  assert groups <= set(texts(browser, '#columns legend'))
  click(browser, '#columns input[value=rankme]')
  assert 'RankMe' in text(browser, '#ranking thead')
  assert 'rankme' in browser.run('location.hash') and browser.run("document.getElementById('columns').open")
  assert shown(browser, 'RankMe')[0].startswith('34.2')


def test_efficiency_is_chosen_among_costs_and_sorted_the_cheapest_first(browser, tmp_path):
  of = {'fixmatch': 0.9, 'simclr': 0.8, 'byol': 0.55, 'supervised': 0.6}
  records = [
    record(m, n, s, accuracy=of[m] + n / 1000 + s / 100) for m in of for n in (20, 40) for s in range(3)
  ]
  build(records, out=tmp_path, price=2.5)
  home = (tmp_path / 'index.html').as_uri()
  browser.open(f'{home}#data=digits&labels=20')
  press(browser, 'columns', '#ranking')
  for name in ('gflops_per_point', 'money_per_point', 'labels_to_target', 'labels_saved', 'trials_done'):
    click(browser, f'#columns input[value={name}]')
  press(browser, 'GFLOPs per point', '#ranking')
  assert said(browser) == 'Sorted by GFLOPs per point, lowest first.'
  assert methods(browser)[:2] == ['fixmatch', 'simclr']
  *numbers, first, second = shown(browser, 'GFLOPs per point')
  assert {first, second} == {'no gain', '–'} and number(numbers[0]) < number(numbers[1])
  assert number(numbers[0]) == pytest.approx(300 * 1.03 * 1.9 / 30, abs=0.1)
  assert len(shown(browser, 'money per point')[0].split()) == 4  # 0.00123 (0.00123 to 0.00123)
  rows = dict(zip(methods(browser), zip(shown(browser, 'labels to target'), shown(browser, 'labels saved'))))
  assert rows['fixmatch'] == ('≤ 20', '≥ 2') and rows['byol'] == ('≥ 40', '≤ 1')
  assert rows['supervised'] == ('40', '1')
  assert set(shown(browser, 'trials done')) == {'100.0'}
  browser.run('window.kept = []; URL.createObjectURL = blob => (window.kept.push(blob), "blob:none")')
  browser.run('HTMLAnchorElement.prototype.click = () => {}')
  press(browser, 'CSV file', '#ranking')
  line = next(csv.DictReader(io.StringIO(browser.run('window.kept[0].text()'))))
  assert (line['method'], line['labels to target']) == ('fixmatch', '≤ 20')
  assert float(line['GFLOPs per point']) == pytest.approx(300 * 1.03 * 1.9 / 30, rel=1e-5)
  browser.open(f'{home}#data=digits&labels=20&open=efficiency-by-method')
  table = text(browser, '#part-efficiency-by-method')
  assert 'labels to target' in table and '100.0 (61.0 to 100.0)' in table


def test_the_answer_says_where_the_best_cannot_be_told_from_the_baseline(browser, tmp_path):
  of = {'fixmatch': (0.5, 0.7, 0.9), 'simclr': (0.6, 0.6, 0.61), 'supervised': (0.6, 0.7, 0.61)}
  build([record(m, 40, s, accuracy=of[m][s]) for m in of for s in range(3)], out=tmp_path)
  browser.open((tmp_path / 'index.html').as_uri())
  answer = text(browser, '#answer')
  assert 'over 3 splits, and 2 rows that cannot be told from it, supervised among them. ' in answer


def test_the_chooser_scrolls_down_and_not_sideways(browser, home):
  for width in (390, 900, 1440):
    browser.size(width)
    browser.open(f'{home}#data=digits&labels=40')
    press(browser, 'columns', '#ranking')
    menu = "document.querySelector('#columns .groups')"
    assert browser.run(f'{menu}.scrollWidth <= {menu}.clientWidth'), width
  browser.size(1280)


def test_bars_of_a_column_share_one_axis_which_its_head_has_and_which_ends_at_100(browser, home):
  for width in (900, 1440):
    browser.size(width)
    browser.open(f'{home}#data=digits&labels=40')
    for column in (0, 1):  # accuracy, to supervised
      find = '[...document.querySelectorAll("#ranking %s")].map(one => one.getBoundingClientRect().%s)'
      at = {(x, end): browser.run(find % (x, end)) for x in ('.scale', '.bar') for end in ('left', 'right')}
      heads = at['.scale', 'left'][column], at['.scale', 'right'][column]
      bars = [ends for ends in zip(at['.bar', 'left'], at['.bar', 'right']) if abs(ends[0] - heads[0]) < 90]
      assert len(bars) >= 4 and all(ends == pytest.approx(heads, abs=0.5) for ends in bars), (width, bars)
    assert len(set(browser.run(find % ('.zero', 'left')))) == 1
    low, high = map(number, texts(browser, '#ranking .scale:first-of-type span')[:2])
    assert 0 <= low < high <= 100
  browser.size(1280)


def test_rows_of_one_method_that_differ_in_the_last_setting_are_told_apart(browser, tmp_path):
  long = {f'net__setting_{i}': i for i in range(4)}
  records = [record('fixmatch', 40, s, **long, net__width=w) for w in (16, 32) for s in range(3)]
  records += [record('fixmatch', n, s) for n in (10, 40) for s in range(3)]
  build(records, out=tmp_path)
  browser.open(f'{(tmp_path / "index.html").as_uri()}#labels=40')
  said = browser.run("[...document.querySelectorAll('#ranking .differs')].map(one => one.innerText)")
  assert len(said) == len(set(said)) == 2, said


def test_what_is_folded_is_open_on_paper_and_closed_again(browser, tmp_path):
  long = {f'net__setting_{i}': i for i in range(9)}
  records = [record('fixmatch', 40, s, **long) for s in range(3)]
  records += [record('fixmatch', n, s) for n in (10, 40) for s in range(3)]
  build(records, out=tmp_path)
  browser.open(f'{(tmp_path / "index.html").as_uri()}#labels=40')
  opened = "document.querySelectorAll('.fold[open]').length"
  assert browser.run("document.querySelectorAll('#ranking .fold').length") == 1
  browser.run(f"addEventListener('beforeprint', () => {{ window.onPaper = {opened}; }})")
  browser.call('Page.printToPDF')
  browser.wait('window.onPaper !== undefined')
  assert browser.run('window.onPaper') >= 1 and browser.run(opened) == 0


def test_a_row_at_one_budget_is_in_the_comparison_of_label_curves(browser, tmp_path):
  records = [record('fixmatch', n, s) for n in (10, 40) for s in range(3)]
  records += [record('simclr', 40, s) for s in range(3)]
  build(records, out=tmp_path)
  browser.open(f'{(tmp_path / "index.html").as_uri()}#labels=40&view=compare&rows=fixmatch,simclr')
  assert [one.strip() for one in texts(browser, '.legend li')] == ['fixmatch', 'simclr']


def test_intervals_of_pairs_are_drawn_whole(browser, tmp_path):
  far = {'fixmatch': (0.5, 0.7, 0.9), 'simclr': (0.9, 0.7, 0.49)}  # a small difference with a wide interval
  build([record(m, 40, s, accuracy=far[m][s]) for m in far for s in range(3)], out=tmp_path)
  browser.open(f'{(tmp_path / "index.html").as_uri()}#view=compare&rows=fixmatch,simclr')
  numbers = "['x1', 'x2'].map(end => Number(one.getAttribute(end)))"
  ends = browser.run(f"[...document.querySelectorAll('.bar .reach')].map(one => {numbers})")
  assert ends and all(4 < low < high < 114 for low, high in ends), ends  # 4 and 114 are where it is cut off


def test_calibration_stands_in_the_table_where_it_is_ranked_and_no_clock_of_two_devices(browser, home):
  browser.open(f'{home}#data=digits&labels=40')
  assert 'NLL' not in text(browser, '#ranking thead')
  browser.open(f'{home}#data=cifar10&labels=250')
  assert 'NLL' in text(browser, '#ranking thead')
  browser.open(f'{home}#data=cifar10&labels=40&columns=method,seconds_per_epoch')
  told = dict(zip(methods(browser), shown(browser, 's per epoch')))
  assert told['fixmatch'] == '–' and told['simclr'].startswith('7.77')


def test_selected_rows_are_compared_as_the_project_compares_them(browser, home, board):
  browser.open(f'{home}#data=digits&labels=40')
  plain = {row.method: row for row in of_digits(board, 40).rows if not row.variant}
  for name in ('fixmatch', 'simclr', 'supervised'):
    click(browser, f'#ranking input[aria-label="compare {name}"]')
  assert said(browser) == '3 rows selected.'
  press(browser, 'compare 3 selected rows', '#ranking')
  browser.wait("document.querySelector('h1').textContent.includes('supervised')")
  cells = texts(browser, 'main .block:first-of-type tbody :is(td, th)')
  lines = [cells[i : i + 5] for i in range(0, len(cells), 5)]
  assert len(lines) == 3
  for first, second, difference, verdict, splits in lines:
    expected = compare(plain[first], plain[second])
    value, half = (float(one.replace('−', '-')) for one in difference.split(' ± '))
    assert value == pytest.approx(100 * expected.mean.value, abs=0.006)
    assert half == pytest.approx(100 * expected.mean.half, abs=0.006)
    assert verdict.removeprefix('first is ') == expected.verdict and int(splits) == expected.mean.n
  page = text(browser)
  for told in (
    'Accuracy against labels',
    'Reliability, fixmatch',
    'Settings that differ',
    'method.threshold',
  ):
    assert told in page
  assert browser.run("document.querySelectorAll('.picture svg[role=img]').length") == 4
  assert 'optimizer.momentum' not in page  # the same in all


def test_pairs_of_one_split_are_averaged_first(browser, tmp_path):
  """With several seeds a split, and pairs that only one row has, against the leaderboard's own numbers."""
  records = []
  for method, level, slope in (('fixmatch', 0.8, 0.011), ('supervised', 0.7, -0.004)):
    for split in range(4):
      for seed in range(3 if method == 'fixmatch' else 1 + split % 3):
        accuracy = level + 0.03 * split + slope * seed * (1 + split)
        one = record(method, 40, seed, accuracy=accuracy, split_seed=split)
        one['config']['split_seed'], one['split']['hash'] = split, f'40/{split}'
        records.append(one)
  build(records, out=tmp_path)
  (budget,) = aggregate(records).sections[0].budgets
  rows = {row.method: row for row in budget.rows}
  browser.open(f'{(tmp_path / "index.html").as_uri()}#view=compare&rows=fixmatch,supervised')
  expected = compare(rows['fixmatch'], rows['supervised'])
  assert expected.mean.seeds == (7, 1, 3) and expected.mean.n == 4 and expected.mean.half > 0.005
  assert text(browser, 'tbody .num') == f'+{100 * expected.mean.value:.2f} ± {100 * expected.mean.half:.2f}'


def test_a_trial_has_a_drawer_with_its_command(browser, home, board):
  may = ['clipboardReadWrite', 'clipboardSanitizedWrite']
  browser.call('Browser.grantPermissions', session=None, permissions=may)
  browser.open(f'{home}#data=digits&labels=40&filter=simclr')
  (row,) = (one for one in of_digits(board, 40).rows if one.method == 'simclr')
  click(browser, '#ranking td a')
  browser.wait("document.querySelector('dialog[open]')")
  trial, other = row.trials[:2]
  command = f'ssl-bench train leaderboard/records/digits/{trial.id}.json'
  assert text(browser, '#command') == command
  click(browser, '[aria-label="copy the command"]')
  browser.wait("document.getElementById('said').textContent === 'Copied the command.'")
  assert browser.run('navigator.clipboard.readText()') == command
  page, accuracy = text(browser, 'dialog'), f'{100 * trial.measured["accuracy"]:.1f}'
  for told in (
    'Training loss',
    'Accuracy while training',
    'method.temperature',
    'abcdef0123',
    '0.10.2',
    accuracy,
  ):
    assert told in page
  assert browser.run("document.getElementById('said').closest('dialog').id") == 'trial'
  fill(browser, 'sibling', other.id, 'change')
  browser.wait(f"document.getElementById('command').textContent.includes('{other.id}')")
  browser.key('Escape', 27)
  browser.wait("!document.querySelector('dialog')")
  assert 'trial' not in browser.run('location.hash')


def test_any_table_is_exported_as_it_is_shown(browser, home, board, tmp_path):
  browser.call('Browser.setDownloadBehavior', session=None, behavior='allow', downloadPath=str(tmp_path))
  view = 'sort=-accuracy&filter=simclr,supervised&columns=method,said,accuracy,difference'
  browser.open(f'{home}#data=digits&labels=40&{view}')
  rows = [row for row in of_digits(board, 40).rows if row.method in ('simclr', 'supervised')]
  assert len(rows) == len(methods(browser)) == 3
  files = {}
  for name, suffix in (('CSV', 'csv'), ('JSON', 'json'), ('LaTeX', 'tex'), ('Markdown', 'md')):
    press(browser, f'{name} file', '#ranking')
    path = tmp_path / f'digits-smoke-40.{suffix}'
    files[name] = until(lambda path=path: path.is_file() and path.read_text(encoding='utf-8'))
  for found in (list(csv.DictReader(io.StringIO(files['CSV']))), json.loads(files['JSON'])):
    assert [one['method'] for one in found] == [row.method for row in rows]
    for one, row in zip(found, rows):
      assert float(one['accuracy, %']) == pytest.approx(100 * row.accuracy.value, abs=1e-3)
      assert float(one['accuracy, % ±']) == pytest.approx(100 * row.accuracy.half, abs=1e-3)
      assert bool(one['to supervised, points']) == bool(row.difference)
  lines = [line for line in files['LaTeX'].splitlines() if line.endswith(r'\\')]
  assert len(lines) == 4 and r'$\pm$' in lines[1] and any('method.strong: true' in line for line in lines)
  assert {len(re.findall(r'(?<!\\)&', line)) for line in lines} == {3}
  lines = files['Markdown'].splitlines()
  assert len(lines) == 5 and {len(re.findall(r'(?<!\\)\|', line)) for line in lines} == {5}
  click(browser, 'figcaption button')
  path = tmp_path / 'digits-smoke-labels.svg'
  svg = until(lambda: path.is_file() and path.read_text(encoding='utf-8'))
  assert ElementTree.fromstring(svg).tag == '{http://www.w3.org/2000/svg}svg'
  assert 'var(' not in svg and 'supervised' in svg


def test_a_method_has_a_page(browser, home, board):
  browser.open(f'{home}#view=method&method=fixmatch')
  page = text(browser)
  for told in ('Sohn et al.', 'Deviations:', 'Rows of fixmatch', 'cifar10', '86.19 ± 3.37', 'FixMatch paper'):
    assert told in page
  every = [row for one in board.sections for row in one.rows if row.method == 'fixmatch']
  named = {(row.labels, str(row.variant), str(row.stress), row.sizes) for row in every}
  assert browser.run("document.querySelector('tbody').rows.length") == len(named)
  browser.open(f'{home}#view=method&method=mean_teacher')
  assert 'diverged' in text(browser)


def test_a_method_s_page_fits_a_phone_and_shows_the_accuracy_first(browser, tmp_path):
  records = [record('fixmatch', 40, s, net__width=w, **x) for s in range(3) for w in (32, 64) for x in (
    {}, {'stress__label_noise': 0.2}, {'augment__strong': 'crop(1) | cutout(8)'},
  )]  # fmt: skip
  records += [record(m, 40, s) for m in ('supervised', 'fixmatch') for s in range(3)]
  build(records, read_published(PUBLISHED), out=tmp_path)
  browser.size(390)
  browser.open(f'{(tmp_path / "index.html").as_uri()}#view=method&method=fixmatch')
  assert browser.run('document.documentElement.scrollWidth') == 390
  heads = texts(browser, '.block:first-of-type thead button')
  assert heads[:4] == ['dataset', 'labels', 'rank', 'accuracy, %'] and 'settings that differ' not in heads
  cells = '[...document.querySelectorAll(".block:first-of-type tbody tr")].map(row => row.children[3])'
  assert all(browser.run(f'{cells}.map(cell => cell.getBoundingClientRect().right < 385)'))
  said = texts(browser, '.block:first-of-type .differs')
  assert 'net.width: 64' in said and 'label_noise: 0.2' in said
  browser.size(1280)


def test_baselines_are_a_family_of_their_own(browser, tmp_path):
  baselines = ['supervised', 'random_weights', 'raw_pixels']
  methods_of = {'semi': ['fixmatch'], 'self': ['simclr'], 'baseline': baselines}
  records = [record(m, 40, s) for of in methods_of.values() for m in of for s in range(3)]
  for one in records:
    if one['config']['method']['name'] in ('random_weights', 'raw_pixels'):
      one['family'] = 'self-supervised'
  build(records, out=tmp_path)
  home = (tmp_path / 'index.html').as_uri()
  for family, wanted in methods_of.items():
    browser.open(home)
    click(browser, f'[data-key="family {family}"]')
    assert set(methods(browser)) == set(wanted)
    assert set(texts(browser, '#ranking .chip')) == {family}
    assert browser.run('location.hash').endswith(f'family={family}')
    browser.open(home)
    fill(browser, 'filter', family, 'input')
    assert set(methods(browser)) == set(wanted)


def test_the_color_of_a_difference_is_its_verdict_after_holm(browser, tmp_path):
  base = [0.70, 0.71, 0.72, 0.70]
  clear, close = [0.2, 0.21, 0.2, 0.2], [0.02, 0.005, 0.03, 0.02]  # the second is better on its own alone
  shifts = {'fixmatch': clear, 'simclr': close, 'vat': [0, 0.01, -0.02, 0], 'byol': [0.01, -0.01, 0, 0.02]}
  accuracy = {m: [a + b for a, b in zip(base, shift)] for m, shift in shifts.items()} | {'supervised': base}
  records = [record(m, 40, s, accuracy=a) for m, of in accuracy.items() for s, a in enumerate(of)]
  rows = {row.method: row for row in aggregate(records).sections[0].budgets[0].rows}
  assert (
    rows['simclr'].difference.verdict == 'better' and rows['simclr'].difference.corrected == 'not separable'
  )
  build(records, out=tmp_path)
  browser.open(f'{(tmp_path / "index.html").as_uri()}#columns=method,difference')
  look = """Object.fromEntries([...document.querySelectorAll('#ranking tr:has(.bar)')].map(row => {
    const circle = getComputedStyle(row.querySelector('.bar :is(circle, path)'));
    return [row.querySelector('th a').textContent, [row.querySelector('.bar').classList[1], circle.fill]];
  }))"""
  found, paper = browser.run(look), browser.run('getComputedStyle(document.body).backgroundColor')
  assert {m: kind for m, (kind, _) in found.items()} == {
    m: rows[m].difference.corrected.split()[0] for m in shifts
  }  # fmt: skip
  assert [found[m][1] == paper for m in ('fixmatch', 'simclr')] == [False, True]
  words = dict(zip(methods(browser), shown(browser, 'to supervised')))
  assert words['simclr'].endswith(' better') and words['vat'].endswith('not separable')


def test_a_row_over_fewer_splits_leads_with_a_mark_and_is_not_the_answer(browser, tmp_path):
  records = [record('fixmatch', 40, s, accuracy=0.9 + s / 100, net__width=64) for s in range(3)]
  level = {'fixmatch': 0.8, 'vat': 0.7}
  records += [record(m, 40, s, accuracy=x + s / 100) for m, x in level.items() for s in range(5)]
  build(records, out=tmp_path)
  browser.open((tmp_path / 'index.html').as_uri())
  assert shown(browser, 'rank') == ['1 †', '1', '2']
  assert text(browser, '#answer').startswith('fixmatch: 82.0 ± 2.0 % over 5 splits')
  assert '† has fewer splits than most rows' in text(browser, '#ranking')


def test_where_nothing_is_classified_the_page_asks_about_anomalies(browser, tmp_path):
  found = [record('ts2vec', 1, s, dataset='heart') for s in range(2)]
  for one in found:
    one['metrics'] = {'anomaly': {'knn_auroc': 0.75, 'count': 3}}
  build(found, out=tmp_path)
  browser.open((tmp_path / 'index.html').as_uri())
  assert text(browser, 'h1') == 'Which method tells the anomalies of heart from the rest?'
  assert 'AUROC says how well a score tells anomalies from test examples' in text(browser, '#answer')
  assert text(browser).count('Nothing is classified here') == 1 and 'Shaded rows' not in text(browser)


def test_all_parts_of_the_old_page_are_there(browser, home):
  browser.open(f'{home}#data=digits')
  open_all(browser, 'details.part')
  page = text(browser)
  for told in (
    'Augmentation sweep, 40 labels', 'Failed or diverged', 'The loss was nan at step 120.', 'Stale',
    'fixmatch is at version 1 now; this was run at 0', 'Trials of digits', 'How to read it',
    'What the columns say', 'Published, not run here', 'smoke protocol', 'collapsed 1 of 3',
    'Settings of digits',
  ):  # fmt: skip
    assert told in page, told


def test_on_paper_nothing_is_cut(browser, home):
  browser.size(1040)
  browser.media('print')
  many = 'rank,method,accuracy,difference,gflops,nll,ece,brier,linear,linear_budget,knn20,splits,tier,remarks'
  boxes = "[...document.querySelectorAll('.scroll')]"
  for view in (f'data=digits&labels=40&columns={many}', 'data=digits&labels=40&open=tables,trials'):
    browser.open(f'{home}#{view}')
    assert browser.run(f'{boxes}.filter(box => box.scrollWidth > box.clientWidth + 1).length') == 0
    assert browser.run(f'{boxes}.every(box => getComputedStyle(box).overflowX === "visible")')
  browser.media()
  browser.size(1280)


def test_text_of_records_is_never_markup(browser, tmp_path):
  records = [record('fixmatch', 40, s, augment__strong=EVIL, method__note=EVIL) for s in range(3)]
  records += [record('supervised', 40, s) for s in range(3)]
  records += [failed('vat', 40, 0, error=EVIL), record(EVIL, 40, 0)]
  records += [record('byol', 40, 0, stress__shift=EVIL)]
  build(records, out=tmp_path)
  home = (tmp_path / 'index.html').as_uri()
  views = (
    '',
    'view=method&method=fixmatch',
    f'trial={records[0]["id"]}',
    'view=compare&rows=fixmatch,supervised',
  )
  for view in views:
    browser.open(f'{home}#{view}')
    open_all(browser, 'details')
    assert browser.run("document.querySelectorAll('script').length") == 4
    assert browser.run("document.querySelectorAll('img, iframe, [onerror]').length") == 0
    if 'method' not in view:
      assert 'alert(1)' in text(browser, 'body')


@pytest.mark.parametrize(
  'records',
  [
    [failed('vat', 0.05, 0)],
    [{**record(), 'metrics': {}, 'cost': {}}],
    [record(f'method_{i}', n, 0) for i in range(14) for n in (10, 40)],
    [record('fixmatch', 40, s, stress__label_noise=0.1) for s in range(3)],
  ],
  ids=['a failure', 'no numbers', 'many methods', 'stress alone'],
)
def test_a_board_of_little_opens(browser, tmp_path, records):
  build(records, out=tmp_path)
  browser.open((tmp_path / 'index.html').as_uri())
  open_all(browser, 'details.part')
  assert 'Which method' in text(browser, 'h1')


def test_published_tables_without_a_record_are_shown(browser, tmp_path):
  table = read_tables(ROOT / 'leaderboard/reproduced')[:1]
  build([], out=tmp_path, reproduced=table)
  browser.open((tmp_path / 'index.html').as_uri())
  open_all(browser, 'details.part')
  assert table[0].title in text(browser) and table[0].rows[0].name in text(browser)


def test_the_matrix_of_transfer_is_a_part_of_the_page(browser, tmp_path):
  build([probed('simclr', name, s) for name in SETS for s in range(3)], out=tmp_path)
  browser.open(f'{(tmp_path / "index.html").as_uri()}#data=digits')
  open_all(browser, 'details.part')
  heads = texts(browser, '#part-transfer .block:first-of-type thead th')
  assert heads == ['method', 'trained on', 'reads as', 'on digits, %', 'on mnist, %']
  first = texts(
    browser, '#part-transfer .block:first-of-type tbody th, #part-transfer .block:first-of-type tbody td'
  )
  assert first[0] == 'simclr' and '±' in first[-1] and 'random weights' in first


VIEWS = (
  'data=digits&labels=40', 'data=digits&labels=40&view=compare&rows=fixmatch,simclr',
  'view=method&method=fixmatch', 'data=digits&open=trials,reading,tables',
)  # fmt: skip


AUDIT = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(one =>
  [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200), one.nodes[0].failureSummary]))"""


@pytest.mark.skipif(not AXE.is_file(), reason=NO_AXE)
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_the_page_passes_an_accessibility_audit(browser, home, board, scheme):
  trial = section_of(board, 'digits').budgets[0].rows[0].trials[0].id
  browser.media(scheme=scheme)
  for view in (*VIEWS, f'data=digits&trial={trial}', 'data=digits&labels=20'):
    browser.size(390 if view == 'data=digits&labels=20' else 1280)
    browser.open(f'{home}#{view}')
    browser.run(AXE.read_text(encoding='utf-8') + ';0')
    assert browser.run(AUDIT) == [], view
  browser.media()
  browser.size(1280)
