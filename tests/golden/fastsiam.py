"""Pototzky et al. (2022): each view predicts the mean of the other views' projections, held constant."""

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'out': 3, 'bottleneck': 8}
CASES = {
  'four views': Case(loss=0.0359537, settings=SMALL),
  'two views, three layers': Case(loss=0.173504, settings=SMALL | {'views': 2, 'layers': 3}),
}
FLOWS = {'loss/prediction': Flow({'encoder', 'projector', 'predictor'}, {'a', 'b', 'c', 'd'})}
OBSERVED = {'a', 'b', 'c', 'd'}
MEMORY: set[str] = set()
SETTINGS = {'out': 16, 'bottleneck': 8}
NUMBERS: dict[str, float] = {}


def objective(params, held, stats, memory, seen, *, step, steps, out, bottleneck, views=4, layers=2):
  del step, steps, out, bottleneck, layers
  names = 'abcd'[:views]
  constant = {name: _layers.project(held, stats, seen[name]['image'])[0] for name in names}
  value, grads = 0.0, []
  for name in names:
    others = [constant[other] for other in names if other != name]
    target, _ = _layers.unit(sum(others) / len(others))
    z, into_branch, new = _layers.project(params, stats, seen[name]['image'])
    p, into_predictor, last = _layers.perceptron(z, params['predictor'], stats['predictor'])
    stats = {**new, 'predictor': last}
    p_hat, pull_unit = _layers.unit(p)
    value -= (p_hat * target).sum() / len(p) / views
    d, predictor = into_predictor(pull_unit(-target / len(p) / views))
    grads += [into_branch(d), {'predictor': predictor}]
  return Golden({'loss/prediction': value}, {'loss/prediction': _layers.add(*grads)}, stats, memory)
