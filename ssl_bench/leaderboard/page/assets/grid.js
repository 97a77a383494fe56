// A table: columns give the text, the value and the picture of a cell; heads sort, the best first.

// A column: {name, title, hint, numeric, prose, better, text(row), value(row), half(row), cell(row), unseen}; one that is
// unseen is exported alone.

// Which way a column is sorted on its first click: numbers from the best on, words from A.
const startsDown = column => Boolean(column.numeric) && column.better !== 'lower';

function ordered(rows, column, down) {
  const value = row => (column.value ? column.value(row) : column.text(row));
  const empty = v => v === null || v === undefined || v === '' || v === DASH;
  const compare = (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), 'en', { numeric: true }));
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    return empty(x) - empty(y) || (empty(x) ? 0 : (down ? -1 : 1) * compare(x, y));
  });
}

function saySort(column, down) {
  const way = !column.numeric ? (down ? 'from Z to A' : 'from A to Z') : down ? 'highest first' : 'lowest first';
  return `Sorted by ${column.title}, ${way}.`;
}

// `spec`: {title, name, columns, rows, sorted: {name, down}, onSort(name, down), rowAttributes(row), headed: name}
function table(spec) {
  const state = { sorted: spec.sorted ?? null, shown: spec.most ?? 200 };
  const body = el('tbody'), more = el('p', { class: 'more' }), heads = new Map();
  const current = () => {
    const column = state.sorted && spec.columns.find(one => one.name === state.sorted.name);
    return column ? ordered(spec.rows, column, state.sorted.down) : spec.rows;
  };
  const press = column => {
    const again = state.sorted?.name === column.name;
    state.sorted = { name: column.name, down: again ? !state.sorted.down : startsDown(column) };
    announce(saySort(column, state.sorted.down));
    if (spec.onSort) spec.onSort(state.sorted);
    show();
  };
  const show = () => {
    const sorted = current(), headed = spec.headed ?? spec.columns.find(one => one.name === 'method')?.name;
    body.replaceChildren(...sorted.slice(0, state.shown).map(row => line(spec, row, headed)));
    more.replaceChildren();
    if (sorted.length > state.shown) {
      more.append(`${whole(state.shown)} of ${whole(sorted.length)} rows are shown. `,
        button('Show all', () => { state.shown = Infinity; show(); }));
    }
    for (const [name, head] of heads) {
      if (state.sorted?.name === name) head.setAttribute('aria-sort', state.sorted.down ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    }
  };
  const head = column => {
    const inside = column.control ? el('span', { class: 'unseen' }, column.title) : button(column.title, () => press(column), { title: column.hint || null });
    const cell = el(column.control ? 'td' : 'th', { scope: column.control ? null : 'col', class: column.control ? 'pick' : column.numeric ? 'n' : null }, inside, column.scale ?? null);
    if (!column.control) heads.set(column.name, cell);
    return cell;
  };
  const box = el('div', { class: 'scroll', role: 'region', tabindex: '0', 'aria-label': spec.title },
    el('table', {}, el('caption', { class: spec.captioned === false ? 'unseen' : null }, spec.title),
      el('thead', {}, el('tr', {}, seen(spec).map(head))), body));
  show();
  const asShown = () => ({ title: spec.title, columns: spec.columns, rows: current() });
  return { box, more, asShown, export: () => exportMenu(spec.name ?? spec.title, asShown) };
}

const seen = spec => spec.columns.filter(one => !one.unseen);

function line(spec, row, headed) {
  const cells = seen(spec).map(column => {
    const inside = column.cell ? column.cell(row) : column.text(row), kind = column.control ? 'pick' : column.numeric ? 'n' : column.prose ? 'p' : null;
    const attributes = { class: kind, title: column.note?.(row) || null };
    return column.name === headed ? el('th', { scope: 'row', ...attributes }, inside) : el('td', attributes, inside);
  });
  return el('tr', spec.rowAttributes?.(row) ?? {}, cells);
}

// A table with its menu under it.
function withExport(spec) {
  const made = table(spec);
  return el('div', { class: 'block' }, made.box, el('div', { class: 'tools' }, made.more, made.export()));
}

// A table that came as cells.
function gridSpec(grid, name) {
  const title = words[grid.title];
  const text = cell => words[Array.isArray(cell) ? cell[0] : cell];
  const columns = grid.heads.map(([head, hint, numeric, prose], i) => ({
    name: words[head], title: words[head], hint: words[hint], numeric: Boolean(numeric), prose: Boolean(prose),
    text: row => text(row[i]),
    value: row => (Array.isArray(row[i]) ? row[i][1] ?? null : text(row[i])),
    note: row => (Array.isArray(row[i]) && row[i].length > 2 ? words[row[i][2]] : ''),
    cell: row => cellOf(words[head], text(row[i]), Boolean(prose)),
  }));
  return { title, name: name ?? title, columns, rows: grid.rows };
}

function cellOf(head, text, prose) {
  if (head === 'method' && rows.some(row => row.method === text)) return link(text, { view: 'method', method: text });
  if (head === 'record' && tree.trials.id.includes(text)) return link(text, { trial: text });
  return prose ? folded(text, 90) : text;
}
