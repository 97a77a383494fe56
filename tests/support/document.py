"""A page as a reader's program sees it."""

from html.parser import HTMLParser

VOID = {'meta', 'img', 'br', 'link', 'hr', 'input', 'col'}


class Page(HTMLParser):
  """A page as a reader's program sees it; raises AssertionError for a tag that is not closed in its turn."""

  def __init__(self, html: str) -> None:
    super().__init__(convert_charrefs=True)
    self.open: list[str] = []
    self.ids: list[str] = []
    self.tags: list[tuple[str, dict]] = []
    self.tables: dict[str, list[list[str]]] = {}
    self.text = ''
    self.rows: list[list[str]] = []
    self.feed(html)
    self.close()
    assert not self.open, self.open

  def handle_starttag(self, tag, attributes):
    given = dict(attributes)
    assert len(given) == len(attributes), f'{tag} has an attribute twice'
    self.tags.append((tag, given))
    self.ids += [given['id']] if 'id' in given else []
    if tag not in VOID:
      self.open.append(tag)
    if tag == 'table':
      self.rows, self.caption = [], ''
    elif tag == 'tr':
      self.rows.append([])
    elif tag in ('th', 'td'):
      self.rows[-1].append('')

  def handle_startendtag(self, tag, attributes):
    self.tags.append((tag, dict(attributes)))

  def handle_endtag(self, tag):
    assert self.open and self.open[-1] == tag, f'{tag} ends in {self.open[-3:]}'
    self.open.pop()
    if tag == 'table':
      self.tables[self.caption] = self.rows

  def handle_data(self, data):
    self.text += data
    if self.open and self.open[-1] == 'caption':
      self.caption += data
    if 'tr' in self.open and ('td' in self.open or 'th' in self.open):
      self.rows[-1][-1] += data
