// The page: what the address asks for is shown, and shown again whenever the address changes.

const main = document.getElementById('main');

function sentence(view) {
  const here = chosen(view), methods = unique(here.map(row => row.method)).length;
  const ranks = here.filter(row => row.rank !== null).sort(byRank), best = ranks.find(row => !row.few) ?? ranks[0];
  const about = view.section.reading[0] ?? '';
  const asked = view.section.unclassified ? view.data : `${view.data}, ${plural(view.labels, 'label')}`;
  const compared = `${asked}: ${plural(here.length, 'row')} of ${plural(methods, 'method')}, ${about.charAt(0).toLowerCase()}${about.slice(1)}`;
  if (!best) return [`${compared} ${view.section.unclassified || 'No accuracy is ranked here.'}`];
  const tied = ranks.filter(row => row.tied && row !== best).length;
  const base = best.difference?.verdict === 'not separable' ? `, ${BASELINE} among them` : '';
  const verdict = best.accuracy.half === null ? ', the highest mean; an interval takes 3 splits. '
    : ` over ${plural(best.splits, 'split')}, ${tied ? `and ${plural(tied, 'row')} that cannot be told from it${base}. ` : 'ahead of all others. '}`;
  const lead = [el('strong', {}, `${best.method}${best.said ? ' (a variant)' : ''}: ${spread(best.accuracy, pointDigits(best))} %`), verdict];
  return [lead, compared];
}

function question(view) {
  if (view.section.unclassified && measuredAnomalies(view)) return `Which method tells the anomalies of ${view.data} from the rest?`;
  return `Which method should I use with ${plural(view.labels, 'label')} of ${view.data}?`;
}

const measuredAnomalies = view => chosen(view).some(row => [...measures.values()].some(one => one.group === 'anomaly' && mean(row, one.name)));

function boardPage(view) {
  const pictures = [labelsFigure(view), costFigure(view)].filter(Boolean);
  const more = view.section.reading.slice(1).filter(text => text !== view.section.unclassified);
  return [
    el('h1', {}, question(view)), el('p', { class: 'sub', id: 'answer' }, sentence(view)),
    facets(view), pictures.length ? el('div', { class: 'pictures' }, pictures) : null, rankingTable(view),
    more.length ? el('ul', { class: 'note' }, more.map(text => el('li', {}, text))) : null, parts(view),
    el('p', { class: 'note' }, words[tree.counts], ' ', words[tree.kept]),
  ];
}

// Published tables may have been run where no record was kept.
const tablesPage = view => [el('h1', {}, 'Published tables'), el('p', {}, 'There is no record yet; these tables were run here.'), shared(view)];

const VIEWS = { compare: comparePage, method: methodPage };

// Shows the address.  What had the focus has it again, by its `data-key`; a menu that was open stays so.
function refresh({ open = '' } = {}) {
  const key = document.activeElement?.dataset?.key, place = scrollY, deep = document.querySelector('#columns .groups')?.scrollTop;
  const view = sections.length ? resolve(read()) : read(), field = document.getElementById('filter'), caret = field?.selectionStart;
  document.body.append(document.getElementById('said'));
  document.getElementById('trial')?.remove();
  main.replaceChildren(...[(sections.length ? VIEWS[view.view] ?? boardPage : tablesPage)(view)].flat(3).filter(Boolean));
  if (open) {
    document.getElementById(open).open = true;
    document.querySelector(`#${open} .groups`).scrollTop = deep;
  }
  if (view.trial) drawer(view);
  drawFigures();
  scrollTo(0, place);
  const again = key && [...main.querySelectorAll('[data-key]')].find(one => one.dataset.key === key);
  if (again && !view.trial) again.focus({ preventScroll: true });
  if (again?.id === 'filter') again.setSelectionRange(caret, caret);
  document.title = `${view.view === 'method' ? view.method : view.view === 'compare' ? 'compare' : view.data} · ssl_bench leaderboard`;
}

let before = read();

addEventListener('hashchange', () => {
  const now = read(), place = one => `${one.view} ${one.method}`;
  const moved = place(now) !== place(before), closed = before.trial && !now.trial;
  refresh();
  if (moved) scrollTo(0, 0);
  if (closed) [...main.querySelectorAll('a')].find(one => one.hash.includes(before.trial))?.focus();
  if (CHOICES.some(name => now[name] !== before[name])) announce(document.getElementById('answer')?.textContent ?? '');
  before = now;
});

// On paper nothing can be unfolded: what is folded is open while it is printed.
addEventListener('beforeprint', () => {
  for (const fold of document.querySelectorAll('.fold:not([open])')) Object.assign(fold, { open: true }).classList.add('for-paper');
});
addEventListener('afterprint', () => {
  for (const fold of document.querySelectorAll('.for-paper')) Object.assign(fold, { open: false }).classList.remove('for-paper');
});

// A menu closes when something else is used.
addEventListener('click', event => {
  for (const menu of document.querySelectorAll('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false;
});
addEventListener('keydown', event => {
  if (event.key !== 'Escape') return;
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    menu.open = false;
    menu.querySelector('summary').focus();
  }
});

refresh();
document.documentElement.dataset.ready = 'yes';
