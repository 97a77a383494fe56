"""The base of every combinator: it gives a method a second memory beside its own."""

from collections.abc import Callable
from typing import Any

from ssl_bench.contract import Method, State
from ssl_bench.settings.signature import BadSetting


def with_memory(method: Method, own: Any, learn: Callable, *, guide: Callable, sample=None) -> Method:
  """Wraps a method so that a combinator can remember, and change the pseudo-labels of one view.

  Args:
    method: the method; it sees its own memory only.
    own: the combinator's memory at the start, a pytree.
    learn: (own, state, views, PseudoLabels) -> own, after a loss.
    guide: (own, state) -> changes, which `believe` reads from the view: `log_prior` [classes], `keep`
      [examples], both or neither.  They add to those of other combinators.
    sample: (own, key, size) -> positions of the next unlabeled batch; None: the method draws it.

  Raises `BadSetting` for a method that makes no pseudo-labels by `believe`.
  """
  name, drawn = method.believes, method.sample
  if name is None:
    raise BadSetting(
      'combine: this method makes no pseudo-labels that could be changed; take another, such as fixmatch.'
    )

  def inner(s: State) -> State:
    return s._replace(memory=s.memory['inner'])

  def wrap(s: State, own) -> State:
    return s._replace(memory={'inner': s.memory, 'own': own})

  def init(key, views):
    params, stats, memory = method.init(key, views)
    return params, stats, {'inner': memory, 'own': own}

  def loss(s, views, key):
    assert method.loss is not None
    told = {'log_prior': 0.0, 'keep': True} | views[name]
    said = guide(s.memory['own'], s)
    view = dict(views[name])
    if 'log_prior' in said:
      view['log_prior'] = told['log_prior'] + said['log_prior']
    if 'keep' in said:
      view['keep'] = told['keep'] & said['keep'][view['index']]
    value, aux = method.loss(inner(s), {**views, name: view}, key)
    new = learn(s.memory['own'], s, views, aux.pseudo)
    return value, aux._replace(memory={'inner': aux.memory, 'own': new})

  def relabel(refresh):
    return lambda s, data, key, tx: wrap(refresh(inner(s), data, key, tx), s.memory['own'])

  def read(look):
    return lambda s, *images: look(inner(s), *images)

  def draw(choose, part):
    return choose and (lambda s, key, size: choose(part(s), key, size))

  return method._replace(
    init=init,
    loss=loss,
    update=lambda s: wrap(method.update(inner(s)), s.memory['own']),
    refresh=method.refresh and relabel(method.refresh),
    sample=draw(sample, lambda s: s.memory['own']) or draw(drawn, inner),
    encode=read(method.encode),
    predict=method.predict and read(method.predict),
    transduce=method.transduce and read(method.transduce),
    reconstruction_error=method.reconstruction_error and read(method.reconstruction_error),
  )
