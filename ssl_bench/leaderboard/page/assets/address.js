// The state of the page is its address: a view can be linked, and the back button works.

const KEPT = ['data', 'protocol', 'labels', 'family', 'device', 'filter', 'sort', 'columns', 'view', 'method', 'rows', 'trial', 'open'];
const FAMILIES = ['semi', 'self', 'baseline'];
const CHOICES = ['data', 'protocol', 'labels', 'family', 'device'];

function read() {
  const asked = new URLSearchParams(location.hash.slice(1)), state = {};
  for (const name of KEPT) state[name] = asked.get(name) ?? '';
  return state;
}

function written(state) {
  const asked = new URLSearchParams();
  for (const name of KEPT) if (state[name]) asked.set(name, state[name]);
  return `#${asked.toString().replaceAll('%2C', ',').replaceAll('%7E', '~')}`;
}

const hrefOf = change => written({ ...read(), ...change });
const listed = text => text.split(',').filter(Boolean);

// A step that the back button undoes.
function go(change) {
  location.hash = hrefOf(change);
}

// The same place seen otherwise, such as a filter that is being typed.
function amend(change) {
  history.replaceState(null, '', hrefOf(change));
}

const most = (names, count) => names.reduce((best, name) => (best === null || count(name) > count(best) ? name : best), null);
const unique = names => [...new Set(names)];

// The choices as they can be: what the address lacks, or what there is not, becomes what has the most rows.
function resolve(state) {
  const datasets = unique(sections.map(one => one.dataset));
  const trials = name => rows.reduce((sum, row) => sum + (row.section.dataset === name ? row.count : 0), 0);
  const data = datasets.includes(state.data) ? state.data : most(datasets, trials);
  const own = sections.filter(one => one.dataset === data);
  const size = one => ranked.reduce((sum, row) => sum + (row.section === one), 0);
  const section = own.find(one => one.protocol === state.protocol) ?? most(own, size);
  const here = ranked.filter(row => row.section === section);
  const budgets = section.labels.map(String);
  const labels = budgets.includes(state.labels) ? state.labels
    : most(budgets, n => here.reduce((sum, row) => sum + (String(row.labels) === n), 0)) ?? '';
  const devices = unique(here.map(row => row.devices));
  return {
    ...state, data, section, protocol: section.protocol, labels: Number(labels),
    family: FAMILIES.includes(state.family) ? state.family : '',
    device: devices.includes(state.device) ? state.device : '',
    devices,
  };
}

// The rows of the ranking that the choices leave.
function chosen(view) {
  return ranked.filter(row => row.section === view.section && row.labels === view.labels && fits(row, view));
}

function fits(row, view) {
  return (!view.family || view.family === row.kind) && (!view.device || row.devices === view.device);
}
