"""DINO: from any crop, predict a teacher's centered and sharpened scores of a global one."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, moving_average
from ssl_bench.losses import cross_views, entropy, normalize
from ssl_bench.methods._multi_crop import by_size, multi_crop
from ssl_bench.methods._schedules import cosine_to_one, linear_ramp
from ssl_bench.methods._target import follow
from ssl_bench.nets import core as net
from ssl_bench.nets import heads
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def dino(
  encoder: net.Net,
  steps: float,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  teacher_temperature: Annotated[float, POSITIVE] = 0.04,
  first_temperature: Annotated[float, POSITIVE] = 0.04,
  warmup: Annotated[float, UNIT] = 0.0,
  ema_decay: Annotated[float, UNIT] = 0.996,
  center_decay: Annotated[float, UNIT] = 0.9,
  crops: Annotated[int, Range(0)] = 8,
  hidden: Annotated[int, POSITIVE] = 512,
  bottleneck: Annotated[int, POSITIVE] = 128,
  out: Annotated[int, POSITIVE] = 1024,
  batch_norm: bool = False,
) -> Method:
  """Caron et al., "Emerging Properties in Self-Supervised Vision Transformers" (2021).

  Objective: −Σ_k P_t(x)_k log P_s(x')_k, the mean over images and over all pairs of a global view x and
  another view x', global or local.  P_s = softmax(s / τ_s) by the student, P_t = softmax((s − c) / τ_t) by
  the teacher, held constant; scores s are cosines of the projection to the rows of the last layer.  After the
  loss, c ← m c + (1 − m) · mean of the teacher's scores, over images and both global views.

  Args (numbers are those of the authors' code):
    temperature: τ_s (0.1).
    teacher_temperature: τ_t after the warm-up (0.04; for 300 epochs 0.07; less against collapse).
    first_temperature: τ_t at the start of the warm-up (0.04).
    warmup: part of the run in which τ_t goes linearly from the first to the last (none; 30 of 300 epochs).
    ema_decay: λ, of the teacher at the start; 1 at the end, along a cosine (0.996; batches of 256: 0.9995).
    center_decay: m (0.9).
    crops: number of local views, of the config's policy `local` (8); 0: the two global ones only.
    hidden: width of the two hidden layers of the projector (2,048).
    bottleneck: width of the projection (256).
    out: number of scores (K, 65,536).
    batch_norm: in the projector's hidden layers (off; the authors' code: `use_bn_in_head`).

  Evaluated: the teacher's encoder, as in the paper.
  Heads: three linear layers with GELU between them and, if asked, BatchNorm; unit length, and a last layer
  with weights of unit length and no bias: its gain stays 1 (`norm_last_layer` in the authors' code).
  BatchNorm: in the encoder a pass for each size of crops, in the projector all crops together; the teacher
  sees the global views and keeps its own moments.
  To freeze the last layer in the first epoch, write `groups: {last: {schedule: "cosine(7/16, frozen=0.01)"}}`
  in the optimizer's section (for 100 epochs).  The second global view is the policy `other`.
  It has collapsed where `teacher_entropy` and the loss equal ln K: all scores of all images are equal.
  Deviations: τ_t rises by the step, not by the epoch; weight decay stays what the optimizer says, where it
  rises from 0.04 to 0.4 for transformers; gradients, if at all, are clipped by their global norm, where the
  authors' code clips each parameter's; layers are initialized as elsewhere here; the default widths are for
  small nets.
  """
  head = heads.projector(
    hidden, hidden, bottleneck, norm='batch' if batch_norm else 'none', activation='gelu'
  )
  model = net.chain(encoder=net.each(encoder), projector=head)

  def init(key, views):
    params, stats = model.init(jax.random.fold_in(key, 0), *by_size(views))
    params['last'] = jax.random.normal(jax.random.fold_in(key, 1), (out, bottleneck))
    return params, stats, {'teacher': (params, stats), 'center': jnp.zeros(out)}

  def score(params, stats, batches, key):
    """Cosines [2 · batch + crops · batch, out], and the moments after."""
    seen, stats = model.apply(params, stats, *batches, train=True, key=key)
    units = normalize(seen['projector']), normalize(params['last'])
    return jnp.matmul(units[0], units[1].T, precision='highest'), stats

  def loss(state, views, key):
    keys = [jax.random.fold_in(key, i) for i in range(2)]
    shape = -1, len(views['a']['image']), out
    student, stats = score(state.params, state.stats, by_size(views), keys[0])
    params, moments = state.memory['teacher']
    taught, moments = score(params, moments, by_size(views)[:1], keys[1])
    rise = linear_ramp(state.step, jnp.maximum(warmup * steps, 1e-6))
    sharp = first_temperature + (teacher_temperature - first_temperature) * rise
    sharp = jnp.where(warmup > 0, sharp, teacher_temperature)
    target = jax.nn.softmax((taught - state.memory['center'][None]) / sharp)
    value = cross_views(student.reshape(shape) / temperature, target.reshape(shape))
    center = moving_average(state.memory['center'], taught.mean(0), center_decay)
    told = {'teacher_entropy': entropy(target).mean(), 'outputs_used': jnp.exp(entropy(target.mean(0)))}
    memory = {'teacher': (params, moments), 'center': center}
    return value, Aux(stats, memory, {'loss/distillation': value, **told})

  def update(state):
    return follow(state, 'teacher', cosine_to_one(ema_decay, state.step - 1, steps))

  encode = net.output(model, 'encoder', lambda state: state.memory['teacher'])
  return Method(multi_crop(crops), init, loss, encode=encode, update=update)
