// How methods look in figures: ink for the baseline, and a color with a mark of its own shape for each other.

const MARKS = ['square', 'diamond', 'triangle', 'star', 'cross', 'wye', 'asterisk'];
const HUES = 7;

// name -> {color, symbol}; names in the order in which they are given keep their look.
function looksOf(names) {
  const looks = new Map();
  let hue = 0;
  for (const name of names) {
    if (name === BASELINE) looks.set(name, { color: 'var(--ink)', symbol: 'circle' });
    else if (FLOORS.includes(name)) looks.set(name, { color: 'var(--muted)', symbol: name === FLOORS[0] ? 'times' : 'plus' });
    else {
      looks.set(name, { color: `var(--c${(hue % HUES) + 1})`, symbol: MARKS[hue % MARKS.length] });
      hue += 1;
    }
  }
  return looks;
}

// Where names that stand beside each other go: each at least `gap` below the last, moved as little as need be.
// `low` and `high` bound them.
function apart(places, gap, low, high) {
  const blocks = [];
  places.forEach((place, i) => {
    blocks.push({ sum: place - i * gap, size: 1 });
    while (blocks.length > 1 && blocks.at(-2).sum / blocks.at(-2).size > blocks.at(-1).sum / blocks.at(-1).size) {
      const last = blocks.pop(), before = blocks.pop();
      blocks.push({ sum: last.sum + before.sum, size: last.size + before.size });
    }
  });
  const flatted = blocks.flatMap(({ sum, size }) => Array(size).fill(sum / size));
  const bounded = flatted.map((place, i) => Math.max(place + i * gap, low + i * gap));
  return bounded.map((place, i) => Math.min(place, high - (bounded.length - 1 - i) * gap));
}

const LETTER = 6.7; // pixels that a letter of a name takes

// Places for names in a cloud of points [{x, y, name}] in pixels: none over another, none over a point.
function placeNames(points, others, width, height) {
  const taken = others.map(point => [point.x - 5, point.y - 5, point.x + 5, point.y + 5]);
  const hits = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
  return points.map(point => {
    const long = point.name.length * LETTER;
    const tries = [];
    for (const lift of [0, -13, 13, -26, 26, -39, 39, -52, 52]) {
      tries.push([point.x + 9, point.y + lift], [point.x - 9 - long, point.y + lift]);
      if (lift) tries.push([point.x - long / 2, point.y + lift]);
    }
    const box = ([x, y]) => [x - 1, y - 7, x + long + 1, y + 7];
    const inside = ([x, y]) => x > 48 && x + long < width && y > 4 && y < height - 4;
    const free = tries.find(one => inside(one) && !taken.some(other => hits(box(one), other)));
    if (!free) return { ...point, hidden: true };
    taken.push(box(free));
    return { ...point, left: free[0], top: free[1], long };
  });
}
