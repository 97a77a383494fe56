// Tables as CSV, JSON, LaTeX and Markdown, and figures as SVG: downloaded or copied, as they are shown.

const FORMATS = {
  CSV: { type: 'text/csv', suffix: 'csv', write: asCsv },
  JSON: { type: 'application/json', suffix: 'json', write: asJson },
  LaTeX: { type: 'text/x-tex', suffix: 'tex', write: asLatex },
  Markdown: { type: 'text/markdown', suffix: 'md', write: asMarkdown },
};

// What a column exports: a name and a value of a row; a number with an interval is two columns, a bound is text.
function flat(columns, rows) {
  const parts = [];
  for (const column of columns.filter(one => !one.control)) {
    const number = column.numeric && column.value;
    const cell = row => {
      const value = number && !/^[≤≥]/.test(column.text(row)) ? column.value(row) : null;
      return typeof value === 'number' ? value : column.text(row) === DASH ? null : column.text(row);
    };
    parts.push({ title: column.title, cell });
    if (column.half && rows.some(row => column.half(row) !== null)) parts.push({ title: `${column.title} ±`, cell: column.half });
  }
  return parts;
}

function asCsv({ columns, rows }) {
  const parts = flat(columns, rows);
  const quoted = value => {
    if (value === null || value === undefined) return '';
    if (typeof value === 'number') return String(value);
    const text = /^[=@+\-\t]/.test(value) ? `'${value}` : value; // no formula for a spreadsheet
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [parts.map(part => quoted(part.title)), ...rows.map(row => parts.map(part => quoted(part.cell(row))))]
    .map(line => `${line.join(',')}\n`).join('');
}

function asJson({ columns, rows }) {
  const parts = flat(columns, rows);
  const objects = rows.map(row => Object.fromEntries(parts.map(part => [part.title, part.cell(row) ?? null])));
  return `${JSON.stringify(objects, null, 1)}\n`;
}

const TEX = { '\\': '\\textbackslash{}', '~': '\\textasciitilde{}', '^': '\\textasciicircum{}' };

function tex(text) {
  const safe = text.replace(/[\\~^]|[&%$#_{}]/g, c => TEX[c] ?? `\\${c}`);
  const math = { '±': '$\\pm$', '−': '$-$', '≈': '$\\approx$', '→': '$\\to$', '×': '$\\times$', '≥': '$\\geq$', '≤': '$\\leq$', '∞': '$\\infty$' };
  return safe.replace(/[±−≈→×≥≤∞]/g, c => math[c]).replaceAll(DASH, '--');
}

function asLatex({ columns, rows, title }) {
  const kept = columns.filter(one => !one.control);
  const line = cells => `${cells.map(tex).join(' & ')} \\\\`;
  return [
    `% ${title.replaceAll('\n', ' ')}; needs \\usepackage{booktabs}`,
    `\\begin{tabular}{${kept.map(one => (one.numeric ? 'r' : 'l')).join('')}}`, '\\toprule',
    line(kept.map(one => one.title)), '\\midrule',
    ...rows.map(row => line(kept.map(one => one.text(row)))), '\\bottomrule', '\\end{tabular}', '',
  ].join('\n');
}

function asMarkdown({ columns, rows }) {
  const kept = columns.filter(one => !one.control);
  const escaped = text => text.replace(/[\\|*_`\[\]~$<>]/g, '\\$&').replace(/&(?=#?\w+;)/g, '&amp;');
  const line = cells => `| ${cells.join(' | ')} |`;
  return [
    line(kept.map(one => escaped(one.title))), line(kept.map(one => (one.numeric ? '---:' : ':---'))),
    ...rows.map(row => line(kept.map(one => escaped(one.text(row))))), '',
  ].join('\n');
}

function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const anchor = el('a', { href: address, download: name });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  announce(`Downloaded ${name}.`);
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = el('textarea', { class: 'unseen' });
    field.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
  announce(`Copied ${what}.`);
}

// The menu of a table; `table` gives {columns, rows, title} as they are shown when it is used.
function exportMenu(name, table) {
  const file = one => `${name.replace(/[^\w.-]+/g, '_')}.${one.suffix}`;
  const lines = Object.entries(FORMATS).map(([format, one]) => el('li', {},
    button(`${format} file`, () => download(file(one), one.type, one.write(table()))),
    button('copy', () => copy(one.write(table()), `the table as ${format}`), { 'aria-label': `copy as ${format}` })));
  return el('details', { class: 'menu' }, el('summary', {}, 'export'), el('ul', {}, lines));
}

// A figure as a file of its own: the colors of the page as they are now, on a ground.
function asSvg(picture) {
  const copyOf = picture.cloneNode(true), style = getComputedStyle(document.documentElement);
  const ground = style.getPropertyValue('--paper'), ink = style.getPropertyValue('--ink');
  copyOf.setAttribute('xmlns', SVG);
  copyOf.setAttribute('style', `background: ${ground.trim()}; color: ${ink.trim()}; font: 12px sans-serif`);
  const text = new XMLSerializer().serializeToString(copyOf);
  return `${text.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim())}\n`;
}
