// Elements: every text of a record becomes a text node, so none of it is ever markup.

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(4)) if (child !== null && child !== undefined && child !== '') node.append(child);
  return node;
}

const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const drawn = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const button = (text, action, attributes = {}) => el('button', { type: 'button', onclick: action, ...attributes }, text);

// A link within the page: a real address, so that it can be opened in a tab of its own.
const link = (text, change, attributes = {}) => el('a', { href: hrefOf(change), ...attributes }, text);

// A sentence in which what stands in backticks is code.
const spoken = text => text.split('`').map((piece, i) => (i % 2 ? el('code', {}, piece) : piece));

function announce(sentence) {
  const said = document.getElementById('said');
  said.textContent = said.textContent === sentence ? `${sentence} ` : sentence;
}

// Text that is long is folded behind its beginning.
function folded(text, most = 64) {
  if (text.length <= most) return text;
  const cut = text.lastIndexOf(' ', most - 8);
  const head = text.slice(0, cut > most / 2 ? cut : most - 8);
  return el('details', { class: 'fold' }, el('summary', {}, `${head} …`), el('span', {}, text));
}
