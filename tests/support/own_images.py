"""Small real images as a user has them: folders of PNG and JPEG files, CSV, npz and Parquet."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from support.images import photos

CLASSES = ('cat', 'dog')


def pictures(number: int, side: int = 12, first: int = 0) -> list[np.ndarray]:
  """Different uint8 images [side, side, 3]: crops of photographs, each with a mark of its own."""
  source = photos(side)
  found = []
  for i in range(first, first + number):
    image = source[i % len(source)].copy()
    image[0, 0] = (i % 251, i // 251, 7)
    found.append(image)
  return found


def encoded(image: np.ndarray, kind: str = 'PNG', **options: Any) -> bytes:
  file = io.BytesIO()
  Image.fromarray(image).save(file, format=kind, **options)
  return file.getvalue()


def write(path: Path, content: bytes) -> Path:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(content)
  return path


def write_classes(
  folder: Path, classes: Iterable[str] = CLASSES, each: int = 10, side: int = 12, first: int = 0
) -> Path:
  """A folder for each class, of PNG files."""
  for place, name in enumerate(classes):
    for i, image in enumerate(pictures(each, side, first + place * each)):
      write(folder / name / f'{i}.png', encoded(image))
  return folder


def write_csv(path: Path, rows: Iterable[Iterable[Any]]) -> Path:
  path.parent.mkdir(parents=True, exist_ok=True)
  with path.open('w', newline='', encoding='utf-8') as file:
    csv.writer(file).writerows(rows)
  return path


def write_flat(folder: Path, number: int = 20) -> tuple[Path, Path]:
  """One folder of images, and a CSV file of their labels."""
  for i, image in enumerate(pictures(number)):
    write(folder / f'{i}.png', encoded(image))
  rows = [[f'{i}.png', CLASSES[i % 2]] for i in range(number)]
  return folder, write_csv(folder.parent / 'labels.csv', [['file', 'label'], *rows])


def write_npz(path: Path, **arrays: Any) -> Path:
  """An npz file of 20 images of two classes; a given array takes the place of one, None leaves it out."""
  usual = {'images': np.stack(pictures(20)), 'labels': np.arange(20) % 2}
  np.savez(path, **{k: v for k, v in {**usual, **arrays}.items() if v is not None})
  return path


def write_parquet(path: Path, columns: Mapping[str, Any], features: Mapping[str, Any] | None = None) -> Path:
  import json

  import pyarrow as pa
  import pyarrow.parquet as parquet

  table = pa.table(dict(columns))
  if features is not None:
    text = json.dumps({'info': {'features': features}})
    table = table.replace_schema_metadata({'huggingface': text})
  path.parent.mkdir(parents=True, exist_ok=True)
  parquet.write_table(table, path)
  return path


def rows_of(data: Any, part: str) -> list[bytes]:
  """One sorted byte string for each image and label of a part: sets of another order compare equal."""
  images, labels = getattr(data, f'{part}_images'), getattr(data, f'{part}_labels')
  return sorted(np.asarray(image).tobytes() + bytes([label]) for image, label in zip(images, labels))
