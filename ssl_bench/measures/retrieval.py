"""Retrieval between the test images and their captions: recall@k, both ways."""

from ssl_bench.measures import Measure, part_of, share_of_test

WAYS = {
  'image_to_text': 'the nearest of the different test texts',
  'text_to_image': 'the nearest of the test images',
}


def _recall(way: str, k: int) -> Measure:
  first = f'recall@1: {WAYS[way]}'
  title = way.replace('_', ' ')
  return share_of_test(
    way if k == 1 else f'{way}_{k}',
    ('metrics', 'retrieval', f'{way}@{k}'),
    title if k == 1 else f'{title} @{k}',
    part_of('retrieval', f'{way}@{k}'),
    hint=first if k == 1 else f'recall@{k}: the right one is among the nearest {k}',
    source='as on Flickr30k, Karpathy and Fei-Fei 2015',
    table='retrieval',
  )


MEASURES = (
  *(_recall(way, 1) for way in WAYS),
  *(_recall(way, k) for way in WAYS for k in (5, 10)),
)
