// Figures that came as data: average ranks with groups, interquartile means, performance profiles; and curves.

const scoreOf = data => (data.kind === 'to supervised' ? 'points above supervised' : 'accuracy, %');

const DRAWN = {
  'critical-difference': (data, width) => drawRanks(width, data),
  'interquartile-mean': (data, width) => drawIntervals(width, data.middles.map(one => ({ name: one.method, value: 100 * one.value, low: 100 * one.low, high: 100 * one.high, base: one.method === BASELINE })), scoreOf(data)),
  'performance-profile': (data, width) => drawLines(width, { x: scoreOf(data), legend: true, lines: profilesOf(data) }),
};

const profilesOf = ({ thresholds, profiles }) => profiles.map(one => ({
  name: one.method, points: thresholds.map((at, i) => [100 * at, one.shares[i]]), band: thresholds.map((_, i) => [one.low[i], one.high[i]]),
}));

const namedFigure = one => figure({ name: one.name, title: one.title, note: one.caption, draw: width => DRAWN[one.kind](one.data, width) });

// Lines with bands, named at their ends or, with many that end together, above.
function drawLines(width, { x, lines, legend: above = false }) {
  const looks = looksOf(lines.map(line => line.name));
  const points = lines.flatMap(line => line.points.map(([a, b], i) => ({ name: line.name, x: a, y: b, low: line.band?.[i]?.[0] ?? b, high: line.band?.[i]?.[1] ?? b })));
  const color = point => looks.get(point.name).color;
  const height = 320, top = 14, bottom = 40, domain = bounds(points.flatMap(point => [point.low, point.high]), 0.03);
  const span = height - top - bottom, ends = lines.map(line => points.filter(point => point.name === line.name).at(-1)).sort((a, b) => b.y - a.y);
  const places = apart(ends.map(end => top + (span * (domain[1] - end.y)) / (domain[1] - domain[0])), 14, top, height - bottom);
  const marks = ends.map((end, i) => ({ ...end, place: domain[1] - ((places[i] - top) * (domain[1] - domain[0])) / span }));
  const edge = Math.max(...points.map(point => point.x)), low = Math.min(...points.map(point => point.x));
  const shown = above ? lines.flatMap((line, k) => points.filter(point => point.name === line.name).filter((_, i) => i % 12 === k % 12)) : points;
  const picture = Plot.plot({
    ...TICKS, width, height, marginTop: top, marginBottom: bottom, marginLeft: 48,
    marginRight: above ? 14 : Math.min(width * 0.46, Math.max(...lines.map(line => line.name.length)) * LETTER + 20),
    x: { label: null, domain: [low, edge] }, y: { domain, label: null }, symbol: { type: 'identity' },
    marks: [
      Plot.gridY({ stroke: 'var(--line)', strokeOpacity: 1 }), Plot.axisY({ label: null, tickSize: 0, fill: 'var(--muted)' }),
      Plot.axisX({ ticks: Math.max(3, Math.round(width / 100)), tickSize: 4, label: x, labelAnchor: 'center', labelArrow: 'none', fill: 'var(--muted)' }),
      Plot.areaY(points, { x: 'x', y1: 'low', y2: 'high', z: 'name', fill: color, fillOpacity: 0.14 }),
      Plot.line(points, { x: 'x', y: 'y', z: 'name', stroke: color, strokeWidth: 1.8 }),
      Plot.dot(shown, { x: 'x', y: 'y', symbol: point => looks.get(point.name).symbol, fill: color, stroke: color, r: above ? 3.5 : 2.5 }),
      above ? null : Plot.text(marks, { x: () => edge, y: 'place', text: 'name', dx: 8, textAnchor: 'start', fill: 'var(--ink)', fontSize: 12 }),
    ],
  });
  return above ? el('div', {}, legend(looks), picture) : picture;
}

// Average ranks, the best first; a bar joins the names of a group that the test does not separate.
function drawRanks(width, { methods, ranks, cliques }) {
  const lines = methods.map((name, i) => ({ name, value: ranks[i] }));
  const domain = bounds(ranks), gap = 14;
  return Plot.plot({
    ...TICKS, width, height: 60 + 24 * methods.length, marginTop: 10, marginBottom: 40, marginRight: 20 + gap * cliques.length,
    marginLeft: Math.min(width * 0.45, Math.max(...methods.map(name => name.length)) * LETTER + 16),
    x: { domain, label: null }, y: { type: 'point', domain: methods, label: null, padding: 0.6 },
    marks: [
      Plot.gridX({ stroke: 'var(--line)', strokeOpacity: 1 }), Plot.axisX({ tickSize: 0, label: 'average rank', labelAnchor: 'center', labelArrow: 'none', fill: 'var(--muted)' }),
      Plot.axisY({ tickSize: 0, fill: 'var(--ink)', label: null }),
      Plot.dot(lines, { x: 'value', y: 'name', r: 4.5, fill: point => (point.name === BASELINE ? 'var(--ink)' : 'var(--c1)') }),
      cliques.map((group, i) => Plot.link([group], { x1: () => domain[1], x2: () => domain[1], y1: names => names[0], y2: names => names.at(-1), dx: 8 + gap * i, stroke: 'var(--ink)', strokeWidth: 3, strokeLinecap: 'round' })),
    ],
  });
}
