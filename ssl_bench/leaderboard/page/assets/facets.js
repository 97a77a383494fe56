// Buttons for what is compared, each with the number of rows that it leaves.

function facets(view) {
  const count = change => chosen(resolve({ ...read(), ...change })).length;
  const choice = (name, values, current, said = value => value) => ({ name, values, current, said });
  const devices = unique(ranked.filter(row => row.section === view.section).map(row => row.devices)).filter(Boolean);
  const all = [
    choice('data', unique(sections.map(one => one.dataset)), view.data),
    choice('labels', view.section.labels.map(String), String(view.labels), n => whole(Number(n))),
    choice('protocol', sections.filter(one => one.dataset === view.data).map(one => one.protocol), view.protocol),
    choice('family', ['', ...FAMILIES], view.family, value => value || 'all'),
    choice('device', ['', ...devices], view.device, value => value || 'any'),
  ];
  const one = ({ name, values, current, said }) => el('div', { class: 'facet', role: 'group', 'aria-label': name === 'data' ? 'dataset' : name },
    el('span', { class: 'facet-name', 'aria-hidden': 'true' }, name),
    el('div', { class: 'choices' }, values.map(value => {
      const change = { [name]: value, ...(name === 'data' ? { labels: '', protocol: '', device: '', rows: '' } : name === 'protocol' ? { labels: '', device: '' } : {}) };
      const left = count(change);
      return el('button', {
        type: 'button', 'data-key': `${name} ${value}`, 'aria-pressed': String(value === current), disabled: !left && value !== current,
        'aria-label': `${name} ${said(value)}: ${plural(left, 'row')}`, onclick: () => go({ ...change, view: '', trial: '' }),
      }, said(value), el('span', { class: 'left', 'aria-hidden': 'true' }, ` ${left}`));
    })));
  return el('div', { class: 'facets' }, all.map(one));
}
