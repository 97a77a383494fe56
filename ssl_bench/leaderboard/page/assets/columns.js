// The columns of the ranking: those shown at first, and all others by their group.

const tierOf = row => (row.submitted === 0 ? 'ours' : row.submitted === row.count ? 'submitted' : `${row.submitted} of ${row.count} submitted`);

function splitsText(row) {
  if (!row.accuracy) return row.count ? plural(row.count, 'trial') : '0';
  const [total, fewest, most] = row.seeds;
  const said = [total === row.splits ? String(row.splits) : `${row.splits} × ${fewest === most ? most : `${fewest} to ${most}`}`];
  if (row.failed) said.push(`${total} of ${total + row.failed}`);
  return said.join(', ');
}

const differenceColumn = (name, title, hint) => ({
  name, title, hint, numeric: true, better: 'higher', group: 'accuracy',
  text: row => (row[name] ? `${signed(row[name].value, pointDigits(row))}${row[name].half === null ? '' : ` ± ${fixed(row[name].half, pointDigits(row))}`} ${row[name].verdict}` : DASH),
  value: row => row[name]?.value ?? null, half: row => row[name]?.half ?? null,
  there: list => list.some(row => row[name]),
});

// What a clock wrote is told of one kind of device; a star marks where other work ran on it meanwhile.
function measureColumn(measure) {
  const found = row => (measure.clock && row.devices.includes(', ') ? null : mean(row, measure.name));
  const scaled = row => {
    const after = measure.after && found(row) && mean(row, measure.after);
    return after ? ` → ${fixed(after.value, digitsOf(measure, row))}` : '';
  };
  const star = row => (measure.clock && row.shared && found(row) ? ' *' : '');
  return {
    name: measure.name, title: measure.title, hint: measure.hint, numeric: true, better: measure.better, group: measure.group,
    text: row => measure.text(found(row), row) + scaled(row) + star(row),
    value: row => found(row)?.value ?? null, half: row => found(row)?.half ?? null,
    there: list => list.some(row => mean(row, measure.name)),
  };
}

// What the board computed of several records: texts as they are shown, and what they sort by.
function derivedColumn(one) {
  const cell = row => one.cells[row.place], text = row => words[[cell(row)].flat()[0]];
  return {
    name: words[one.name], title: words[one.title], hint: words[one.hint], group: words[one.group], numeric: true, better: one.better, text,
    value: row => (Array.isArray(cell(row)) ? cell(row)[1] : null), note: row => (Array.isArray(cell(row)) && cell(row).length > 2 ? words[cell(row)[2]] : ''),
    there: list => list.some(row => text(row) !== DASH),
  };
}

const textColumn = (name, title, hint, text, more) => ({ name, title, hint, group: 'row', text: row => text(row) || DASH, there: list => list.some(text), ...more });

const ALL_COLUMNS = [
  { name: 'rank', title: 'rank', group: 'row', numeric: true, better: 'lower', hint: 'by mean accuracy; ≈: not separable from the best; †: over fewer splits than most rows, and no other rank counts it',
    text: row => (row.rank === null ? DASH : `${row.rank}${row.tied && row.rank > 1 ? ' ≈' : ''}${row.few ? ' †' : ''}`), value: row => row.rank, there: list => list.some(row => row.rank !== null) },
  textColumn('method', 'method', '', row => row.method),
  textColumn('said', 'settings that differ', "what differs from the method's usual settings", row => row.said, { prose: true }),
  textColumn('family', 'family', "semi: judged by its own classifier; self: by a linear probe on frozen features with the row's labels; baseline: what others are set beside", row => row.kind),
  ...[...measures.values()].filter(one => one.name === 'accuracy').map(measureColumn),
  differenceColumn('difference', 'to supervised, points', 'paired difference on the same splits and seeds; the word is the verdict of this comparison, the color that after Holm’s correction for all rows'),
  differenceColumn('to_random_weights', 'to random weights, points', 'paired difference of a self-supervised method to a probe of the same network, fresh'),
  differenceColumn('to_raw_pixels', 'to raw pixels, points', 'paired difference of a self-supervised method to a probe of the pixels'),
  differenceColumn('to_usual', 'to usual, points', "paired difference to the method's usual settings"),
  { name: 'gflops', title: 'training GFLOPs', group: 'cost', numeric: true, better: 'lower', hint: "over the whole run, its teacher's included",
    text: row => (row.gflops === null ? DASH : fixed(row.gflops, row.gflops < 10 ? 1 : 0)), value: row => row.gflops, there: list => list.some(row => row.gflops !== null) },
  ...[...measures.values()].filter(one => one.name !== 'accuracy').map(measureColumn),
  ...tree.derived.map(derivedColumn),
  { name: 'splits', title: 'splits', group: 'row', numeric: true, better: 'higher', hint: 'splits in the mean; 3 × 2 are three of two seeds each, averaged within a split first; 4 of 5 where one of five trials failed',
    text: splitsText, value: row => row.splits },
  textColumn('tier', 'tier', 'ours: run by this project; submitted: a record that a contributor sent', tierOf),
  textColumn('devices', 'device', 'kind of device that it ran on', row => row.devices),
  textColumn('sizes', 'train / val. / test', 'examples in each part; the unlabeled ones are the training part', row => [row.train, row.validation, row.test].map(n => (n === null ? DASH : whole(n))).join(' / ')),
  textColumn('remarks', 'remarks', '', row => row.remarks, { prose: true }),
];

const columnOf = name => ALL_COLUMNS.find(one => one.name === name);
const offered = list => ALL_COLUMNS.filter(one => !one.there || one.there(list));

// The columns that a table has before anybody chooses.
function usualColumns(view, list) {
  const judged = list.some(row => row.accuracy);
  const wanted = ['rank', 'method', 'accuracy', 'difference', 'gflops'];
  if (view.section.calibration_ranked) wanted.push('nll', 'ece');
  if (view.section.cost_ranked) wanted.push('seconds_per_epoch');
  const others = [...measures.values()].filter(one => one.main && (!judged || one.group === 'anomaly') && one.group !== 'cost');
  const there = offered(list);
  return [...wanted, ...others.map(one => one.name), 'splits', 'tier', 'remarks'].filter((name, i, all) => all.indexOf(name) === i && there.some(one => one.name === name));
}

function shownColumns(view, list) {
  const asked = listed(view.columns).filter(columnOf);
  return asked.length ? asked : usualColumns(view, list);
}

// Groups of columns, each with its checkboxes; groups that measures name appear by themselves.
function columnChooser(view, list, shown) {
  const groups = new Map();
  for (const column of offered(list)) groups.set(column.group, [...(groups.get(column.group) ?? []), column]);
  const change = () => {
    const picked = [...menu.querySelectorAll('input:checked')].map(input => input.value);
    const kept = [...shown.filter(name => picked.includes(name)), ...picked.filter(name => !shown.includes(name))];
    const usual = usualColumns(view, list).join();
    amend({ columns: kept.join() === usual || !kept.length ? '' : kept.join() });
    announce(`${plural(kept.length, 'column')} shown.`);
    refresh({ open: 'columns' });
  };
  const boxes = ([group, columns]) => el('fieldset', {}, el('legend', {}, group.replaceAll('_', ' ')), columns.map(column => el('label', { title: column.hint || null },
    el('input', { type: 'checkbox', value: column.name, 'data-key': `column ${column.name}`, checked: shown.includes(column.name), onchange: change }), ` ${column.title}`)));
  const menu = el('details', { class: 'menu wide', id: 'columns' }, el('summary', {}, 'columns'),
    el('div', { class: 'groups' }, el('div', { class: 'flow' }, [...groups].map(boxes)), button('as at first', () => { amend({ columns: '' }); refresh({ open: 'columns' }); })));
  return menu;
}
