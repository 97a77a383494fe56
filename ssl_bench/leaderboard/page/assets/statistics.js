// Paired differences, as the project's leaderboard computes them: trials that share a split are averaged first,
// then a Student-t interval over splits.

const FEWEST = 3; // splits below which there is no interval

// The accuracy of each pair of seeds; a pair that was run twice counts once, by its mean.
function byPair(row) {
  const found = new Map();
  for (const trial of trialsOf(row)) {
    const value = trialMeasure(trial, 'accuracy');
    if (value === null) continue;
    const key = `${trial.splitSeed}/${trial.seed}/${trial.split}`;
    if (!found.has(key)) found.set(key, { split: trial.split, values: [] });
    found.get(key).values.push(value);
  }
  return found;
}

const average = values => values.reduce((sum, value) => sum + value, 0) / values.length;

function interval(values) {
  const n = values.length, middle = average(values);
  if (n < FEWEST) return { value: middle, half: null, splits: n };
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (n - 1);
  return { value: middle, half: tree.student_t[n - 2] * Math.sqrt(variance / n), splits: n };
}

// One minus other in points; null where no pair of seeds was run by both.
function paired(one, other) {
  const a = byPair(one), b = byPair(other), groups = new Map();
  for (const [key, { split, values }] of a) {
    if (!b.has(key)) continue;
    if (!groups.has(split)) groups.set(split, []);
    groups.get(split).push(average(values) - average(b.get(key).values));
  }
  if (!groups.size) return null;
  const found = interval([...groups.values()].map(average));
  const { value, half } = found;
  const verdict = half === null ? `fewer than ${FEWEST} splits` : value > half ? 'better' : -value > half ? 'worse' : 'not separable';
  return { ...found, verdict };
}

// Rows that nothing is both cheaper and better than, from the cheapest on.
function paretoFront(points) {
  const front = [];
  for (const point of [...points].sort((a, b) => a.x - b.x || b.y - a.y)) {
    if (!front.length || point.y > front.at(-1).y) front.push(point);
  }
  return front;
}
