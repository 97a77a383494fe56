"""What else was measured: the columns of a table of its own, below the ranking."""

from ssl_bench.leaderboard.cells import NOTHING, Cell
from ssl_bench.leaderboard.columns import METHOD, VARIANT, Column, in_percent, measured
from ssl_bench.leaderboard.rows import Row


def _graph_probe(title: str, name: str) -> tuple[Column, Column]:
  hint = "a graph of the training part's features, with the row's labels"
  return (
    in_percent(f'{title}, %', name, f'{hint}: accuracy on test images'),
    in_percent(f'{title}, transductive, %', f'{name}_inside', f'{hint}: on its images without a label'),
  )


def _recalls(title: str, name: str) -> tuple[Column, Column]:
  five, ten = (
    in_percent(f'{title} @{k}, %', f'{name}_{k}', f'recall@{k}: the right one is among the nearest {k}')
    for k in (5, 10)
  )
  return five, ten


def _total(row: Row) -> Cell:
  total = row.training_gflops
  return NOTHING if total is None else Cell(f'{total:,.0f}', total)


ATTACK = 'attack that tells labeled images from test images by their losses; 0.5 is a guess'
MEMBERSHIP = measured('membership AUC', 'membership_auc', ATTACK)
FURTHER = (
  METHOD,
  VARIANT,
  in_percent('final, %', 'accuracy', 'the evaluated weights after the last step: the number that is ranked'),
  in_percent('raw weights, %', 'raw', 'without the average of the parameters'),
  in_percent('selected on validation, %', 'validation_selected'),
  in_percent('median of last, %', 'median_last', 'median of the last evaluations'),
  in_percent(
    'best on test ‡, %', 'best_on_test', 'selected on test: only to be set beside tables that did so'
  ),
  in_percent('worst class, %', 'worst_class', 'lowest accuracy of a class, on its test images'),
  in_percent('best − worst class, points', 'class_spread', 'highest minus lowest accuracy of a class'),
  in_percent('kNN 200, %', 'knn200', 'cosine, k = 200'),
  *_graph_probe('label propagation', 'propagated'),
  *_graph_probe('label spreading', 'spread'),
  measured('temperature', 'temperature', digits=2),
  measured('NLL isotonic', 'nll_isotonic'),
  measured('ECE isotonic', 'ece_isotonic'),
  measured('ECE adaptive', 'ece_adaptive'),
  measured('ECE class-wise', 'ece_classwise'),
  measured('MCE', 'mce'),
  in_percent(
    'agreement, %',
    'agreement',
    "unlabeled images whose predicted class is the target's: that of another view under the same network, or "
    'that of a teacher, as the method has it; over the last log interval only',
  ),
  in_percent('image to text, %', 'image_to_text', 'recall@1: the nearest of the different test texts'),
  in_percent('text to image, %', 'text_to_image', 'recall@1: the nearest of the test images'),
  *_recalls('image to text', 'image_to_text'),
  *_recalls('text to image', 'text_to_image'),
  MEMBERSHIP,
  measured('std × √d', 'feature_std', 'features of the encoder; collapsed below 0.1', 2),
  measured('RankMe', 'rankme', 'effective rank of the features', 1),
  measured(
    'embedding entropy',
    'embedding_entropy',
    'differential entropy of features on the sphere, nats; of one width only',
    1,
  ),
  measured('alignment', 'alignment'),
  measured('uniformity', 'uniformity', digits=2),
  measured('images/s', 'images_per_second', 'in training', digits=0),
  measured('compile, s', 'compile_seconds', 'to compile the training step, before the first step', 1),
  measured('MFLOPs per image', 'gflops_per_image', 'of a prediction, counted as lowered', 2, scale=1000),
  measured('images/s, prediction', 'inference_images_per_second', digits=0),
  measured('peak memory, MiB', 'peak_memory_bytes', digits=0, scale=2**-20),
  Column('training GFLOPs', "over the whole run, its teacher's included", _total, optional=True),
)
