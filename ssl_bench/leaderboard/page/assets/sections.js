// What stands under the ranking, each part made when it is opened.

function part(id, title, make, view) {
  const isOpen = listed(view.open).includes(id);
  const box = el('details', { class: 'part', id: `part-${id}`, open: isOpen }, el('summary', {}, el('h2', {}, title)));
  let made = false;
  const fillIn = () => {
    if (made || !box.open) return;
    made = true;
    box.append(el('div', {}, make()));
    if (box.isConnected) drawFigures();
  };
  box.addEventListener('toggle', () => {
    fillIn();
    const others = listed(read().open).filter(name => name !== id);
    amend({ open: (box.open ? [...others, id] : others).join() });
  });
  fillIn();
  return box;
}

const counted = (title, count) => `${title} (${whole(count)})`;

function parts(view) {
  const { section } = view, found = [];
  const add = (id, title, make) => found.push(part(id, title, make, view));
  if (tree.figures.length) add('statistics', 'Across datasets', () => el('div', { class: 'pictures' }, tree.figures.map(namedFigure)));
  if (section.tables.length) add('tables', counted(`Sweeps, stress and patterns of ${view.data}`, section.tables.length), () => section.tables.map(grid => withExport(gridSpec(grid, `${view.data}-${words[grid.title]}`))));
  for (const grid of section.last) add(words[grid.title].toLowerCase().replaceAll(' ', '-'), counted(words[grid.title], grid.rows.length), () => withExport({ ...gridSpec(grid, `${view.data}-${words[grid.title]}`), captioned: false }));
  const own = rows.filter(row => row.section === section);
  add('trials', counted(`Trials of ${view.data}, ${view.protocol} protocol`, own.reduce((sum, row) => sum + row.count, 0)), () => trialsTable(view, own));
  add('settings', `Settings of ${view.data}, ${view.protocol} protocol`, () => el('dl', { class: 'code' }, section.settings.map(([name, value]) => [el('dt', {}, words[name]), el('dd', {}, words[value])])));
  return [...found, ...shared(view)];
}

// What does not depend on the choices.
function shared(view) {
  const found = [];
  const add = (id, title, make) => found.push(part(id, title, make, view));
  if (tree.transfer.length) add('transfer', 'Transfer: trained on one dataset, probed on another', () => tree.transfer.map(grid => withExport(gridSpec(grid))));
  for (const one of tree.reproduced) add(`reproduced-${one.name}`, words[one.grid.title], () => [words[one.about] ? el('p', {}, spoken(words[one.about])) : null, el('p', {}, spoken(words[one.told])), withExport({ ...gridSpec(one.grid, `reproduced-${one.name}`), captioned: false, headed: 'row' })]);
  if (tree.elsewhere) add('published', counted('Published, not run here', tree.elsewhere.rows.length), () => [el('p', {}, 'Values that others published for methods or label counts without a run here. Never ranked.'), withExport({ ...gridSpec(tree.elsewhere, 'published'), captioned: false })]);
  add('reading', 'How to read it', () => el('ul', {}, tree.reading.map(i => el('li', {}, words[i]))));
  add('hints', 'What the columns say', () => el('dl', {}, tree.hints.map(([title, hint]) => [el('dt', {}, words[title]), el('dd', {}, words[hint])])));
  return found;
}

function trialsTable(view, own) {
  const all = own.flatMap(trialsOf), text = (name, title, of, more) => ({ name, title, text: one => of(one) || DASH, ...more });
  const number = (name, title, of) => ({ name, title, numeric: true, better: 'lower', text: one => whole(of(one)), value: of });
  const accuracy = one => trialMeasure(one, 'accuracy');
  const columns = [
    text('record', 'record', one => one.id, { cell: one => link(one.id, { trial: one.id }) }), text('method', 'method', one => one.row.method), number('labels', 'labels', one => one.row.labels),
    text('said', 'settings that differ', one => one.row.said, { prose: true, cell: one => folded(one.row.said || DASH, DIFFERS) }), number('split_seed', 'split_seed', one => one.splitSeed), number('seed', 'seed', one => one.seed),
    { name: 'accuracy', title: 'accuracy, %', numeric: true, better: 'higher', text: one => (accuracy(one) === null ? DASH : fixed(accuracy(one), 2)), value: accuracy },
    text('commit', 'commit', one => one.commit), text('jax', 'jax', one => one.jax), text('device', 'device', one => one.device),
    ...(tree.trials.finished ? [text('finished', 'finished', one => one.finished)] : []),
  ];
  return [words[tree.kept] ? el('p', {}, words[tree.kept]) : null, withExport({ title: `Trials of ${view.data}`, name: `${view.data}-${view.protocol}-trials`, columns, rows: all, headed: 'record', captioned: false })];
}
