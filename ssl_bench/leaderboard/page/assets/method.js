// A method's page: its rows everywhere, what others published, what failed, how it deviates.

function methodPage(view) {
  const name = view.method, own = rows.filter(row => row.method === name);
  if (!own.length) return [el('h1', {}, 'No such method'), el('p', {}, `This board has no row of ${name}. `, link('All rows', { view: '', method: '' }))];
  const said = tree.methods[words.indexOf(name)] ?? {};
  return [
    el('p', {}, link('← all rows', { view: '', method: '' })), el('h1', {}, name, el('span', { class: 'chip' }, own[0].kind === 'baseline' ? 'baseline' : own[0].family)),
    said.idea ? el('p', { class: 'sub' }, words[said.idea]) : null, said.source ? el('p', { class: 'note' }, words[said.source]) : null,
    said.deviations ? el('p', {}, el('strong', {}, 'Deviations: '), spoken(words[said.deviations])) : null,
    methodTable(own, name), ofMethod(name, 'last', 'Efficiency by method'), ofMethod(name, 'last', 'Beside published values'), ofMethod(name, 'last', 'Failed or diverged'), ofMethod(name, 'last', 'Stale'),
  ];
}

function methodTable(own, name) {
  const has = text => own.some(text), protocols = unique(own.map(row => row.section.protocol));
  const dataset = row => link(row.section.dataset, { view: '', method: '', data: row.section.dataset, protocol: row.section.protocol, labels: String(row.labels) });
  const under = text => (text ? el('div', { class: 'differs' }, folded(text, DIFFERS)) : null);
  const columns = [
    { name: 'data', title: 'dataset', text: row => row.section.dataset, cell: row => [dataset(row), under(row.said), under(stressOf(row))] },
    { name: 'protocol', title: 'protocol', unseen: protocols.length < 2, text: row => row.section.protocol },
    { name: 'labels', title: 'labels', numeric: true, better: 'lower', text: row => whole(row.labels), value: row => row.labels },
    has(row => row.said) ? { ...columnOf('said'), unseen: true } : null,
    has(stressOf) ? { name: 'stress', title: 'stress', unseen: true, text: row => stressOf(row) || DASH } : null,
    ...['rank', 'accuracy', 'difference', 'gflops', 'seconds_per_epoch', 'nll', 'ece', 'linear', 'knn20'].map(columnOf).filter(one => one && (!one.there || one.there(own))),
    { ...columnOf('splits'), cell: row => (row.count ? link(splitsText(row), { trial: trialsOf(row)[0].id }, { 'aria-label': `${splitsText(row)}: trials` }) : splitsText(row)) },
    columnOf('remarks').there(own) ? { ...columnOf('remarks'), cell: row => folded(columnOf('remarks').text(row)) } : null,
  ].filter(Boolean);
  const title = protocols.length < 2 ? `Rows of ${name}, ${protocols[0]} protocol` : `Rows of ${name}`;
  return withExport({ title, name: `method-${name}`, headed: 'data', columns, rows: own });
}

const stressOf = row => Object.entries(pairs(row.stress)).map(([key, value]) => `${key}: ${value}`).join('; ');

// The lines of a method in the tables of all datasets that have a title.
function ofMethod(name, part, title) {
  const found = sections.flatMap(one => one[part].filter(grid => words[grid.title] === title).map(grid => ({ one, spec: gridSpec(grid) })));
  const lines = found.flatMap(({ one, spec }) => spec.rows.filter(row => spec.columns.find(column => column.name === 'method').text(row) === name).map(row => ({ one, row })));
  if (!lines.length) return null;
  const columns = found[0].spec.columns.map(column => ({ ...column, unseen: column.name === 'method', text: line => column.text(line.row), value: line => column.value(line.row), cell: line => column.cell(line.row), note: line => column.note(line.row) }));
  const dataset = { name: 'data', title: 'dataset', text: line => line.one.dataset };
  return withExport({ title, name: `${name}-${title}`, headed: 'data', columns: [dataset, ...columns], rows: lines });
}
