// A trial's drawer: its numbers, learning curve, settings and environment, and the command that runs it again.

function drawer(view) {
  const trial = trialOf(view.trial);
  if (!trial) return;
  const { row } = trial, others = trialsOf(row);
  const close = () => go({ trial: '' });
  const choose = el('select', { id: 'sibling', onchange: event => go({ trial: event.target.value }) }, others.map(one => el('option', { value: one.id, selected: one.id === trial.id },
    `split seed ${one.splitSeed}, seed ${one.seed}${trialMeasure(one, 'accuracy') === null ? '' : `: ${fixed(trialMeasure(one, 'accuracy'), 2)} %`}`)));
  const dialog = el('dialog', { id: 'trial', 'aria-labelledby': 'trial-title' },
    el('div', { class: 'dialog-head' }, el('h2', { id: 'trial-title' }, `${row.method}, ${row.section.dataset}, ${plural(row.labels, 'label')}`), button('close', close, { id: 'close' })),
    el('p', {}, el('label', { for: 'sibling' }, 'trial '), choose), row.said ? el('p', { class: 'note' }, row.said) : null,
    commandOf(trial), curveFigures(trial), numbersTable(trial), settingsOfTrial(trial), environmentOf(trial));
  dialog.addEventListener('cancel', event => { event.preventDefault(); close(); });
  dialog.addEventListener('click', event => { if (event.target === dialog) close(); });
  dialog.append(document.getElementById('said')); // what is said outside of an open dialog is not heard
  document.body.append(dialog);
  dialog.showModal();
}

function commandOf(trial) {
  const command = `ssl-bench train ${/[^\w./~-]/.test(trial.path) ? `'${trial.path.replaceAll("'", "'\\''")}'` : trial.path}`;
  if (!trial.path) return el('p', { class: 'note' }, `Record ${trial.id}; its file was not named when this page was built.`);
  return el('p', { class: 'command' }, el('code', { id: 'command' }, command), button('copy', () => copy(command, 'the command'), { 'aria-label': 'copy the command' }));
}

const LINES = { loss: 'loss', validation_accuracy: 'validation', test_accuracy: 'test' };

function curveFigures(trial) {
  const curves = curvesOf(trial);
  if (!curves) return el('p', { class: 'note' }, words[tree.kept] || 'No learning curve was recorded.');
  const shown = [];
  if (curves.loss) shown.push(figure({ name: `${trial.id}-loss`, title: 'Training loss', note: 'by step', draw: width => drawLines(width, { x: 'step', lines: [{ name: 'loss', points: curves.loss }] }) }));
  const accuracies = ['validation_accuracy', 'test_accuracy'].filter(name => curves[name]);
  if (accuracies.length) {
    shown.push(figure({ name: `${trial.id}-accuracy`, title: 'Accuracy while training', note: 'by step; nothing is chosen by it',
      draw: width => drawLines(width, { x: 'step', lines: accuracies.map(name => ({ name: LINES[name], points: curves[name].map(([step, value]) => [step, 100 * value]) })) }) }));
  }
  return el('div', { class: 'pictures' }, shown);
}

function numbersTable(trial) {
  const there = [...measures.values()].filter(one => trialMeasure(trial, one.name) !== null);
  return withExport({
    title: 'Numbers', name: `trial-${trial.id}`, headed: 'measure', rows: there, most: Infinity,
    columns: [
      { name: 'measure', title: 'measure', text: one => one.title, note: one => one.hint }, { name: 'group', title: 'group', text: one => one.group.replaceAll('_', ' ') },
      { name: 'value', title: 'value', numeric: true, text: one => fixed(trialMeasure(trial, one.name), digitsOf(one, trial.row)), value: one => trialMeasure(trial, one.name) },
    ],
  });
}

function settingsOfTrial(trial) {
  const settings = { ...settingsOf(trial.row), labels: String(trial.row.labels), split_seed: String(trial.splitSeed), seed: String(trial.seed) };
  return withExport({
    title: 'Settings', name: `settings-${trial.id}`, headed: 'setting', rows: Object.keys(settings).sort(), most: Infinity,
    columns: [{ name: 'setting', title: 'setting', text: name => name }, { name: 'value', title: 'value', prose: true, text: name => settings[name], cell: name => folded(settings[name], 90) }],
  });
}

function environmentOf(trial) {
  const facts = { record: trial.path || trial.id, commit: trial.commit, jax: trial.jax, device: trial.device, finished: trial.finished, tier: tierOf(trial.row) };
  return el('dl', {}, Object.entries(facts).filter(([, text]) => text).map(([name, text]) => [el('dt', {}, name), el('dd', {}, text)]));
}
