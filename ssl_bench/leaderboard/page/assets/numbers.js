// Numbers as they are read: a real minus sign, thousands apart, as many decimals as a test set can carry.

const DASH = '–';
const MINUS = '−';
const formats = new Map();

function fixed(value, digits) {
  if (!formats.has(digits)) {
    const exact = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    formats.set(digits, new Intl.NumberFormat('en-US', exact));
  }
  return formats.get(digits).format(value).replace('-', MINUS);
}

const whole = value => fixed(value, 0);
const signed = (value, digits) => (value > 0 ? '+' : '') + fixed(value, digits);
const digitsOf = (measure, row) => (measure.digits >= 0 ? measure.digits : (row.test ?? 0) >= 5000 ? 2 : 1);
const pointDigits = row => ((row.test ?? 0) >= 5000 ? 2 : 1);
const plural = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;

function spread(mean, digits) {
  if (!mean) return DASH;
  return mean.half === null ? fixed(mean.value, digits) : `${fixed(mean.value, digits)} ± ${fixed(mean.half, digits)}`;
}

function joined(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
