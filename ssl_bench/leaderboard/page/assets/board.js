// The board: the data of the page as objects, in the units that are shown.

const tree = JSON.parse(document.getElementById('data').textContent);
const words = tree.words;
const RANKING = 0, STRESS = 2;

const measures = new Map(tree.measures.map(one => [one.name, {
  ...one, title: words[one.title], hint: words[one.hint], group: words[one.group],
  text: (mean, row) => spread(mean, digitsOf(measures.get(one.name), row)),
}]));

function pairs(numbers) {
  const found = {};
  for (let i = 0; i < numbers.length; i += 2) found[words[numbers[i]]] = words[numbers[i + 1]];
  return found;
}

function meanOf(name, place) {
  const column = tree.means[name], scale = 10 ** (measures.get(name)?.kept ?? 0);
  if (!column || column.value[place] === null) return null;
  const half = column.half[place];
  return { value: column.value[place] / scale, half: half === null ? null : half / scale };
}

const accuracyScale = 10 ** (measures.get('accuracy')?.kept ?? 4);

function differenceOf(found) {
  if (!found) return null;
  const [value, half, verdict, splits, corrected] = found;
  return { value: value / accuracyScale, half: half === null ? null : half / accuracyScale, verdict: words[verdict], splits, corrected: words[corrected] };
}

function binsOf(numbers) {
  if (!numbers) return null;
  const bins = [];
  for (let i = 0; i < numbers.length; i += 3) {
    bins.push({ confidence: numbers[i] / 1000, accuracy: numbers[i + 1] / 1000, share: numbers[i + 2] / 1000 });
  }
  return bins;
}

const sections = tree.sections.map((one, place) => ({
  ...one, place, dataset: words[one.dataset], protocol: words[one.protocol], reading: one.reading.map(i => words[i]), unclassified: words[one.unclassified],
}));

// What others are set beside, and so of no family: training on the labels alone, and what nothing has learned.
const BASELINE = 'supervised';
const FLOORS = ['random_weights', 'raw_pixels'];
const isBaseline = method => method === BASELINE || FLOORS.includes(method);

const columns = tree.rows;
const TEXTS = ['method', 'key', 'family', 'said', 'remarks', 'devices'];
const rows = columns.method.map((_, place) => {
  const row = { place };
  for (const name of Object.keys(columns)) row[name] = columns[name][place];
  for (const name of TEXTS) row[name] = words[row[name]];
  row.section = sections[row.section];
  row.gflops = row.gflops === null ? null : row.gflops / 10;
  for (const name of ['difference', 'to_usual', 'to_random_weights', 'to_raw_pixels']) row[name] = differenceOf(row[name]);
  for (const name of ['reliability', 'reliability_scaled']) row[name] = binsOf(row[name]);
  row.accuracy = meanOf('accuracy', place);
  row.self = row.family === 'self-supervised';
  row.kind = isBaseline(row.method) ? 'baseline' : row.self ? 'self' : 'semi';
  return row;
});

const mean = (row, name) => (name === 'accuracy' ? row.accuracy : meanOf(name, row.place));
const ranked = rows.filter(row => row.table === RANKING);

// All settings of a row: the usual ones of its method under those that differ.
function settingsOf(row) {
  const settings = { ...pairs(tree.usual[row.usual]) };
  for (const [name, value] of Object.entries(pairs(row.variant))) {
    if (value === 'none' && name in settings) delete settings[name];
    else settings[name] = value;
  }
  for (const [name, value] of Object.entries(pairs(row.stress))) settings[`stress.${name}`] = value;
  return settings;
}

function trialAt(place, row) {
  const of = tree.trials, text = name => (of[name] ? words[of[name][place]] : '');
  const folder = text('folder');
  return {
    place, row, id: of.id[place], splitSeed: of.split_seed[place], seed: of.seed[place], split: of.split[place],
    commit: text('commit'), jax: text('jax'), device: text('device'), finished: text('finished'),
    path: folder && `${folder}${of.id[place]}.json`,
  };
}

const trialsOf = row => Array.from({ length: row.count }, (_, i) => trialAt(row.trials + i, row));

function trialMeasure(trial, name) {
  const found = tree.trials.measures[name]?.[trial.place];
  return found === null || found === undefined ? null : found / 10 ** measures.get(name).kept;
}

function trialOf(id) {
  const place = tree.trials.id.indexOf(id);
  if (place < 0) return null;
  return trialAt(place, rows.find(row => place >= row.trials && place < row.trials + row.count));
}

// The learning curves of a trial: {loss: [[step, value], …], …}, or null.
function curvesOf(trial) {
  const found = tree.curves.of[trial.place];
  if (!found) return null;
  const lines = found.map(line => line && line[1].map((value, i) => [tree.curves.steps[line[0]][i], value / 1e4]));
  return Object.fromEntries(tree.curves.lines.map((name, i) => [name, lines[i]]).filter(([, line]) => line));
}
