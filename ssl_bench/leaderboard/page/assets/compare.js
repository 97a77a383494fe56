// Rows side by side: paired differences, label curves with bands, reliability, the settings that differ.

function comparePage(view) {
  const list = listed(view.rows).map(key => chosen({ ...view, family: '', device: '' }).find(row => row.key === key)).filter(Boolean);
  const title = `${view.data}, ${plural(view.labels, 'label')}, ${view.protocol} protocol`;
  if (list.length < 2) return [el('h1', {}, 'Compare rows'), el('p', {}, 'Select two rows or more in the table first. ', link('Back to the table', { view: '' }))];
  const names = shortNames(list);
  return [
    el('p', {}, link('← all rows', { view: '' })), el('h1', {}, `${joined(names)}`), el('p', { class: 'sub' }, title),
    pairTable(list, names), el('div', { class: 'pictures' }, curvesFigure(view, list, names), list.some(row => row.reliability) ? list.map((row, i) => reliabilityFigure(row, names[i])) : null),
    measureTable(list, names), settingsTable(list, names),
  ];
}

// A name for each row that tells it from the others.
function shortNames(list) {
  return list.map(row => {
    const alike = list.filter(other => other.method === row.method).length > 1;
    return alike ? `${row.method} [${row.said || 'usual'}]` : row.method;
  });
}

const long = name => name.length > 30;

function pairTable(list, names) {
  const found = [];
  for (let i = 0; i < list.length; i += 1) {
    for (let j = i + 1; j < list.length; j += 1) found.push({ a: names[i], b: names[j], row: list[i], ...(paired(list[i], list[j]) ?? { value: null, half: null, verdict: 'no pair of seeds in common', splits: 0 }) });
  }
  const ends = one => [{ value: one.value - one.half }, { value: one.value + one.half }]; // one.half is 0 where it is null
  const reach = reachOf(found.filter(one => one.value !== null).flatMap(ends), one => one, 0);
  const text = one => (one.value === null ? DASH : `${signed(one.value, 2)}${one.half === null ? '' : ` ± ${fixed(one.half, 2)}`}`);
  return withExport({
    title: 'Paired differences in accuracy, points', name: 'paired-differences', headed: 'first', rows: found,
    columns: [
      { name: 'first', title: 'first', prose: names.some(long), text: one => one.a }, { name: 'second', title: 'second', prose: names.some(long), text: one => one.b },
      { name: 'difference', title: 'first − second', numeric: true, better: 'higher', hint: 'the same splits and seeds; averaged within a split first, then a 95 % Student-t interval over splits', text, value: one => one.value, half: one => one.half,
        cell: one => (one.value === null ? DASH : el('span', { class: 'drawn' }, bar(one, reach, 0), el('span', { class: 'num wide' }, text(one)))) },
      { name: 'verdict', title: 'verdict', text: one => (one.verdict === 'better' || one.verdict === 'worse' ? `first is ${one.verdict}` : one.verdict) },
      { name: 'splits', title: 'splits', numeric: true, text: one => String(one.splits), value: one => one.splits },
    ],
  });
}

// A row at every number of labels.
const along = row => ranked.filter(other => other.section === row.section && other.key === row.key && other.accuracy).sort((a, b) => a.labels - b.labels);

function curvesFigure(view, list, names) {
  const lines = list.map((row, i) => ({ name: names[i], rows: along(row) })).filter(line => line.rows.length);
  if (!lines.some(line => line.rows.length > 1)) {
    return figure({ name: `compare-${view.data}`, title: 'Accuracy', note: '95 % intervals', draw: width => drawIntervals(width, list.filter(row => row.accuracy).map(row => ({ name: names[list.indexOf(row)], value: row.accuracy.value, low: row.accuracy.value - (row.accuracy.half ?? 0), high: row.accuracy.value + (row.accuracy.half ?? 0) })), 'accuracy, %') });
  }
  return figure({
    name: `compare-${view.data}-labels`, title: 'Accuracy against labels', note: 'bands are 95 % intervals over splits; labels on a logarithmic scale',
    label: `Accuracy against labels. ${lines.map(line => `${line.name}: ${line.rows.map(row => `${fixed(row.accuracy.value, 1)} % with ${row.labels}`).join(', ')}`).join('; ')}.`,
    draw: width => drawBands(width, lines),
  });
}

function drawBands(width, lines) {
  const looks = looksOf(lines.map(line => line.name));
  const points = lines.flatMap(line => line.rows.map(row => ({ name: line.name, x: row.labels, y: row.accuracy.value, low: row.accuracy.value - (row.accuracy.half ?? 0), high: row.accuracy.value + (row.accuracy.half ?? 0) })));
  const alone = points.filter(point => lines.some(line => line.name === point.name && line.rows.length === 1)); // no band
  const color = point => looks.get(point.name).color, budgets = unique(points.map(point => point.x)).sort((a, b) => a - b);
  return el('div', {}, legend(looks), Plot.plot({
    ...TICKS, width, height: 320, marginTop: 14, marginBottom: 40, marginLeft: 44, marginRight: 14,
    x: { type: 'log', domain: [budgets[0] / 1.08, budgets.at(-1) * 1.08], label: null }, y: { domain: bounds(points.flatMap(point => [point.low, point.high]), 0.03), label: null }, symbol: { type: 'identity' },
    marks: [
      Plot.gridY({ stroke: 'var(--line)', strokeOpacity: 1 }), Plot.axisY({ label: null, tickSize: 0, fill: 'var(--muted)' }),
      Plot.axisX(budgets, { text: whole, label: 'labels', labelAnchor: 'center', labelArrow: 'none', fill: 'var(--muted)' }),
      Plot.areaY(points, { x: 'x', y1: 'low', y2: 'high', z: 'name', fill: color, fillOpacity: 0.16 }),
      Plot.link(alone, { x1: 'x', x2: 'x', y1: 'low', y2: 'high', stroke: color, strokeWidth: 1.6 }),
      Plot.line(points, { x: 'x', y: 'y', z: 'name', stroke: color, strokeWidth: 1.8 }),
      Plot.dot(points, { x: 'x', y: 'y', symbol: point => looks.get(point.name).symbol, fill: color, stroke: color, r: 4 }),
    ],
  }));
}

const SHAPES = { times: 'M-4,-4L4,4M-4,4L4,-4', plus: 'M-5,0H5M0,-5V5', asterisk: 'M-5,0H5M0,-5V5M-4,-4L4,4M-4,4L4,-4', circle: 'M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0', square: 'M-4,-4h8v8h-8z', diamond: 'M0,-5L4,0L0,5L-4,0z', triangle: 'M0,-5L5,4L-5,4z', star: 'M0,-6L1.5,-2L6,-2L2.5,1L4,5.5L0,3L-4,5.5L-2.5,1L-6,-2L-1.5,-2z', cross: 'M-5,-1.7h3.3v-3.3h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3z', wye: 'M-1.5,0L-5,-3L-3,-5L0,-2L3,-5L5,-3L1.5,0V5H-1.5z' };

function legend(looks) {
  const mark = look => drawn('svg', { width: 14, height: 14, 'aria-hidden': 'true', viewBox: '-7 -7 14 14' }, drawn('path', { d: SHAPES[look.symbol] ?? SHAPES.circle, fill: look.color, stroke: look.color, 'stroke-width': 1.4 }));
  return el('ul', { class: 'legend' }, [...looks].map(([name, look]) => el('li', {}, mark(look), ` ${name}`)));
}

function reliabilityFigure(row, name) {
  if (!row.reliability) return null;
  const before = mean(row, 'ece'), after = mean(row, 'ece_scaled');
  const said = before ? `ECE ${fixed(before.value, 3)}${after ? `, after temperature scaling ${fixed(after.value, 3)}` : ''}` : '';
  return figure({
    name: `reliability-${row.key}`, title: `Reliability, ${name}`, note: `${said}. Circles before, squares after; below the line it is overconfident`,
    draw: width => {
      const side = Math.min(width, 330);
      const series = [[row.reliability, 'var(--c2)', 'circle'], [row.reliability_scaled, 'var(--c1)', 'square']].filter(([bins]) => bins);
      return Plot.plot({
        ...TICKS, width: side, height: side, marginTop: 16, marginRight: 12, marginLeft: 44, marginBottom: 40, x: { domain: [0, 1], label: null }, y: { domain: [0, 1], label: null }, r: { type: 'identity' },
        marks: [
          Plot.link([0], { x1: 0, y1: 0, x2: 1, y2: 1, stroke: 'var(--muted)', strokeDasharray: '4 3' }), Plot.axisX({ ticks: 5, label: 'confidence', labelAnchor: 'center', labelArrow: 'none', fill: 'var(--muted)' }),
          Plot.axisY({ ticks: 5, label: 'accuracy', labelArrow: 'none', labelAnchor: 'center', fill: 'var(--muted)' }),
          series.map(([bins, color, symbol]) => [Plot.line(bins, { x: 'confidence', y: 'accuracy', stroke: color }), Plot.dot(bins, { x: 'confidence', y: 'accuracy', symbol, fill: color, fillOpacity: 0.8, r: bin => 2.5 + 11 * Math.sqrt(bin.share) })]),
        ],
      });
    },
  });
}

function measureTable(list, names) {
  const there = [...measures.values()].filter(one => list.some(row => mean(row, one.name)));
  return withExport({
    title: 'Measures', name: 'measures', headed: 'measure', rows: there,
    columns: [
      { name: 'measure', title: 'measure', text: one => one.title, note: one => one.hint }, { name: 'group', title: 'group', text: one => one.group.replaceAll('_', ' ') },
      ...list.map((row, i) => ({ name: names[i], title: names[i], numeric: true, text: one => one.text(mean(row, one.name), row), value: one => mean(row, one.name)?.value ?? null, half: one => mean(row, one.name)?.half ?? null })),
    ],
  });
}

function settingsTable(list, names) {
  const settings = list.map(settingsOf), every = unique(settings.flatMap(Object.keys)).sort();
  const differ = every.filter(name => new Set(settings.map(one => one[name])).size > 1);
  return withExport({
    title: 'Settings that differ', name: 'settings', headed: 'setting', rows: differ,
    columns: [{ name: 'setting', title: 'setting', text: name => name }, ...settings.map((one, i) => ({ name: names[i], title: names[i], prose: true, text: name => one[name] ?? DASH, cell: name => folded(one[name] ?? DASH, 90) }))],
  });
}
