"""The built site: strict, complete, and readable from a folder without a network."""

import os
import re
import shutil
import subprocess
import sys
from urllib.parse import unquote

import pytest

from ssl_bench import methods
from ssl_bench.docs import ROOT

pytestmark = pytest.mark.slow
LOADED = re.compile(r'<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)="?([^" >]+)')


@pytest.fixture(scope='module')
def site(tmp_path_factory):
  """The site, built as `make docs` builds it."""
  pytest.importorskip('mkdocs', reason='building the site needs mkdocs (extra docs)')
  folder = tmp_path_factory.mktemp('site')
  path = os.pathsep.join([str(ROOT), os.environ.get('PYTHONPATH', '')])
  done = subprocess.run(
    [sys.executable, '-m', 'mkdocs', 'build', '--strict', '--site-dir', str(folder)],
    cwd=ROOT,
    env={**os.environ, 'PYTHONPATH': path, 'NO_MKDOCS_2_WARNING': '1', 'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  return folder


def test_every_method_has_a_page(site):
  assert {path.stem for path in (site / 'methods').glob('*.html')} == {'index', *methods.names()}


def test_nothing_is_loaded_from_elsewhere(site):
  pages = list(site.rglob('*.html'))
  assert len(pages) > 50
  for page in pages:
    text = page.read_text(encoding='utf-8')
    loaded = LOADED.findall(re.sub(r'<link[^>]*rel="?(?:canonical|next|prev)[^>]*>', '', text))
    assert loaded and not [one for one in loaded if re.match(r'(?:https?:)?//', one)], page
  for style in site.rglob('*.css'):
    assert not re.findall(r'url\(["\']?https?:|@import ["\']?https?:', style.read_text(encoding='utf-8')), (
      style
    )


def test_every_link_leads_to_a_file(site):
  for page in site.rglob('*.html'):
    if page.name == '404.html':
      continue
    for target in re.findall(r'<a [^>]*href="([^"#?]+)', page.read_text(encoding='utf-8')):
      if not re.match(r'[a-z]+:', target):
        place = (page.parent / unquote(target)).resolve()
        assert place.exists(), (page, target)


def test_the_search_works_without_a_server(site):
  browser = shutil.which('chromium')
  if not browser:
    pytest.skip('the search is tried in chromium')
  flags = ['--headless', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=20000', '--dump-dom']
  page = (site / 'methods/fixmatch.html').as_uri()
  shown = subprocess.run([browser, *flags, f'{page}?q=freezing'], capture_output=True, text=True, timeout=120)
  assert 'architecture.html' in shown.stdout.split('md-search-result__list')[1].split('</ol>')[0]
