"""Rankings as CSV, JSON, LaTeX and Markdown, a data frame, figures as files, the terminal at two widths."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
import zlib

import numpy as np
import pytest
from scipy import stats
from support.cli import ROOT, command
from support.records import TODAY, quickstart, record

from ssl_bench.leaderboard import aggregate, frame, terminal
from ssl_bench.leaderboard.export import export, write_figures
from ssl_bench.leaderboard.render.cells import points, rounded, words
from ssl_bench.leaderboard.render.figures import pareto
from ssl_bench.leaderboard.render.latex import escape, latex
from ssl_bench.leaderboard.render.tables import Head, Table
from ssl_bench.settings.signature import BadSetting

HOSTILE = '100% & $5_#{x}\\y ~ ^ <a|b> "q" [1] * ± ≈ → − × –'


@pytest.fixture(scope='module')
def board():
  return aggregate(quickstart(), today=TODAY)


@pytest.fixture(scope='module')
def wide():
  """Enough tasks for the statistics over them."""
  return aggregate([
    record(m, n, s, dataset=d)
    for m in ('supervised', 'fixmatch', 'simclr')
    for d in ('digits', 'segment')
    for n in (20, 40, 100)
    for s in range(3)
  ])  # fmt: skip


def mean_and_half(method, labels):
  """From the records themselves: three splits of one seed each."""
  usual = [record(method, labels, s) for s in range(3)]
  values = [r['metrics']['accuracy'] for r in usual]
  return np.mean(values), stats.t.ppf(0.975, 2) * stats.sem(values)


def test_csv_and_json_have_the_unrounded_numbers_of_every_ranked_row(board):
  lines = list(csv.DictReader(io.StringIO(export(board, 'csv'))))
  rows = json.loads(export(board, 'json'))['rows']
  ranked = [row for b in board.sections[0].budgets for row in b.rows if row.rank]
  assert len(lines) == len(rows) == len(ranked)
  for line, row in zip(lines, rows):
    assert list(line) == list(row)
    assert float(line['accuracy']) == row['accuracy']
  usual = next(r for r in rows if (r['method'], r['labels'], r['variant']) == ('fixmatch', 40, ''))
  assert (usual['accuracy'], usual['accuracy_half']) == pytest.approx(mean_and_half('fixmatch', 40), rel=1e-9)
  assert (usual['splits'], usual['seeds'], usual['dataset']) == (3, 3, 'digits')


def test_json_has_the_statistics_over_tasks(wide):
  figures = json.loads(export(wide, 'json'))['figures']
  assert [f['kind'] for f in figures] == ['critical-difference', 'interquartile-mean', 'performance-profile']
  for figure in figures:
    assert figure['table']['splits'] == {'fewest': 3, 'most': 3} and figure['table']['seeds'] == 54
    assert '3 methods on 6 tasks' in figure['caption'] and figure['title'] and figure['name']
  ranks = dict(zip(figures[0]['data']['methods'], figures[0]['data']['ranks']))
  assert sum(ranks.values()) == pytest.approx(6)
  assert export(wide, 'json') == export(wide, 'json')


def test_a_frame_has_a_line_a_ranked_row(board):
  pandas = pytest.importorskip('pandas')
  found = frame(quickstart())
  assert isinstance(found, pandas.DataFrame)
  row = found[(found.method == 'simclr') & (found.labels == 20) & (found.variant == '')].iloc[0]
  values = [record('simclr', 20, s)['metrics']['linear_budget']['accuracy'] for s in range(3)]
  assert row.accuracy == pytest.approx(np.mean(values))
  assert found[found.method == 'supervised'].to_supervised.isna().any()


def test_without_pandas_a_frame_is_one_sentence(monkeypatch):
  monkeypatch.setitem(sys.modules, 'pandas', None)
  with pytest.raises(BadSetting, match=r"pip install 'ssl_bench\[frame\]'"):
    frame([])


def unescaped(text):
  """LaTeX back to text, by the meaning of each command; what is left over is markup."""
  signs = {'textbackslash': '\\', 'textasciitilde': '~', 'textasciicircum': '^', 'textless': '<',
           'textgreater': '>', 'textbar': '|', 'textquotedbl': '"'}  # fmt: skip
  maths = {'pm': '±', 'approx': '≈', 'to': '→', 'times': '×'}
  text = re.sub(r'\$\\(\w+)\$', lambda m: maths[m[1]], text).replace('$-$', '−').replace('--', '–')
  text = re.sub(r'(?<!\\)\{([\[\]*])\}', r'\1', text)
  return re.sub(r'\\(?:([a-z]+)\{\}|([{}&%$#_]))', lambda m: signs[m[1]] if m[1] else m[2], text)


def test_latex_says_what_the_text_says():
  assert unescaped(escape(HOSTILE)) == HOSTILE
  assert not re.search(r'(?<!\\)[&%#_]', escape(HOSTILE))


def test_latex_tables_are_whole(board):
  text = export(board, 'latex')
  tables = re.findall(r'\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}', text, re.DOTALL)
  assert len(tables) == 3 and text.count(r'\begin{table}') == text.count(r'\end{table}') == 3
  for form, body in tables:
    lines = [line for line in body.splitlines() if line.endswith(r'\\')]
    assert {len(re.findall(r'(?<!\\)&', line)) for line in lines} == {len(form) - 1}
    assert len(form) <= 7
    assert [body.count(rule) for rule in (r'\toprule', r'\midrule', r'\bottomrule')] == [1, 1, 1]
  assert r'\textbf{' in text


@pytest.mark.skipif(shutil.which('pdflatex') is None, reason='no pdflatex on PATH: LaTeX was parsed, not set')
def test_latex_compiles(board, tmp_path):
  hostile = latex(Table(HOSTILE, (Head('a'), Head('b', '', True)), ((words(HOSTILE), words('1')),)))
  top = '\\documentclass{article}\\usepackage{booktabs}\\usepackage[T1]{fontenc}\\begin{document}\n'
  (tmp_path / 'a.tex').write_text(
    top + export(board, 'latex') + hostile + '\\end{document}\n', encoding='utf-8'
  )
  command = ['pdflatex', '-interaction=nonstopmode', '-halt-on-error', 'a.tex']
  done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
  assert not done.returncode, done.stdout[-2000:]


def test_markdown_tables_have_at_most_seven_columns(board):
  heads = re.findall(r'^\| rank .*', export(board, 'markdown'), re.MULTILINE)
  assert len(heads) == 3 and all(head.count('|') <= 8 for head in heads)


@pytest.mark.parametrize('form', ['svg', 'pdf'])
def test_figures_are_written_and_byte_stable(wide, tmp_path, form):
  paths = write_figures(wide, tmp_path / 'a', form)
  names = {path.stem for path in paths}
  assert {'what-to-use', 'critical-difference-smoke', 'performance-profile-smoke', 'labels-digits-smoke',
          'cost-digits-smoke', 'reliability-digits-smoke'} <= names  # fmt: skip
  again = write_figures(wide, tmp_path / 'b', form)
  assert [p.read_bytes() for p in paths] == [p.read_bytes() for p in again]
  for path in paths:
    content = path.read_bytes()
    if form == 'pdf':
      assert content.startswith(b'%PDF') and b'CreationDate' not in content
      streams = [
        zlib.decompress(found)
        for found in re.findall(rb'stream\r?\n(x.*?)\r?\nendstream', content, re.DOTALL)
      ]
      drawn = b''.join(streams)
      assert len(drawn) > 1000 and not re.search(rb'0\.0039\d* 0\.0039|0\.0392\d* 0\.0431', drawn)
    else:
      drawn = xml.fromstring(content)
      assert drawn.tag.endswith('svg') and 'currentColor' not in content.decode()
      assert not re.search('#0[123]0[123]0[123]|#0a0b0', content.decode())  # no stand-in is left
  if form == 'svg':
    text = (tmp_path / 'a/critical-difference-smoke.svg').read_text()
    assert all(name in text for name in ('fixmatch', 'simclr', 'supervised', 'CD '))


def test_the_pareto_front_in_plain_loops():
  points = [(1.0, 5.0), (2.0, 4.0), (3.0, 7.0), (3.0, 6.0), (4.0, 7.0), (5.0, 9.0)]
  beaten = {p for p in points for q in points if q != p and q[0] <= p[0] and q[1] >= p[1]}
  assert pareto(points) == sorted(set(points) - beaten)


def test_the_command_prints_what_is_asked_and_writes_no_page(tmp_path):
  asked = ('leaderboard', '--records', ROOT / 'leaderboard/records/osu_leaf', '--out', tmp_path / 'out')
  said = command(*asked, '--format', 'csv')
  assert said.startswith('dataset,protocol,labels,method') and not (tmp_path / 'out').exists()
  assert '\nosu_leaf,budget,30,supervised,' in said
  command(*asked, '--figures', 'svg')
  assert [path.name for path in (tmp_path / 'out').iterdir()] == ['figures']
  assert (tmp_path / 'out/figures/what-to-use.svg').is_file()


@pytest.mark.parametrize('soft_wrap', [False, True])
@pytest.mark.parametrize('width', [60, 80])
def test_the_terminal_fits_with_numbers_whole(width, soft_wrap):
  from rich.console import Console

  long = {'net__name': 'a_network_with_a_very_long_name_indeed', 'optimizer__schedule': 'cosine(7/16)' * 4}
  records = [*quickstart(), *(record('fixmatch', 40, s, **long) for s in range(3))]
  shown = aggregate(records, today=TODAY)
  console = Console(width=width, record=True, soft_wrap=soft_wrap, file=open(os.devnull, 'w'))  # noqa: SIM115
  console.print(terminal(shown))
  text = console.export_text()
  assert max(map(len, text.splitlines())) <= width and '…' not in text
  for budget in shown.sections[0].budgets:
    for row in budget.rows:
      mean = row.measures['accuracy']
      assert f'{100 * mean.value:.1f} ± {100 * mean.half:.1f}' in text


@pytest.mark.parametrize(
  ('value', 'digits', 'said'),
  [
    (100 * 0.9475, 1, '94.8'),
    (55.25, 1, '55.3'),
    (-0.25, 1, '-0.3'),
    (1234.5, 0, '1235'),
    (-1e-17, 1, '0.0'),
  ],
)
def test_halves_are_rounded_away_from_zero_as_the_page_does(value, digits, said):
  assert str(rounded(value, digits)) == said


def test_a_difference_of_nothing_has_no_sign():
  assert [points(x) for x in (0.0002, -0.0002, 0.0, -1e-18, 0.00125)] == [
    '+0.0',
    '−0.0',
    '0.0',
    '0.0',
    '+0.1',
  ]
