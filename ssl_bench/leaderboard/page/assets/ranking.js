// The ranking: a table whose accuracies and differences are drawn, that is filtered, sorted and selected from.

// Terms: a comma is or, a space is and.
function matches(row, filter) {
  const text = [row.method, row.kind, row.said, row.remarks, row.devices, tierOf(row)].join(' ').toLowerCase();
  const parts = filter.toLowerCase().split(',').map(part => part.split(/\s+/).filter(Boolean)).filter(part => part.length);
  return !parts.length || parts.some(part => part.every(word => text.includes(word)));
}

const BAR = 118;
const DIFFERS = 110; // characters: rows of one method often differ in the last setting alone

// An interval on the scale that the whole column shares; `zero` draws where nothing differs.
function bar(found, [low, high], zero = null) {
  if (!found) return null;
  const out = found.value < low ? 'left' : found.value > high ? 'right' : '';
  const at = value => 4 + ((BAR - 8) * (Math.min(Math.max(value, low), high) - low)) / (high - low || 1);
  const verdict = found.corrected ?? ''; // its color and, for who sees none, a circle that is filled or not
  return drawn('svg', { class: `bar ${verdict}`, width: BAR, height: 16, viewBox: `0 0 ${BAR} 16`, 'aria-hidden': 'true' },
    zero === null ? null : drawn('line', { x1: at(zero), x2: at(zero), y1: 0, y2: 16, class: 'zero' }),
    found.half === null ? null : drawn('line', { x1: at(found.value - found.half), x2: at(found.value + found.half), y1: 8, y2: 8, class: 'reach' }),
    out ? drawn('path', { d: out === 'left' ? 'M1,8l8,-5v10z' : `M${BAR - 1},8l-8,-5v10z` }) : drawn('circle', { cx: at(found.value), cy: 8, r: 4 }));
}

function reachOf(list, read, zero = null, [least, most] = [-Infinity, Infinity]) {
  const found = list.map(read).filter(Boolean);
  if (!found.length) return [0, 1];
  const [low, high] = bulk(found.map(one => one.value)), room = 0.08 * (high - low || 1);
  return [Math.max(least, Math.min(low - room, zero ?? Infinity)), Math.min(most, Math.max(high + room, zero ?? -Infinity))];
}

// The columns as the table draws them.
function drawnColumns(view, names, list) {
  const accuracies = reachOf(list, row => row.accuracy, null, [0, 100]);
  const scaleOf = ([low, high], digits) => el('span', { class: 'scale', 'aria-hidden': 'true' }, el('span', {}, fixed(low, digits)), el('span', {}, fixed(high, digits)));
  const made = names.map(name => {
    const column = columnOf(name);
    if (name === 'method') return { ...column, cell: row => methodCell(view, row, names) };
    if (name === 'accuracy') return { ...column, scale: scaleOf(accuracies, 0), cell: row => el('span', { class: 'drawn' }, bar(row.accuracy, accuracies), el('span', { class: 'num' }, column.text(row))) };
    if (column.text && name in { difference: 1, to_usual: 1, to_random_weights: 1, to_raw_pixels: 1 }) {
      const reach = reachOf(list, row => row[name], 0);
      return { ...column, scale: scaleOf(reach, 0), cell: row => (row[name] ? el('span', { class: 'drawn' }, bar(row[name], reach, 0), el('span', { class: 'num wide' }, column.text(row))) : DASH) };
    }
    if (name === 'splits') return { ...column, cell: row => (row.count ? link(column.text(row), { trial: trialsOf(row)[0].id }, { title: 'its trials', 'aria-label': `${column.text(row)}: trials of ${row.method}` }) : column.text(row)) };
    return column.prose ? { ...column, cell: row => folded(column.text(row), name === 'said' ? DIFFERS : undefined) } : column;
  });
  const pick = { name: 'pick', title: 'compare', control: true, text: () => '', cell: row => el('input', { type: 'checkbox', 'aria-label': `compare ${row.method} ${row.said}`.trim(), 'data-key': `compare ${row.key}`, checked: listed(view.rows).includes(row.key), onchange: event => select(row, event.target.checked) }) };
  return [pick, ...made];
}

function methodCell(view, row, names) {
  const family = names.includes('family') ? null : el('span', { class: 'chip' }, row.kind);
  const differs = row.said && !names.includes('said') ? el('div', { class: 'differs' }, folded(row.said, DIFFERS)) : null;
  return [link(row.method, { view: 'method', method: row.method }), family, differs];
}

function select(row, on) {
  const before = listed(read().rows), after = before.filter(key => key !== row.key);
  if (on) after.push(row.key);
  amend({ rows: after.join() });
  announce(`${plural(after.length, 'row')} selected.`);
  refresh();
}

function sortOf(view, names) {
  const name = view.sort.replace(/^-/, '');
  if (columnOf(name) && names.includes(name)) return { name, down: view.sort.startsWith('-') };
  return names.includes('rank') ? { name: 'rank', down: false } : null; // else as the board has them
}

function rankingTable(view) {
  const all = chosen(view), list = all.filter(row => matches(row, view.filter));
  const names = shownColumns(view, all);
  if (!ranked.some(row => row.section === view.section && row.labels === view.labels)) return el('p', { id: 'ranking' }, 'No row is ranked here; what was run stands below.');
  const made = table({
    title: `${view.data}, ${plural(view.labels, 'label')}, ${view.protocol} protocol`, name: `${view.data}-${view.protocol}-${view.labels}`,
    columns: drawnColumns(view, names, list), rows: list, sorted: sortOf(view, names),
    onSort: sorted => amend({ sort: `${sorted.down ? '-' : ''}${sorted.name}` }),
    rowAttributes: row => ({ class: [row.tied ? 'tied' : '', row.method === BASELINE && !row.said ? 'baseline' : ''].join(' ').trim() || null }),
  });
  const selected = listed(view.rows).filter(key => all.some(row => row.key === key));
  const compare = link(`compare ${selected.length ? plural(selected.length, 'selected row') : 'rows'}`, { view: 'compare', rows: selected.join() }, { class: 'action', 'aria-disabled': selected.length < 2 ? 'true' : null, title: selected.length < 2 ? 'select two rows or more' : null });
  const count = el('span', { id: 'count' }, list.length === all.length ? plural(all.length, 'row') : `${list.length} of ${plural(all.length, 'row')}`);
  const clear = selected.length ? button('clear selection', () => { amend({ rows: '' }); refresh(); }) : null;
  return el('section', { id: 'ranking', 'aria-label': 'ranking' },
    el('div', { class: 'tools' }, filterField(view), count, el('span', { class: 'gap' }), compare, clear, columnChooser(view, all, names), made.export(), copyLink()),
    made.box, made.more, el('p', { class: 'note' }, legendOf(list)));
}

// What the marks of the table mean.
function legendOf(list) {
  const trials = 'The number under “splits” opens the trials of a row.';
  if (!list.some(row => row.accuracy)) return trials;
  const few = list.some(row => row.few) ? '† has fewer splits than most rows, and no other rank counts it. ' : '';
  return `Shaded rows cannot be told from the best. ${few}Bars and ± are 95 % intervals over splits. A difference is green or red, and its circle filled, where it stays after Holm’s correction for all rows; its word is the verdict of that comparison alone. ${trials}`;
}

function filterField(view) {
  const field = el('input', { type: 'search', id: 'filter', 'data-key': 'filter', value: view.filter, placeholder: 'fixmatch, mean_teacher', autocomplete: 'off', 'aria-describedby': 'filter-help' });
  field.addEventListener('input', () => {
    amend({ filter: field.value });
    refresh();
    announce(`${document.getElementById('count').textContent} shown.`);
  });
  return el('span', {}, el('label', { for: 'filter' }, 'rows with '), field, el('span', { id: 'filter-help', class: 'unseen' }, 'A comma is or, a space is and.'));
}

const copyLink = () => button('link to this view', () => copy(location.href, 'the address of this view'));
