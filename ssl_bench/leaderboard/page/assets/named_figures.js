// Figures that came as data: lines with bands, intervals, ranks with groups, tables.

const DRAWN = {
  lines: (data, width) => drawLines(width, data),
  intervals: (data, width) => drawIntervals(width, data.rows, data.x),
  ranks: (data, width) => drawRanks(width, data),
};

function namedFigure(one) {
  if (one.kind === 'table') {
    const columns = one.data.heads.map((title, i) => ({ name: title, title, numeric: typeof one.data.rows[0]?.[i] === 'number', text: row => String(row[i] ?? DASH), value: row => row[i] }));
    return el('div', {}, el('h3', {}, one.title), el('p', {}, one.text), withExport({ title: one.title, name: one.name, columns, rows: one.data.rows, headed: columns[0]?.name, captioned: false }));
  }
  return figure({ name: one.name, title: one.title, note: one.text, draw: width => DRAWN[one.kind](one.data, width) });
}

function drawLines(width, { x, y, lines }) {
  const looks = looksOf(lines.map(line => line.name));
  const points = lines.flatMap(line => line.points.map(([a, b], i) => ({ name: line.name, x: a, y: b, low: line.band?.[i]?.[0] ?? b, high: line.band?.[i]?.[1] ?? b })));
  const color = point => looks.get(point.name).color;
  const height = 320, top = 14, bottom = 40, domain = bounds(points.flatMap(point => [point.low, point.high]), 0.03);
  const span = height - top - bottom, ends = lines.map(line => points.filter(point => point.name === line.name).at(-1)).filter(Boolean);
  ends.sort((a, b) => b.y - a.y);
  const places = apart(ends.map(end => top + (span * (domain[1] - end.y)) / (domain[1] - domain[0])), 14);
  const edge = Math.max(...points.map(point => point.x));
  const marks = ends.map((end, i) => ({ ...end, edge, place: domain[1] - ((places[i] - top) * (domain[1] - domain[0])) / span }));
  return Plot.plot({
    ...TICKS, width, height, marginTop: top, marginBottom: bottom, marginLeft: 48,
    marginRight: Math.min(140, Math.max(...lines.map(line => line.name.length)) * LETTER + 22),
    x: { label: null }, y: { domain, label: null }, symbol: { type: 'identity' },
    marks: [
      Plot.gridY({ stroke: 'var(--line)', strokeOpacity: 1 }), Plot.axisY({ label: null, tickSize: 0, fill: 'var(--muted)' }),
      Plot.axisX({ ticks: Math.max(3, Math.round(width / 100)), tickSize: 4, label: x, labelAnchor: 'center', labelArrow: 'none', fill: 'var(--muted)' }),
      Plot.areaY(points, { x: 'x', y1: 'low', y2: 'high', z: 'name', fill: color, fillOpacity: 0.14 }),
      Plot.line(points, { x: 'x', y: 'y', z: 'name', stroke: color, strokeWidth: 1.8 }),
      Plot.dot(points, { x: 'x', y: 'y', symbol: point => looks.get(point.name).symbol, fill: color, stroke: color, r: 2.5 }),
      Plot.link(marks, { x1: 'x', y1: 'y', x2: 'edge', y2: 'place', stroke: color, strokeOpacity: 0.5, dx: 0 }),
      Plot.text(marks, { x: 'edge', y: 'place', text: 'name', dx: 8, textAnchor: 'start', fill: 'var(--ink)', fontSize: 12 }),
      Plot.text([y], { frameAnchor: 'top-left', dy: -12, dx: -40, text: one => one, fill: 'var(--muted)', fontSize: 12 }),
    ],
  });
}

// Average ranks on a line, best first; a bar joins the names of a group that the test does not separate.
function drawRanks(width, { x, rows: lines, cliques }) {
  const names = lines.map(one => one.name), row = new Map(lines.map(one => [one.name, one]));
  const bars = cliques.map((group, i) => ({ low: Math.min(...group.map(name => row.get(name).value)), high: Math.max(...group.map(name => row.get(name).value)), group, i }));
  const segments = bars.flatMap(bar => bar.group.map(name => ({ name, bar })));
  return Plot.plot({
    ...TICKS, width, height: 70 + 22 * names.length, marginTop: 10, marginBottom: 40, marginRight: 20 + 12 * bars.length,
    marginLeft: Math.max(...names.map(name => name.length)) * LETTER + 16,
    x: { domain: bounds(lines.map(one => one.value)), label: null }, y: { type: 'point', domain: names, label: null, padding: 0.6 },
    marks: [
      Plot.gridX({ stroke: 'var(--line)', strokeOpacity: 1 }), Plot.axisX({ tickSize: 0, label: x, labelAnchor: 'center', labelArrow: 'none', fill: 'var(--muted)' }),
      Plot.axisY({ tickSize: 0, fill: 'var(--ink)', label: null }),
      Plot.dot(lines, { x: 'value', y: 'name', r: 4.5, fill: 'var(--c1)' }),
      bars.map(bar => Plot.link([bar], { x1: () => bounds(lines.map(one => one.value))[1], x2: () => bounds(lines.map(one => one.value))[1], y1: () => bar.group[0], y2: () => bar.group.at(-1), dx: 8 + 12 * bar.i, stroke: 'var(--ink)', strokeWidth: 3, strokeLinecap: 'round' })),
      Plot.dot(segments.filter(one => one.bar.group.length), { x: () => bounds(lines.map(one => one.value))[1], y: 'name', r: 0 }),
    ],
  });
}
