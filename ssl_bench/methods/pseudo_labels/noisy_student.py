"""Noisy Student: label everything, start again with noise, repeat."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, PseudoLabels, Teacher, View, concatenate, look_at_all, scale
from ssl_bench.losses import cross_entropy, soft_cross_entropy
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import UNIT, Range

VERSION = 1


def noisy_student(
  encoder: net.Net,
  classes: int,
  examples: int,
  steps: float,
  teacher: Teacher | None = None,
  *,
  stages: Annotated[int, Range(1)] = 3,
  soft: bool = True,
  balance: bool = True,
  threshold: Annotated[float, UNIT] = 0.3,
  weight: Annotated[float, Range(0)] = 1.0,
) -> Method:
  """Xie et al., "Self-training with Noisy Student improves ImageNet classification" (2020).

  A network is trained on the labeled images; it labels all others; a new one, trained from the start on both,
  takes its place; and so on.  The students are noised, by strong augmentation and by the net's dropout; the
  network that labels is not.

  Objective (algorithm 1): mean H(y, p(s(x))) + weight · mean ω H(q, p(s(u))), with q the pseudo-label of u
  and ω its share.  In the first stage ω = 0, unless there is a teacher (`teacher` in the config, another
  trial's trained network, of any size): it labels at the end of the first epoch, and the stage begins there.

  Pseudo-labels: the network's prediction on the image as it is, where its confidence is above the threshold;
  of each class the most confident ones, as many for all classes (section 3.1).  ω is 0 for the rest and 1 in
  the mean, so that the second mean is over what was selected.

  Args:
    stages: trainings from the start in one run, of equal length, each with the optimizer's whole schedule
      (the paper has three after the first).  A stage begins at the end of an epoch.
    soft: pseudo-labels are distributions, as in the paper, or else classes.
    balance: give all classes the same share.
    threshold: confidence in [0, 1] above which a pseudo-label is used (section 3.1: 0.3).
    weight: of the second term (algorithm 1: 1).

  Memory: the stage, and of each unlabeled image the pseudo-label (`belief`) and ω (`share`).

  Evaluated: the last student; under `with_ema` its average, which starts anew with each stage.  Pseudo-labels
  are those of the network itself.
  One forward pass sees labeled and unlabeled images together, in the first stage as well.
  Deviations: all students have one net; a larger one is a second trial whose `teacher` is the first.  Where a
  class has too few images, theirs weigh more, where the paper repeats some at random.  No stochastic depth,
  and no last training at a higher resolution.
  """
  model = net.chain(encoder=encoder, head=heads.linear(classes))

  def init(key, views):
    memory = {
      'stage': jnp.int32(-1 if teacher else 0),
      'belief': jnp.zeros((examples, classes), 'float32'),
      'share': jnp.zeros(examples, 'float32'),
    }
    return *model.init(key, views['labeled']['image']), memory

  def loss(state, views, key):
    x, u, index = views['labeled']['image'], views['unlabeled']['image'], views['unlabeled']['index']
    out, stats = model.apply(state.params, state.stats, concatenate([x, u]), train=True, key=key)
    on_x, on_u = jnp.split(out['head'], [len(x)])
    belief, share = state.memory['belief'][index], state.memory['share'][index]
    labeled = cross_entropy(on_x, views['labeled']['label']).mean()
    unlabeled = weight * (share * soft_cross_entropy(on_u, belief)).mean()
    agreement = (on_u.argmax(-1) == belief.argmax(-1)).mean()
    metrics = {'loss/supervised': labeled, 'loss/unsupervised': unlabeled, 'agreement': agreement}
    pseudo = PseudoLabels(index, belief.argmax(-1), belief.max(-1), share > 0)
    return labeled + unlabeled, Aux(stats, state.memory, metrics, pseudo)

  def refresh(state, data, key, tx):
    stage = jnp.minimum((state.step * stages).astype('float32') / steps, stages - 1).astype('int32')

    def restart(state):
      images = data['unlabeled']['image']
      belief = jax.nn.softmax(look_at_all(lambda images: judge(state, images), images, kind=encoder.kind))
      memory = {'stage': stage, 'belief': belief, 'share': share_out(belief, threshold, balance)}
      if not soft:
        memory['belief'] = jax.nn.one_hot(belief.argmax(-1), classes)
      params, stats = model.init(key, scale(images[:1], encoder.kind))
      return state._replace(params=params, stats=stats, memory=memory, opt_state=tx.init(params))

    return jax.lax.cond(stage > state.memory['stage'], restart, lambda state: state, state)

  def judge(state, images):
    """Logits of whoever labels now."""
    own = lambda images: predict(state, images)
    return jax.lax.cond(state.memory['stage'] < 0, teacher.predict, own, images) if teacher else own(images)

  encode, predict = net.output(model, 'encoder'), net.output(model, 'head')
  views = {'labeled': View('labeled', 'strong'), 'unlabeled': View('unlabeled', 'strong')}
  return Method(views, init, loss, encode=encode, predict=predict, refresh=refresh, trainings=stages)


def share_out(belief, threshold, balance):
  """How much each image counts, 1 in the mean: the confident ones, and of each class the same number."""
  label, confidence = belief.argmax(-1), belief.max(-1)
  share = (confidence > threshold).astype('float32')
  if balance:
    label = jnp.where(share > 0, label, belief.shape[-1])
    order = jnp.lexsort((-confidence, label))
    count = jnp.bincount(label, length=belief.shape[-1] + 1)
    rank = jnp.zeros_like(label).at[order].set(jnp.arange(len(label))) - (jnp.cumsum(count) - count)[label]
    number = count[:-1].sum() / belief.shape[-1]
    taken = jnp.minimum(count.astype('float32'), jnp.ceil(number))
    share = jnp.where(
      (share > 0) & (rank.astype('float32') < number), number / jnp.maximum(taken[label], 1), 0
    )
  return share * len(share) / jnp.maximum(share.sum(), 1e-12)
