"""Distillation: a network learns the logits or the features of a trained one on unlabeled images."""

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, Teacher, View, concatenate, moving_average, use_all
from ssl_bench.losses import cosine_distance, cross_entropy, soft_cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, BadSetting, Range

VERSION = 1


def distill(
  encoder: net.Net,
  classes: int,
  teacher: Teacher,
  *,
  targets: Literal['logits', 'features', 'both'] = 'logits',
  supervised: bool = True,
  strong: bool = False,
  moving: bool = False,
  temperature: Annotated[float, POSITIVE] = 4.0,
  logits_weight: Annotated[float, Range(0)] = 1.0,
  features_weight: Annotated[float, Range(0)] = 1.0,
  ema_decay: Annotated[float, UNIT] = 0.999,
) -> Method:
  """Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015), and Romero et al.,
  "FitNets: Hints for thin deep nets" (2015).

  The teacher is another trial's trained network (`teacher` in the config), of any size; teacher and student
  see the same view of an unlabeled image.

  Objective: mean H(y, p(w(x))) + logits_weight · T² · mean H(p′(u; T), p(u; T)) + features_weight · mean
  ‖r(f(u))/‖r(f(u))‖ − f′(u)/‖f′(u)‖‖².  p(·; T) is the softmax of logits divided by the temperature T, and
  T² keeps the gradient's size (Hinton et al., section 2); f are the encoder's features, ′ marks the teacher,
  and r, trained with the student, maps its features linearly to as many as the teacher's (the regressor of
  FitNets).

  Args:
    targets: which of the teacher's outputs are learned.
    supervised: also learn from the labeled images; without, and on features, there is no classifier, and the
      student is self-supervised if its teacher is.
    strong: teacher and student see strongly augmented images instead of weakly augmented ones.
    moving: the student starts from the teacher's weights, and the teacher then follows the student as a
      moving average; both need the same net.  Else the teacher stays as it was trained.
    temperature: of both softmaxes (T; Hinton et al., section 3, try 1 to 20).
    logits_weight: of the soft targets (Hinton et al. weigh the labels considerably less).
    features_weight: of the features.
    ema_decay: of a moving teacher, per step.

  Evaluated: the student; under `with_ema` its average.  A moving teacher is evaluated with the moving
  averages of the student's BatchNorm moments.
  BatchNorm: labeled and unlabeled images pass through the student together.
  Deviations: FitNets' hints are from a layer in the middle, unnormalized, and come in a stage of their own;
  ours are the last features, at unit length, and stay.
  """
  on_logits, on_features = targets != 'features', targets != 'logits'
  parts = {'encoder': encoder, **({'head': heads.linear(classes)} if supervised or on_logits else {})}
  model = net.chain(**parts)
  if on_logits and teacher.predict is None:
    raise BadSetting('The teacher has no classifier; write method.targets=features to learn its features.')

  def init(key, views):
    images = views['unlabeled']['image']
    params, stats = model.init(key, images)
    memory: Any = ()
    if moving:
      trained = tuple({name: tree.get(name) for name in parts} for tree in (teacher.params, teacher.stats))
      if jax.tree.map(jnp.shape, trained) != jax.tree.map(jnp.shape, (params, stats)):
        raise BadSetting(
          'A moving teacher needs the net of its student; name it, or write method.moving=false.'
        )
      (params, stats), memory = trained, {'teacher': trained}
    if on_features:
      features, _ = encoder.apply(params['encoder'], stats['encoder'], images, train=False)
      _, target = ask(memory, images)
      regressor, _ = heads.linear(target.shape[-1]).init(net.fold_name(key, 'regressor'), features)
      params = {**params, 'regressor': regressor}
    return params, stats, memory

  def ask(memory, images):
    """The teacher's logits and features, as far as they are learned."""
    if moving:
      out, _ = model.apply(*memory['teacher'], images, train=False)
      return out.get('head'), out['encoder']
    return on_logits and teacher.predict(images), on_features and teacher.encode(images)

  def loss(state, views, key):
    images = concatenate([view['image'] for view in views.values()])
    out, stats = model.apply(state.params, state.stats, images, train=True, key=key)
    start, u = len(images) - len(views['unlabeled']['image']), views['unlabeled']
    logits, features = ask(state.memory, u['image'])
    metrics, agreement, pseudo = {}, {}, None
    if supervised:
      metrics['loss/supervised'] = cross_entropy(out['head'][:start], views['labeled']['label']).mean()
    if on_logits:
      mine, belief = out['head'][start:], jax.nn.softmax(logits)
      soft = soft_cross_entropy(mine / temperature, jax.nn.softmax(logits / temperature))
      metrics['loss/logits'] = logits_weight * temperature**2 * soft.mean()
      pseudo = use_all(u['index'], belief)
      agreement = {'agreement': (mine.argmax(-1) == pseudo.label).mean()}
    if on_features:
      regressor = heads.linear(features.shape[-1])
      mapped, _ = regressor.apply(state.params['regressor'], {}, out['encoder'][start:], train=True)
      metrics['loss/features'] = features_weight * cosine_distance(mapped, features).mean()
    value = sum(metrics.values())
    return value, Aux(stats, state.memory, metrics | agreement, pseudo)

  def follow(state):
    """A moving teacher, after the student has moved."""
    student = {name: state.params[name] for name in parts}, state.stats
    return state._replace(memory={'teacher': moving_average(state.memory['teacher'], student, ema_decay)})

  views = {'labeled': View('labeled', 'weak')} if supervised else {}
  views['unlabeled'] = View('unlabeled', 'strong' if strong else 'weak')
  encode = net.output(model, 'encoder')
  predict = net.output(model, 'head') if 'head' in parts else None
  method = Method(views, init, loss, encode=encode, predict=predict)
  return method._replace(update=follow) if moving else method
