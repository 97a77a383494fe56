// A figure: a title, a picture drawn as wide as there is room, what it says in words, and its file.

const frames = new Set();

function figure({ name, title, note, label, draw }) {
  const box = el('div', { class: 'picture' });
  const save = button('SVG', () => download(`${name}.svg`, 'image/svg+xml', asSvg(box.querySelector('svg[role=img]'))), { class: 'quiet', 'aria-label': `${title}: download as SVG` });
  const frame = el('figure', {}, el('figcaption', {}, el('strong', {}, title), ' ', el('span', { class: 'note' }, note), save), box);
  const show = () => {
    const width = Math.floor(box.getBoundingClientRect().width);
    if (!width || width === frame.drawnAt) return;
    frame.drawnAt = width;
    box.replaceChildren(named(draw(width), label ?? `${title}. ${note ?? ''}`));
  };
  frames.add({ frame, show });
  return frame;
}

// A drawing that a screen reader tells by its name, and whose parts it does not read out.
function named(picture, label) {
  const svg = picture.tagName === 'svg' ? picture : [...picture.querySelectorAll('svg')].at(-1);
  for (const part of svg.querySelectorAll('[aria-label],[aria-description]')) {
    part.removeAttribute('aria-label');
    part.removeAttribute('aria-description');
  }
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  return picture;
}

// Draws what is in the page by now, and forgets what is not any more.
function drawFigures() {
  for (const one of frames) {
    if (one.frame.isConnected) one.show();
    else frames.delete(one);
  }
}

let waiting = 0;
addEventListener('resize', () => {
  clearTimeout(waiting);
  waiting = setTimeout(drawFigures, 120);
});

const TICKS = { fontSize: 12, style: { fontSize: '12px', background: 'none', overflow: 'visible' } };

// Ticks of a logarithmic axis that has too few powers of ten.
function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const first of [1, 2, 5]) {
      const tick = first * 10 ** power;
      if (tick >= low && tick <= high) found.push(tick);
    }
  }
  const step = Math.ceil(found.length / 6);
  return found.filter((_, i) => i % step === 0);
}

const ticksWithin = ([low, high]) => d3.ticks(low, high, 5);

const shortNumber = value => (value >= 1e6 ? `${fixed(value / 1e6, value % 1e6 ? 1 : 0)}M` : value >= 1e4 ? `${fixed(value / 1e3, value % 1e3 ? 1 : 0)}k` : value < 1 ? String(value) : whole(value));

// Where most of some numbers lie: what is far out of their quartiles does not squeeze the rest.
function bulk(values) {
  const sorted = [...values].sort((a, b) => a - b), at = share => sorted[Math.round(share * (sorted.length - 1))];
  const reach = 2.5 * (at(0.75) - at(0.25)) || Infinity;
  return [Math.max(sorted[0], at(0.25) - reach), Math.min(sorted.at(-1), at(0.75) + reach)];
}

function bounds(values, pad = 0.06) {
  const low = Math.min(...values), high = Math.max(...values), room = (high - low || 1) * pad;
  return [low - room, high + room];
}
