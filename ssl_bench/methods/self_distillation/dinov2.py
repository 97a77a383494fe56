"""DINOv2: DINO's and iBOT's losses with heads apart, targets made even, and features kept from each other."""

from typing import Annotated

import jax
import jax.numpy as jnp

from ssl_bench.contract import Aux, Method
from ssl_bench.losses import cross_views, entropy, normalize, off_diagonal, sinkhorn
from ssl_bench.methods._blocks import block_masks
from ssl_bench.methods._multi_crop import by_size, multi_crop
from ssl_bench.methods._schedules import cosine_to_one
from ssl_bench.methods._target import follow
from ssl_bench.methods.self_distillation._tokens import Shares, TokenScores, masked_cross_entropy, rising
from ssl_bench.nets import core as net
from ssl_bench.nets.heads import patch_grid
from ssl_bench.settings.signature import POSITIVE, UNIT, Range, Static

VERSION = 1


def dinov2(
  encoder: net.Net,
  shape: tuple[int, ...],
  steps: float,
  *,
  temperature: Annotated[float, POSITIVE] = 0.1,
  teacher_temperature: Annotated[float, POSITIVE] = 0.07,
  first_temperature: Annotated[float, POSITIVE] = 0.04,
  warmup: Annotated[float, UNIT] = 0.3,
  iterations: Annotated[int, POSITIVE] = 3,
  ema_decay: Annotated[float, UNIT] = 0.992,
  weight: Annotated[float, Range(0)] = 1.0,
  koleo: Annotated[float, Range(0)] = 0.1,
  masking: Shares = (0.1, 0.5),
  masked: Annotated[Static, Range(0, 1)] = 0.5,
  block: Annotated[int, POSITIVE] = 4,
  crops: Annotated[int, Range(0)] = 8,
  hidden: Annotated[int, POSITIVE] = 512,
  bottleneck: Annotated[int, POSITIVE] = 128,
  out: Annotated[int, POSITIVE] = 1024,
) -> Method:
  """Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision" (2023).

  Student and teacher are nets of patches (`vit`).  In some of the student's global views a learned token
  stands in the place of the embeddings of some blocks of patches; the teacher sees these views whole.

  Objective (the authors' code): L_dino + λ L_ibot + κ L_koleo.  L_dino is −Σ_k P_t(x)_k
  log P_s(x')_k, the mean over images and pairs of a global view x and another view x'.  L_ibot is the same
  sum between the student's and the teacher's scores of one patch of one view, the mean over a view's masked
  patches and over all global views, of which one without a mask adds 0.  P_s = softmax(s / τ_s).  P_t, held
  constant, is exp(s / τ_t), made even by Sinkhorn and Knopp's iterations: over the images of both global
  views, and over all masked patches.  L_koleo is −log ‖f − f'‖, the mean over images, summed over both global
  views; f is the student's features of unit length and f' those of the nearest other image in that view.

  Args (numbers are those of the authors' default config; sinkhorn and heads apart, those of their ViT-L/14):
    temperature: τ_s (0.1).
    teacher_temperature: τ_t after the warm-up (0.07).
    first_temperature: τ_t at the start of the warm-up (0.04).
    warmup: part of the run in which τ_t rises in a line (30 of 100 epochs).
    iterations: of columns and rows (3).
    ema_decay: of the teacher at the start; 1 at the end, along a cosine (0.992).
    weight: λ (1).
    koleo: κ (0.1).
    masking: lowest and highest share of a view's patches that are masked, if any are (0.1 and 0.5).
    masked: the share of the global views in which some are, rounded down to whole views (0.5).
    block: the least area of a block that is drawn, in patches (4).
    crops: number of local views, of the config's policy `local` (8); 0: the two global ones only.
    hidden: width of the two hidden layers of each projector (2,048).
    bottleneck: width of a projection (256).
    out: number of scores of each head (K, 65,536).

  Evaluated: the teacher's encoder, as in the paper.  What stands for an image is the class token with
  `net.pool=cls`, which is the paper's, and the mean of the patches' tokens with `mean`.
  BatchNorm: none; the teacher is in evaluation mode, as in the authors' code.
  Masks are blocks as BEiT draws them (`ssl_bench.methods._blocks`).  Of the m views that are masked, one has
  a share in each m-th of the range, as in the authors' code.
  It has collapsed where the loss between views equals ln K: all scores of all images are equal.
  Deviations: those of `dino` (temperatures rise by the step, weight decay stays as it is, gradients are not
  clipped by parameter, widths are for small nets); all learning rates are equal, where theirs fall by depth;
  L_koleo is over the whole batch, where theirs is over each GPU's; no drop of paths but `net.drop_path`; at
  most 24 blocks are tried, where their code tries on until ten in a row do not fit.
  """
  patch_grid(encoder, shape, 'dinov2')
  model = TokenScores('dinov2', encoder, hidden, bottleneck, out, ('projector', 'last'))

  def init(key, views):
    params, stats, teacher = model.init(key, views)
    return params, stats, {'teacher': teacher}

  def loss(state, views, key):
    batches, n = by_size(views), len(views['a']['image'])
    mask = draw(key, views, encoder, masking=masking, masked=masked, block=block)['mask']
    own = net.fold_name(key, 'encoder')
    student, patches, features, stats = model.see(
      state.params, state.stats, batches, mask=mask, train=True, key=own
    )
    held, moments = state.memory['teacher']
    taught, patches_taught, _, _ = jax.lax.stop_gradient(model.see(held, moments, batches[:1], train=False))
    sharp = rising(state.step, steps, first_temperature, teacher_temperature, warmup)
    target = sinkhorn(taught, sharp, iterations, jnp.ones(len(taught), bool))
    which = (mask | ~mask.any()).reshape(-1)
    wanted = sinkhorn(patches_taught.reshape(-1, out), sharp, iterations, which).reshape(patches.shape)
    seen = cross_views(student.reshape(-1, n, out) / temperature, target.reshape(2, n, out))
    hidden_ones = weight * masked_cross_entropy(patches / temperature, wanted, mask)
    spread = koleo * sum(crowding(view) for view in (features[:n], features[n : 2 * n]))
    terms = {'loss/distillation': seen, 'loss/patches': hidden_ones, 'loss/koleo': spread}
    told = {'teacher_entropy': entropy(target).mean(), 'masked': mask.astype('float32').mean()}
    memory = {'teacher': (held, moments)}
    return seen + hidden_ones + spread, Aux(stats, memory, {**terms, **told})

  def update(state):
    return follow(state, 'teacher', cosine_to_one(ema_decay, state.step - 1, steps))

  return Method(multi_crop(crops), init, loss, encode=model.encode, update=update, kinds=('image', 'audio'))


def crowding(features, epsilon=1e-8):
  """−log of the distance to the nearest other row, of unit lengths, the mean over rows.  [batch, d]."""
  units = normalize(features)
  close = jax.lax.stop_gradient(jnp.matmul(units, units.T, precision='highest'))
  nearest = units[jnp.argmax(off_diagonal(close + 2), 1)]
  distance = jnp.sqrt(jnp.square(units - nearest + epsilon).sum(-1))
  return -jnp.log(distance + epsilon).mean()


def draw(key, views, encoder, *, masking, masked, block):
  """Which patches of the global views are masked, bool [2 · batch, patches]; view a, then b."""
  order, within = jax.random.split(net.fold_name(key, 'share'))
  count = 2 * len(views['a']['image'])
  some = int(count * masked)
  at = jnp.arange(count, dtype='float32')
  part = (at + jax.random.uniform(within, (count,))) / max(some, 1)
  share = jnp.where(at < some, masking[0] + (masking[1] - masking[0]) * part, 0)
  share = jax.random.permutation(order, share)
  rows, columns = (size // encoder.patch for size in views['a']['image'].shape[1:3])
  most = jnp.floor(share * (rows * columns))
  return {'mask': block_masks(net.fold_name(key, 'mask'), most, rows, columns, block)}
