"""The report in a browser: nothing sticks out, nothing is asked for outside, and an accessibility audit."""

from pathlib import Path

import pytest
from support.browser import CHROMIUM, Browser, folder
from support.cli import ROOT

from ssl_bench.report.page import report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason='no chromium on PATH: no report was opened')
AXE = ROOT / 'build' / 'axe-core' / 'axe.min.js'  # `.ci/run` puts it there
AUDIT = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(one =>
  [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200), one.nodes[0].failureSummary]))"""
OUT = """[...document.querySelectorAll('body *')].filter(one => !one.closest('.scroll')
  && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80))"""
BOARD = ROOT / 'leaderboard/records/digits'


@pytest.fixture(scope='module')
def home(tmp_path_factory):
  """The report of two committed records on disk."""
  path = tmp_path_factory.mktemp('reports') / 'two.html'
  first, second = (next(p for p in sorted((BOARD / name).glob('*.json'))) for name in ('fixmatch', 'byol'))
  path.write_text(report(first, second), encoding='utf-8')
  return path.as_uri()


@pytest.fixture(scope='module')
def browser():
  with folder() as profile:
    one = Browser(Path(profile))
    yield one
    one.close()


@pytest.mark.parametrize('width', [1280, 390])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_the_report_is_sound_in_a_browser(browser, home, width, scheme):
  browser.size(width)
  browser.media(scheme=scheme)
  browser.call('Page.navigate', url=home)
  browser.wait("location.protocol === 'file:' && document.readyState === 'complete'")
  assert browser.run('document.documentElement.scrollWidth') <= width
  assert browser.run(OUT) == []
  assert not browser.console and set(browser.requests) <= {home, 'about:blank'}
  paper, ink = browser.run('[getComputedStyle(document.body).backgroundColor, '
    "getComputedStyle(document.querySelector('svg text')).fill]")  # fmt: skip
  light = lambda color: sum(map(int, color[4:-1].split(','))) > 382
  assert light(paper) == (scheme == 'light') and light(ink) == (scheme == 'dark')
  if AXE.is_file():
    browser.run(AXE.read_text(encoding='utf-8') + ';0')
    assert browser.run(AUDIT) == []


def test_nothing_is_cut_on_paper(browser, home):
  browser.size(720)
  browser.media('print')
  browser.call('Page.navigate', url=home)
  browser.wait("location.protocol === 'file:' && document.readyState === 'complete'")
  assert browser.run('document.documentElement.scrollWidth') <= 720
  assert (
    browser.run("[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > 721).length") == 0
  )
