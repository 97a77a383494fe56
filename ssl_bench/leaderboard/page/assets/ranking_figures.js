// The two figures of the first screen: accuracy against labels, and accuracy against cost with its front.

const BEST = 4;

// Best first; of rows with one rank those with fewer splits than most come last.
const byRank = (a, b) => a.rank - b.rank || a.few - b.few;

// The usual rows of a view: one for each method.
const usualOf = list => list.filter(row => !row.said && row.rank !== null);

// The methods that figures name: those selected, the best few, the baselines.
function namedMethods(view) {
  const here = usualOf(chosen(view)).sort(byRank);
  const best = here.filter(row => !isBaseline(row.method)).slice(0, BEST);
  const base = here.filter(row => isBaseline(row.method));
  const marked = listed(view.rows).map(key => here.find(row => row.key === key)).filter(Boolean);
  return unique([...best, ...base, ...marked].map(row => row.method));
}

function labelsFigure(view) {
  const names = namedMethods(view), looks = looksOf(names);
  const all = usualOf(ranked.filter(row => row.section === view.section && fits(row, view) && names.includes(row.method)));
  const budgets = unique(all.map(row => row.labels)).sort((a, b) => a - b);
  if (budgets.length < 2) return bestFigure(view);
  const selfs = names.filter(name => all.some(row => row.method === name && row.self));
  return figure({
    name: `${view.data}-${view.protocol}-labels`, title: 'Accuracy against labels',
    note: `the best ${BEST} at ${whole(view.labels)} labels and the baselines, 95 % intervals${selfs.length ? '; dashed: self-supervised, by their probe' : ''}`,
    label: `Accuracy against the number of labels. ${names.map(name => `${name}: ${all.filter(row => row.method === name).map(row => `${fixed(row.accuracy.value, 1)} % with ${row.labels}`).join(', ')}`).join('; ')}.`,
    draw: width => drawLabels(width, names, looks, all, budgets, view.labels),
  });
}

function drawLabels(width, names, looks, all, budgets, chosenLabels) {
  const height = 340, top = 14, bottom = 40, right = Math.min(width * 0.46, Math.max(...names.map(name => name.length)) * LETTER + 20);
  const step = Math.min(...budgets.slice(1).map((n, i) => n / budgets[i]), 2) ** 0.12;
  const shift = new Map(names.map((name, i) => [name, step ** ((i / Math.max(names.length - 1, 1) - 0.5) * Math.min(1, names.length / 6))]));
  const points = all.map(row => ({
    row, name: row.method, x: row.labels * shift.get(row.method), y: row.accuracy.value, self: row.self,
    low: row.accuracy.value - (row.accuracy.half ?? 0), high: Math.min(100, row.accuracy.value + (row.accuracy.half ?? 0)),
  })).sort((a, b) => a.x - b.x);
  const domain = bounds(points.flatMap(point => [point.low, point.high]), 0.03);
  domain[1] = Math.min(domain[1], 100.5);
  const span = height - top - bottom, scale = y => top + (span * (domain[1] - y)) / (domain[1] - domain[0]);
  const back = place => domain[1] - ((place - top) * (domain[1] - domain[0])) / span;
  const ends = names.map(name => points.filter(point => point.name === name).at(-1)).sort((a, b) => b.y - a.y || (a.name < b.name ? -1 : 1));
  const places = apart(ends.map(end => scale(end.y)), 14, top, height - bottom);
  const edge = budgets.at(-1) * step * 1.06;
  const marks = ends.map((end, i) => ({ ...end, edge, place: back(places[i]) }));
  const color = point => looks.get(point.name).color;
  const lines = self => Plot.line(points.filter(point => point.self === self), { x: 'x', y: 'y', z: 'name', stroke: color, strokeWidth: 1.8, strokeDasharray: self ? '5 4' : null });
  return Plot.plot({
    ...TICKS, width, height, marginTop: top, marginBottom: bottom, marginRight: right, marginLeft: 44,
    x: { type: 'log', domain: [budgets[0] / step / 1.03, edge], label: null }, y: { domain, label: null },
    symbol: { type: 'identity' },
    marks: [
      Plot.gridY({ stroke: 'var(--line)', strokeOpacity: 1 }), Plot.axisY({ label: null, tickSize: 0, fill: 'var(--muted)' }),
      Plot.axisX(budgets, { text: whole, tickSize: 4, label: 'labels', labelAnchor: 'center', labelArrow: 'none', fill: 'var(--muted)' }),
      Plot.ruleX([chosenLabels], { stroke: 'var(--line)', strokeWidth: 10, strokeOpacity: 0.6 }),
      Plot.link(points.filter(point => point.row.accuracy.half !== null), { x1: 'x', x2: 'x', y1: 'low', y2: 'high', stroke: color, strokeWidth: 1.2 }),
      lines(false), lines(true),
      Plot.dot(points, { x: 'x', y: 'y', symbol: point => looks.get(point.name).symbol, fill: color, stroke: color, r: 4 }),
      Plot.link(marks, { x1: 'x', y1: 'y', x2: 'edge', y2: 'place', stroke: color, strokeOpacity: 0.55, strokeWidth: 0.8 }),
      Plot.text(marks, { x: 'edge', y: 'place', text: 'name', dx: 4, textAnchor: 'start', fill: 'var(--ink)', fontSize: 12 }),
      Plot.tip(points, Plot.pointer({ x: 'x', y: 'y', title: point => `${point.name}, ${whole(point.row.labels)} labels\n${spread(point.row.accuracy, 1)} %`, fill: 'var(--paper)', stroke: 'var(--line)' })),
    ],
  });
}

// Where there is one number of labels: the best rows and the baselines as dots with their intervals.
function bestFigure(view) {
  const here = usualOf(chosen(view)).sort(byRank);
  const base = here.filter(row => isBaseline(row.method));
  const marked = here.filter(row => listed(view.rows).includes(row.key));
  const kept = unique([...here.slice(0, 10), ...base, ...marked]).sort(byRank);
  if (!kept.length) return null;
  return figure({
    name: `${view.data}-${view.protocol}-best`, title: `Accuracy with ${whole(view.labels)} labels`,
    note: 'the best and the baselines, 95 % intervals; hollow: self-supervised, by its probe',
    label: `Accuracy of ${kept.map(row => `${row.method} ${spread(row.accuracy, 1)} %`).join(', ')}.`,
    draw: width => drawIntervals(width, kept.map(row => ({
      name: row.method, value: row.accuracy.value, low: row.accuracy.value - (row.accuracy.half ?? 0),
      high: row.accuracy.value + (row.accuracy.half ?? 0), hollow: row.self, base: row.method === BASELINE,
    })), 'accuracy, %'),
  });
}

function drawIntervals(width, lines, title) {
  const color = one => (one.base ? 'var(--ink)' : 'var(--c1)');
  return Plot.plot({
    ...TICKS, width, height: Math.max(120, 60 + 23 * lines.length), marginTop: 10, marginBottom: 40, marginRight: 16,
    marginLeft: Math.min(width * 0.45, Math.max(...lines.map(one => one.name.length)) * LETTER + 16),
    x: { domain: bounds(lines.flatMap(one => [one.low, one.high])), label: title, labelAnchor: 'center', labelArrow: 'none' },
    y: { type: 'point', domain: lines.map(one => one.name), label: null, padding: 0.6 },
    marks: [
      Plot.gridX({ stroke: 'var(--line)', strokeOpacity: 1 }), Plot.axisX({ tickSize: 0, fill: 'var(--muted)', label: title, labelAnchor: 'center', labelArrow: 'none', ticks: Math.max(3, Math.round(width / 90)) }),
      Plot.axisY({ tickSize: 0, fill: 'var(--ink)', label: null }),
      Plot.link(lines, { x1: 'low', x2: 'high', y1: 'name', y2: 'name', stroke: color, strokeWidth: 2 }),
      Plot.dot(lines, { x: 'value', y: 'name', r: 4.5, stroke: color, strokeWidth: 2, fill: one => (one.hollow ? 'var(--paper)' : color(one)) }),
    ],
  });
}

function costFigure(view) {
  const here = usualOf(chosen(view)).filter(row => row.gflops > 0);
  if (here.length < 2) return null;
  const points = here.map(row => ({ row, name: row.method, x: row.gflops, y: row.accuracy.value, self: row.self }));
  const front = paretoFront(points);
  const floor = bulk(points.map(point => point.y))[0], under = points.filter(point => point.y < floor && !namedMethods(view).includes(point.name)).length;
  return figure({
    name: `${view.data}-${view.protocol}-${view.labels}-cost`, title: 'Accuracy against cost',
    note: `${whole(view.labels)} labels; training GFLOPs; the line is the front: nothing is cheaper and better. Hollow: self-supervised${under ? `; △ at the edge: ${plural(under, 'row')} below the picture` : ''}`,
    label: `Accuracy against training GFLOPs. On the front, from the cheapest on: ${front.map(point => `${point.name} ${fixed(point.y, 1)} % for ${shortNumber(point.x)}`).join(', ')}.`,
    draw: width => drawCost(width, points, front, namedMethods(view)),
  });
}

// What a point over the baseline costs, where the board has it.
function perPoint(row) {
  const said = columnOf('gflops_per_point')?.text(row) ?? DASH;
  return said === DASH ? '' : `\n${/\d/.test(said) ? `${said} GFLOPs a point over ${BASELINE}` : `${said} over ${BASELINE}`}`;
}

// A line from a point to its name, where the name could not stand beside it.
function leader({ x, y, left, top, long }) {
  if (Math.abs(top - y) < 16) return null;
  const end = Math.min(Math.max(x, left), left + long);
  return drawn('line', { x1: x, y1: y, x2: end, y2: top + (top < y ? 6 : -6), stroke: 'var(--muted)', 'stroke-width': 0.8 });
}

function drawCost(width, points, front, names) {
  const height = 340, margin = { top: 14, bottom: 40, left: 44, right: 14 };
  const looks = looksOf(names), xs = points.map(point => point.x);
  const low = Math.min(bulk(points.map(point => point.y))[0], ...points.filter(point => names.includes(point.name)).map(point => point.y));
  for (const point of points) Object.assign(point, { at: Math.max(point.y, low), out: point.y < low });
  const wide = Math.max(...xs) > 8 * Math.min(...xs);
  const x = wide ? [Math.min(...xs) / 1.5, Math.max(...xs) * 1.7] : bounds(xs, 0.1);
  const y = bounds(points.map(point => point.at));
  const along = value => (wide ? Math.log(value / x[0]) / Math.log(x[1] / x[0]) : (value - x[0]) / (x[1] - x[0]));
  const [inner, tall] = [width - margin.left - margin.right, height - margin.top - margin.bottom];
  const place = point => ({ name: point.name, point, x: margin.left + inner * along(point.x), y: margin.top + (tall * (y[1] - point.at)) / (y[1] - y[0]) });
  const told = [...front, ...points.filter(point => names.includes(point.name) && !front.includes(point))];
  const labels = placeNames(told.map(place), points.map(place), width, height - margin.bottom).filter(one => !one.hidden);
  const color = point => looks.get(point.name)?.color ?? (front.includes(point) ? 'var(--ink)' : 'var(--muted)');
  const symbol = point => (point.out ? 'triangle2' : looks.get(point.name)?.symbol ?? 'circle');
  const written = (picture, mark) => drawn('g', { 'text-anchor': 'start', 'font-size': 12, fill: 'var(--ink)', stroke: 'var(--paper)', 'stroke-width': 4, 'paint-order': 'stroke', 'stroke-linejoin': 'round' }, labels.map(one => leader(one)), labels.map(one => drawn('text', { x: one.left, y: one.top, dy: '0.32em', textLength: one.name.length > 24 ? one.long : null }, one.name)));
  return Plot.plot({
    ...TICKS, width, height, marginTop: margin.top, marginBottom: margin.bottom, marginLeft: margin.left, marginRight: margin.right,
    x: { type: wide ? 'log' : 'linear', domain: x, label: null }, y: { domain: y, label: null }, symbol: { type: 'identity' },
    marks: [
      Plot.gridY({ stroke: 'var(--line)', strokeOpacity: 1 }), Plot.axisY({ label: null, tickSize: 0, fill: 'var(--muted)' }),
      Plot.axisX(wide ? logTicks(...x) : ticksWithin(x), { text: shortNumber, tickSize: 4, label: 'training GFLOPs', labelAnchor: 'center', labelArrow: 'none', fill: 'var(--muted)' }),
      Plot.line(front, { x: 'x', y: 'y', curve: 'step-after', stroke: 'var(--ink)', strokeWidth: 1.2, strokeOpacity: 0.55 }),
      Plot.dot(points, { x: 'x', y: 'at', symbol, stroke: color, strokeWidth: 1.8, fill: point => (point.self ? 'var(--paper)' : color(point)), r: point => (looks.has(point.name) || front.includes(point) ? 4.5 : 3) }),
      written,
      Plot.tip(points, Plot.pointer({ x: 'x', y: 'at', title: point => `${point.name}\n${spread(point.row.accuracy, 1)} % for ${shortNumber(Math.round(point.x))} GFLOPs${perPoint(point.row)}`, fill: 'var(--paper)', stroke: 'var(--line)' })),
    ],
  });
}
