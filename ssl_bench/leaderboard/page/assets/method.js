// A method's page: its rows everywhere, what others published, what failed, how it deviates.

function methodPage(view) {
  const name = view.method, own = rows.filter(row => row.method === name);
  if (!own.length) return [el('h1', {}, 'No such method'), el('p', {}, `This board has no row of ${name}. `, link('All rows', { view: '', method: '' }))];
  const said = tree.methods[words.indexOf(name)] ?? {};
  return [
    el('p', {}, link('← all rows', { view: '', method: '' })), el('h1', {}, name, el('span', { class: 'chip' }, own[0].family)),
    said.idea ? el('p', { class: 'sub' }, words[said.idea]) : null, said.source ? el('p', { class: 'note' }, words[said.source]) : null,
    said.deviations ? el('p', {}, el('strong', {}, 'Deviations: '), spoken(words[said.deviations])) : null,
    methodTable(own, name), ofMethod(name, 'last', 'Efficiency by method'), ofMethod(name, 'last', 'Beside published values'), ofMethod(name, 'last', 'Failed or diverged'), ofMethod(name, 'last', 'Stale'),
  ];
}

function methodTable(own, name) {
  const has = text => own.some(text);
  const columns = [
    { name: 'data', title: 'dataset', text: row => row.section.dataset, cell: row => link(row.section.dataset, { view: '', method: '', data: row.section.dataset, protocol: row.section.protocol, labels: String(row.labels) }) },
    { name: 'protocol', title: 'protocol', text: row => row.section.protocol },
    { name: 'labels', title: 'labels', numeric: true, better: 'lower', text: row => whole(row.labels), value: row => row.labels },
    has(row => row.said) ? { ...columnOf('said'), cell: row => folded(columnOf('said').text(row), DIFFERS) } : null,
    has(row => row.table === STRESS && Object.keys(pairs(row.stress)).length) ? { name: 'stress', title: 'stress', prose: true, text: row => Object.entries(pairs(row.stress)).map(([key, value]) => `${key}: ${value}`).join('; ') || DASH } : null,
    ...['rank', 'accuracy', 'difference', 'gflops', 'seconds_per_epoch', 'nll', 'ece', 'linear', 'knn20'].map(columnOf).filter(one => one && (!one.there || one.there(own))),
    { ...columnOf('splits'), cell: row => (row.count ? link(splitsText(row), { trial: trialsOf(row)[0].id }, { 'aria-label': `${splitsText(row)}: trials` }) : splitsText(row)) },
    columnOf('remarks').there(own) ? { ...columnOf('remarks'), cell: row => folded(columnOf('remarks').text(row)) } : null,
  ].filter(Boolean);
  return withExport({ title: `Rows of ${name}`, name: `method-${name}`, headed: 'data', columns, rows: own });
}

// The lines of a method in the tables of all datasets that have a title.
function ofMethod(name, part, title) {
  const found = sections.flatMap(one => one[part].filter(grid => words[grid.title] === title).map(grid => ({ one, spec: gridSpec(grid) })));
  const lines = found.flatMap(({ one, spec }) => spec.rows.filter(row => spec.columns.find(column => column.name === 'method').text(row) === name).map(row => ({ one, row })));
  if (!lines.length) return null;
  const columns = found[0].spec.columns.map(column => ({ ...column, text: line => column.text(line.row), value: line => column.value(line.row), cell: line => column.cell(line.row), note: line => column.note(line.row) }));
  const dataset = { name: 'data', title: 'dataset', text: line => line.one.dataset };
  return withExport({ title, name: `${name}-${title}`, headed: 'data', columns: [dataset, ...columns], rows: lines });
}
