"""What MkDocs calls: adds the generated pages to the site and to its table of contents."""

import re
from typing import Any

from ssl_bench.docs import ROOT, list_pages, measure_page, method_pages

CONTRIBUTING = ROOT / 'CONTRIBUTING.md'
SHIM = 'https://unpkg.com/iframe-worker/shim'


def on_config(config: Any) -> Any:
  """Puts the methods under their mechanisms in the navigation."""
  listed: list[Any] = ['methods/index.md']
  for mechanism, names in method_pages.by_mechanism().items():
    listed.append({mechanism.replace('_', ' ').capitalize(): [f'methods/{name}.md' for name in names]})
  for entry in config.nav:
    if 'Methods' in entry:
      entry['Methods'] = listed + [one for one in entry['Methods'] if one != 'methods/index.md']
  if CONTRIBUTING.is_file():
    config.nav.append('contributing.md')
  return config


def on_files(files: Any, config: Any) -> Any:
  """Adds the generated pages."""
  from mkdocs.structure.files import File

  for path, text in generated().items():
    files.append(File.generated(config, path, content=text))
  return files


def on_post_page(html: str, page: Any, config: Any) -> str:
  """Takes the search's helper from the site itself, where the theme would load it from elsewhere."""
  from mkdocs.utils import get_relative_url

  return html.replace(SHIM, get_relative_url('assets/worker.js', page.url))


def on_post_template(html: str, template_name: str, config: Any) -> str:
  """The same for pages that are no document, such as 404.html."""
  return html.replace(SHIM, 'assets/worker.js')


def generated() -> dict[str, str]:
  """Path under docs/ -> Markdown, of all generated pages."""
  single = {'reference/measures.md': measure_page.page()}
  if CONTRIBUTING.is_file():
    single['contributing.md'] = contributing(CONTRIBUTING.read_text(encoding='utf-8'))
  return method_pages.pages() | list_pages.pages() | single


def contributing(text: str) -> str:
  """The repository's CONTRIBUTING.md as a page: links into docs/ go on, those to other files become text."""

  def relink(match: re.Match) -> str:
    label, target = match.groups()
    if re.match('https?:|#', target):
      return match[0]
    return f'[{label}]({target.removeprefix("docs/")})' if target.startswith('docs/') else label

  return re.sub(r'\[([^\]]*)\]\(([^)\s]*)\)', relink, text)
