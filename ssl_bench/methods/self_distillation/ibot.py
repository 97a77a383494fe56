"""iBOT: DINO's loss between views, and the same between masked patches and a teacher that sees them."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method, moving_average
from ssl_bench.losses import cross_views, entropy
from ssl_bench.methods._blocks import block_masks
from ssl_bench.methods._multi_crop import by_size, multi_crop
from ssl_bench.methods._schedules import cosine_to_one
from ssl_bench.methods._target import follow
from ssl_bench.methods.self_distillation._tokens import Shares, TokenScores, masked_cross_entropy, rising
from ssl_bench.nets import core as net
from ssl_bench.nets.heads import patch_grid
from ssl_bench.settings.signature import POSITIVE, UNIT, Range

VERSION = 1


def ibot(
  encoder: net.Net,
  shape: tuple[int, ...],
  steps: float,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  teacher_temperature: Annotated[float, POSITIVE] = 0.07,
  patch_temperature: Annotated[float, POSITIVE] = 0.07,
  first_temperature: Annotated[float, POSITIVE] = 0.04,
  warmup: Annotated[float, UNIT] = 0.0375,
  ema_decay: Annotated[float, UNIT] = 0.996,
  center_decay: Annotated[float, UNIT] = 0.9,
  weight: Annotated[float, Range(0)] = 1.0,
  masking: Shares = (0.1, 0.5),
  masked: Annotated[float, UNIT] = 0.5,
  shared: bool = True,
  crops: Annotated[int, Range(0)] = 10,
  hidden: Annotated[int, POSITIVE] = 512,
  bottleneck: Annotated[int, POSITIVE] = 128,
  out: Annotated[int, POSITIVE] = 1024,
) -> Method:
  """Zhou et al., "iBOT: Image BERT Pre-Training with Online Tokenizer" (2022).

  Student and teacher are nets of patches (`vit`).  In some of the student's global views a learned token
  stands in the place of the embeddings of some blocks of patches; the teacher sees these views whole.

  Objective (the authors' code): L_cls + λ L_patch.  L_cls is DINO's: −Σ_k P_t(x)_k log P_s(x')_k, the mean
  over images and pairs of a global view x and another view x'.  L_patch is the same sum between the student's
  and the teacher's scores of one patch of one view, the mean over an image's masked patches, and over images
  and both global views, of which one without a mask adds 0.  P_s = softmax(s / τ_s), P_t = softmax((s − c) /
  τ_t), held constant, with a center and a temperature for images and others for patches.  After the loss,
  c ← m c + (1 − m) · mean of the teacher's scores of all global views, for patches over all patches.

  Args (numbers are those of the README's command for ViT-S/16 and of the code's defaults):
    temperature: τ_s (0.1).
    teacher_temperature: τ_t of images after the warm-up (0.07).
    patch_temperature: τ_t of patches after the warm-up (0.07).
    first_temperature: both at the start of the warm-up (0.04).
    warmup: part of the run in which they rise in a line (30 of 800 epochs).
    ema_decay: of the teacher at the start; 1 at the end, along a cosine (0.996; batches of 256: 0.9995).
    center_decay: m (0.9).
    weight: λ (1).
    masking: lowest and highest share of a view's patches that are masked, if any are (0.1 and 0.5).
    masked: the probability that any are (0.5).
    shared: whether images and patches have one head; else the last layer is one of their own (shared).
    crops: number of local views, of the config's policy `local` (10); 0: the two global ones only.
    hidden: width of the two hidden layers of the projector (2,048).
    bottleneck: width of the projection (256).
    out: number of scores (K, 8,192).

  Evaluated: the teacher's encoder, as in the paper.  What stands for an image is the class token with
  `net.pool=cls`, which is the paper's, and the mean of the patches' tokens with `mean`.
  BatchNorm: none; the teacher is in evaluation mode, so it drops no paths, as in the authors' code.
  Masks are blocks as BEiT draws them (`ssl_bench.methods._blocks`), with areas from (side // 3)² on.
  It has collapsed where `teacher_entropy` and the loss equal ln K: all scores of all images are equal.
  Deviations: those of `dino` (temperatures rise by the step, weight decay stays as it is, gradients are not
  clipped by parameter, widths are for small nets), and the last layer's gain stays 1 (theirs is trained in
  ViT-S); at most 24 blocks are tried, where their code tries on until ten in a row do not fit.
  """
  patch_grid(encoder, shape, 'ibot')
  model = TokenScores('ibot', encoder, hidden, bottleneck, out, () if shared else ('last',))

  def init(key, views):
    params, stats, teacher = model.init(key, views)
    centers = {'center': jnp.zeros(out), 'patch_center': jnp.zeros(out)}
    return params, stats, {'teacher': teacher, **centers}

  def loss(state, views, key):
    batches, shape = by_size(views), (-1, len(views['a']['image']), out)
    mask = draw(key, views, encoder, masking=masking, masked=masked)['mask']
    own = net.fold_name(key, 'encoder')
    student, patches, _, stats = model.see(state.params, state.stats, batches, mask=mask, train=True, key=own)
    held, moments = state.memory['teacher']
    taught, patches_taught, _, _ = jax.lax.stop_gradient(model.see(held, moments, batches[:1], train=False))
    center, patch_center = state.memory['center'], state.memory['patch_center']
    sharp, patch_sharp = (
      rising(state.step, steps, first_temperature, last, warmup)
      for last in (teacher_temperature, patch_temperature)
    )
    target = jax.nn.softmax((taught - center[None]) / sharp)
    wanted = jax.nn.softmax((patches_taught - patch_center[None, None]) / patch_sharp)
    seen = cross_views(student.reshape(shape) / temperature, target.reshape(shape))
    hidden_ones = weight * masked_cross_entropy(patches / temperature, wanted, mask)
    told = {'teacher_entropy': entropy(target).mean(), 'outputs_used': jnp.exp(entropy(target.mean(0)))}
    memory = {
      **state.memory,
      'center': moving_average(center, taught.mean(0), center_decay),
      'patch_center': moving_average(patch_center, patches_taught.mean((0, 1)), center_decay),
    }
    terms = {'loss/distillation': seen, 'loss/patches': hidden_ones}
    return seen + hidden_ones, Aux(stats, memory, {**terms, **told, 'masked': mask.astype('float32').mean()})

  def update(state):
    return follow(state, 'teacher', cosine_to_one(ema_decay, state.step - 1, steps))

  return Method(multi_crop(crops), init, loss, encode=model.encode, update=update, kinds=('image', 'audio'))


def draw(key, views, encoder, *, masking, masked):
  """Which patches of the global views are masked, bool [2 · batch, patches]; view a, then b."""
  chance, share = jax.random.uniform(net.fold_name(key, 'share'), (2, 2 * len(views['a']['image'])))
  share = jnp.where(chance < masked, masking[0] + (masking[1] - masking[0]) * share, 0)
  rows, columns = (size // encoder.patch for size in views['a']['image'].shape[1:3])
  most, smallest = share * (rows * columns), (min(rows, columns) // 3) ** 2
  return {'mask': block_masks(net.fold_name(key, 'mask'), most, rows, columns, smallest)}
