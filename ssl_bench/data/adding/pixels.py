"""One image as pixels: its size and color before it is read, and its uint8 array after.

Pillow reads it.  The first steps are the same for all images: orientation as EXIF says, 16 bits to 8,
transparency onto white, then gray or RGB, then the size.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from ssl_bench.data.adding.given import Raw

SUFFIXES = ('.png', '.jpg', '.jpeg', '.jpe', '.bmp', '.gif', '.webp', '.tif', '.tiff', '.ppm', '.pgm', '.pbm')
ORIENTATION = 0x0112  # the tag of EXIF
TURNED = (5, 6, 7, 8)  # orientations that swap height and width
GRAY = ('1', 'L', 'LA', 'La', 'I;16', 'I;16L', 'I;16B', 'I;16N')
COLOR = ('RGB', 'RGBA', 'RGBa', 'RGBX', 'P', 'PA', 'CMYK', 'YCbCr', 'LAB', 'HSV')
ALPHA = ('LA', 'La', 'RGBA', 'RGBa', 'PA')
FILTER = Image.Resampling.BILINEAR  # antialiased where it shrinks
MOST_BYTES = 1 << 30  # of one image file

SAID = {
  'turned': 'turned as EXIF says',
  'alpha': 'with transparency, laid on white',
  'sixteen': 'of 16 bits, of which the upper 8 are kept',
  'palette': 'with a palette, as the colors it names',
  'cmyk': 'in CMYK or another color space, converted to RGB',
  'one bit': 'of 1 bit, as 0 and 255',
}


class Unreadable(ValueError):
  """An image cannot be used; the message is a clause that says why."""


class Look(NamedTuple):
  """What the head of an image says: (height, width), whether it is gray, and keys of `SAID`."""

  size: tuple[int, int]
  gray: bool
  said: tuple[str, ...]


def content(raw: Raw) -> bytes | np.ndarray:
  """The bytes of a file, or what was given."""
  if not isinstance(raw, Path):
    return raw
  try:
    if raw.stat().st_size > MOST_BYTES:
      raise Unreadable('is larger than 1 GiB')
    return raw.read_bytes()
  except OSError as error:
    raise Unreadable(f'cannot be read ({error.strerror})') from error


def look(raw: Raw) -> Look:
  """What the head of an image says; raises `Unreadable` for what is no image or of an unknown kind."""
  with _opened(raw) as image:
    return _look(image)


def _look(image: Image.Image) -> Look:
  orientation = _orientation(image)
  width, height = image.size
  size = (width, height) if orientation in TURNED else (height, width)
  return Look(size, _is_gray(image), _said(image, orientation))


def convert(
  raw: bytes | np.ndarray, size: tuple[int, int], channels: int, rule: str
) -> tuple[np.ndarray, Look, int]:
  """uint8 [height, width, channels], what is said of it, and the largest 16-bit value (0 without one).

  Args:
    raw: the encoded image, or its pixels.
    size: (height, width) of the result.
    channels: 1 (luma, ITU-R 601-2) or 3.
    rule: crop, pad or stretch, as `fit` says.

  Raises:
    Unreadable: for what cannot be decoded to its end.
  """
  brightest = 0
  with _opened(raw) as opened:
    found = _look(opened)
    try:
      opened.load()
      image = ImageOps.exif_transpose(opened)
      if image.mode.startswith('I;16'):
        values = np.asarray(image)
        brightest = int(values.max())
        image = Image.fromarray((values >> 8).astype(np.uint8))
      if _has_alpha(image):
        image = image.convert('RGBA')
        if np.asarray(image)[..., 3].min() == 255:  # opaque throughout
          found = found._replace(said=tuple(key for key in found.said if key != 'alpha'))
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
      image = image.convert('RGB' if channels == 3 else 'L')
    except Unreadable:
      raise
    except Exception as error:  # Pillow's readers raise many kinds
      raise Unreadable(_why(error)) from error
  return np.asarray(fit(image, size, rule)).reshape(*size, channels), found, brightest


def fit(image: Image.Image, size: tuple[int, int], rule: str) -> Image.Image:
  """An image at (height, width), through Pillow's bilinear filter, antialiased.

  crop: scaled until it covers the size, the middle is kept.  pad: scaled until it fits in, black around it.
  stretch: height and width scaled each for itself.
  """
  height, width = size
  if image.size == (width, height):
    return image
  if rule == 'pad':
    return ImageOps.pad(image, (width, height), FILTER)
  box = (0.0, 0.0, float(image.width), float(image.height))
  if rule == 'crop':
    scale = min(image.width / width, image.height / height)
    left, top = (image.width - scale * width) / 2, (image.height - scale * height) / 2
    right, bottom = min(left + scale * width, image.width), min(top + scale * height, image.height)
    box = (max(left, 0.0), max(top, 0.0), right, bottom)
  return image.resize((width, height), FILTER, box=box)


@contextmanager
def _opened(raw: Raw) -> Iterator[Image.Image]:
  """The image of a file, of bytes or of an array; its pixels are not read yet."""
  if isinstance(raw, np.ndarray):
    yield _of_array(raw)
    return
  file: Any = None
  try:
    if isinstance(raw, Path):
      if not raw.stat().st_size:
        raise Unreadable('is empty')
      file = raw.open('rb')
    elif not raw:
      raise Unreadable('is empty')
    else:
      file = io.BytesIO(raw)
    image = Image.open(file)
    _check(image)
  except Unreadable:
    if file:
      file.close()
    raise
  except Exception as error:
    if file:
      file.close()
    raise Unreadable(_why(error)) from error
  with file:
    yield image


def _why(error: Exception) -> str:
  """Why Pillow cannot read an image, as a clause."""
  if isinstance(error, Image.UnidentifiedImageError):
    return 'is no image that can be read'
  if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
    return 'has far too many pixels'
  if isinstance(error, OSError) and 'truncated' in str(error).casefold():
    return 'is cut short'
  if isinstance(error, OSError) and error.strerror:
    return f'cannot be read ({error.strerror})'
  return f'cannot be decoded ({" ".join(str(error).split())[:120].rstrip(".") or type(error).__name__})'


def _of_array(array: np.ndarray) -> Image.Image:
  """uint8 [H, W] or [H, W, 1, 3 or 4] as an image of Pillow."""
  if array.ndim == 3 and array.shape[2] not in (1, 3, 4):
    raise Unreadable(f'has {array.shape[2]} channels, where 1, 3 or 4 can be read')
  flat = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
  return Image.fromarray(np.ascontiguousarray(flat))


def _check(image: Image.Image) -> None:
  """Raises `Unreadable` for values or frames that no rule turns into one image of 8 bits."""
  if image.mode not in (*GRAY, *COLOR):
    kinds = {'I': '32-bit numbers', 'F': 'numbers with a point'}
    raise Unreadable(f'holds {kinds.get(image.mode, image.mode)}, where 8 or 16 bits a channel can be read')
  if image.format != 'MPO' and (frames := getattr(image, 'n_frames', 1)) > 1:  # MPO: a telephone's JPEG
    raise Unreadable(f'holds {frames} frames, where one image is needed')


def _orientation(image: Image.Image) -> int:
  try:
    return int(image.getexif().get(ORIENTATION, 1))
  except Exception:  # broken EXIF says nothing
    return 1


def _has_alpha(image: Image.Image) -> bool:
  return image.mode in ALPHA or 'transparency' in image.info


def _is_gray(image: Image.Image) -> bool:
  if image.mode != 'P':
    return image.mode in GRAY
  palette = np.array(image.getpalette() or [0, 1, 0]).reshape(-1, 3)
  return bool((palette == palette[:, :1]).all())


def _said(image: Image.Image, orientation: int) -> tuple[str, ...]:
  told = {
    'turned': orientation in range(2, 9),
    'alpha': _has_alpha(image),
    'sixteen': image.mode.startswith('I;16'),
    'palette': image.mode in ('P', 'PA'),
    'cmyk': image.mode in ('CMYK', 'YCbCr', 'LAB', 'HSV'),
    'one bit': image.mode == '1',
  }
  return tuple(key for key, holds in told.items() if holds)
