"""Lee (2013), equation 15, with a threshold and a linear ramp; running moments from the labeled pass only."""

from golden import Case, Flow, Golden, _layers

VERSION = 1
SURE = [[8.0, -8, 8], [-8, 8, 8], [8, 8, -8]]
UNSURE = [[0.0, 0, 0]] * 3  # without biases: probability 1/4 each, exactly
ROWS = {'unlabeled': SURE + UNSURE}
ALL = {'threshold': 0.0, 'weight': 0.7, 'ramp': 0.5}  # of 20 steps: the ramp ends at step 10
CASES = {
  'before the ramp': Case(loss=1.84394, settings=ALL, step=0),
  'on the ramp': Case(loss=2.27973, settings=ALL, step=7),
  'at its end': Case(loss=2.46649, settings=ALL, step=10),
  'after it': Case(loss=2.46649, settings=ALL, step=15),
  'before a later start': Case(loss=1.84394, settings=ALL | {'start': 0.2}, step=4),
  'on the ramp of a later start': Case(loss=2.0307, settings=ALL | {'start': 0.2}, step=7),
  'some are confident': Case(loss=1.88605, settings={'threshold': 0.5}),
  'at the threshold': Case(loss=2.09342, settings={'threshold': 0.25}, rows=ROWS, bias=0),
  'below the threshold': Case(loss=1.83349, settings={'threshold': 0.25 + 2**-20}, rows=ROWS, bias=0),
}
FLOWS = {
  'loss/supervised': Flow({'encoder', 'head'}, {'labeled'}),
  'loss/unsupervised': Flow({'encoder', 'head'}, {'unlabeled'}),
}
OBSERVED = {'labeled'}
MEMORY: set[str] = set()
SETTINGS = {'threshold': 0.1}
NUMBERS = {'threshold': 0.9, 'weight': 0.5, 'ramp': 0.2}


def objective(
  params, held, stats, memory, views, *, step, steps, threshold=0.95, weight=1.0, ramp=0.4, start=0.0
):
  labeled, unlabeled = views['labeled'], views['unlabeled']
  on_x, pull_x, after = _layers.classify(params, stats, labeled['image'])
  on_u, pull_u, _ = _layers.classify(params, stats, unlabeled['image'])
  q = _layers.softmax(_layers.classify(held, stats, unlabeled['image'])[0])
  target, mask = q.argmax(-1), q.max(-1) >= threshold
  alpha = weight * min(max(step - start * steps, 0) / (ramp * steps), 1)
  value_x, d_x = _layers.cross_entropy(on_x, labeled['label'])
  value_u, d_u = _layers.cross_entropy(on_u, target, mask)
  return Golden(
    {'loss/supervised': value_x, 'loss/unsupervised': alpha * value_u},
    {'loss/supervised': pull_x(d_x), 'loss/unsupervised': pull_u(alpha * d_u)},
    after,
    memory,
    (target, q.max(-1), mask),
  )
