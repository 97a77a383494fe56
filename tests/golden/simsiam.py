"""Chen and He (2020), equations 1 to 4: half the negative cosines between p and the other view's constant z.

Each view has its own pass; what is held constant is computed from the parameters as they are held.
"""

from golden import Case, Flow, Golden, _layers

VERSION = 1
SMALL = {'out': 3, 'bottleneck': 8}
CASES = {
  'two layers': Case(loss=-0.230591, settings=SMALL),
  'three layers': Case(loss=0.173504, settings=SMALL | {'layers': 3}),
}
FLOWS = {'loss/prediction': Flow({'encoder', 'projector', 'predictor'}, {'a', 'b'})}
OBSERVED = {'a', 'b'}
MEMORY: set[str] = set()
SETTINGS = {'out': 16, 'bottleneck': 8}
NUMBERS: dict[str, float] = {}


def objective(params, held, stats, memory, views, *, step, steps, out, bottleneck, layers=2):
  del step, steps, out, bottleneck, layers
  constant = {
    name: _layers.unit(_layers.project(held, stats, views[name]['image'])[0])[0] for name in ('a', 'b')
  }
  value, grads = 0.0, []
  for name, other in (('a', 'b'), ('b', 'a')):
    z, into_branch, new = _layers.project(params, stats, views[name]['image'])
    p, into_predictor, last = _layers.perceptron(z, params['predictor'], stats['predictor'])
    stats = {**new, 'predictor': last}
    p_hat, pull_unit = _layers.unit(p)
    value -= (p_hat * constant[other]).sum() / len(p) / 2
    d, predictor = into_predictor(pull_unit(-constant[other] / len(p) / 2))
    grads += [into_branch(d), {'predictor': predictor}]
  return Golden({'loss/prediction': value}, {'loss/prediction': _layers.add(*grads)}, stats, memory)
