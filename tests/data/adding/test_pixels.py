"""What becomes of one image, against Pillow and NumPy: color, bits, transparency, orientation, size."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from support import own_images as own

from ssl_bench.data import load
from ssl_bench.data.adding import pixels
from ssl_bench.data.adding.add import add
from ssl_bench.settings.signature import BadSetting

PHOTO = own.pictures(1, 24)[0]


def file_of(image, kind='PNG', **options):
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def converted(content, size=(24, 24), channels=3, rule='crop'):
  return pixels.convert(content, size, channels, rule)[0]


def test_an_image_of_the_right_kind_is_not_touched():
  np.testing.assert_array_equal(converted(own.encoded(PHOTO)), PHOTO)
  np.testing.assert_array_equal(converted(PHOTO), PHOTO)
  gray = PHOTO[..., 0]
  np.testing.assert_array_equal(converted(own.encoded(gray), channels=1)[..., 0], gray)


def test_gray_is_repeated_and_color_becomes_luma():
  gray = PHOTO[..., 0]
  np.testing.assert_array_equal(converted(own.encoded(gray)), np.repeat(gray[..., None], 3, 2))
  luma = PHOTO.astype(float) @ [0.299, 0.587, 0.114]  # ITU-R 601-2
  found = converted(own.encoded(PHOTO), channels=1)[..., 0]
  assert np.abs(found - luma).max() <= 1


@pytest.mark.parametrize('gray', [False, True])
def test_what_is_transparent_lies_on_white(gray):
  rgb = np.repeat(PHOTO[..., :1], 3, 2) if gray else PHOTO
  alpha = np.arange(576, dtype=np.uint16).reshape(24, 24) % 256
  with_alpha = np.concatenate([rgb[..., :1] if gray else rgb, alpha[..., None].astype(np.uint8)], 2)
  found = converted(file_of(Image.fromarray(with_alpha)))
  share = alpha[..., None] / 255
  assert np.abs(found - (rgb * share + 255 * (1 - share))).max() <= 1
  if not gray:
    np.testing.assert_array_equal(converted(with_alpha), found)  # an array of four channels


def test_a_transparent_color_of_a_palette_lies_on_white():
  image = Image.fromarray(PHOTO).quantize(16)
  hidden = int(np.asarray(image)[3, 3])
  found = converted(file_of(image, transparency=hidden))
  seen = np.asarray(image.convert('RGB')).copy()
  seen[np.asarray(image) == hidden] = 255
  np.testing.assert_array_equal(found, seen)


def test_a_palette_has_its_colors_and_is_gray_where_they_are():
  image = Image.fromarray(PHOTO).quantize(32)
  np.testing.assert_array_equal(converted(file_of(image)), np.asarray(image.convert('RGB')))
  assert not pixels.look(file_of(image)).gray
  gray = Image.fromarray(PHOTO[..., 0]).quantize(8)
  assert pixels.look(file_of(gray)).gray
  np.testing.assert_array_equal(converted(file_of(gray), channels=1)[..., 0], np.asarray(gray.convert('L')))


def test_sixteen_bits_keep_their_upper_ones():
  values = (np.arange(576, dtype=np.uint32).reshape(24, 24) * 113).astype(np.uint16)
  array, look, brightest = pixels.convert(file_of(Image.fromarray(values)), (24, 24), 1, 'crop')
  np.testing.assert_array_equal(array[..., 0], values // 256)
  assert look.gray and look.said == ('sixteen',) and brightest == values.max()


def test_one_bit_is_black_and_white():
  bits = PHOTO[..., 0] > 90
  found = converted(file_of(Image.fromarray(bits)), channels=1)[..., 0]
  np.testing.assert_array_equal(found, 255 * bits)


def test_cmyk_is_converted():
  image = Image.fromarray(PHOTO).convert('CMYK')
  content = file_of(image, 'JPEG', quality=95)
  np.testing.assert_array_equal(
    converted(content), np.asarray(Image.open(io.BytesIO(content)).convert('RGB'))
  )
  assert not pixels.look(content).gray


UPRIGHT = {  # how each orientation is undone (EXIF 2.3, table of tag 274)
  1: lambda a: a,
  2: lambda a: a[:, ::-1],
  3: lambda a: a[::-1, ::-1],
  4: lambda a: a[::-1],
  5: lambda a: a.swapaxes(0, 1),
  6: lambda a: np.rot90(a, -1),
  7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
  8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize('orientation', UPRIGHT)
def test_an_image_is_turned_as_exif_says(orientation):
  image = Image.fromarray(PHOTO[:, :16])
  exif = Image.Exif()
  exif[0x0112] = orientation
  content = file_of(image, exif=exif)
  upright = UPRIGHT[orientation](PHOTO[:, :16])
  assert pixels.look(content).size == upright.shape[:2]
  np.testing.assert_array_equal(converted(content, upright.shape[:2]), upright)


def scaled(image, width, height):
  return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def test_crop_keeps_the_middle_and_stretch_and_pad_keep_all():
  wide = np.ascontiguousarray(own.pictures(1, 60)[0][:20])
  content = own.encoded(wide)
  np.testing.assert_array_equal(converted(content, (10, 10)), scaled(wide, 30, 10)[:, 10:20])
  np.testing.assert_array_equal(converted(content, (10, 24), rule='stretch'), scaled(wide, 24, 10))
  padded = converted(content, (30, 30), rule='pad')
  np.testing.assert_array_equal(padded[10:20], scaled(wide, 30, 10))
  assert not padded[:10].any() and not padded[20:].any()


def test_crop_of_a_tall_image_that_grows():
  tall = np.ascontiguousarray(own.pictures(1, 48)[0][:, :16])
  grown = scaled(tall, 32, 96)
  found = converted(own.encoded(tall), (32, 32)).astype(int)
  assert np.abs(found - grown[32:64]).max() <= 1  # Pillow keeps the ends of the box in single precision


def test_shrinking_is_antialiased():
  stripes = np.tile(np.array([0, 255], np.uint8), (32, 16))
  small = converted(own.encoded(stripes), (8, 8), 1)
  assert np.abs(small.astype(int) - 127.5).max() < 30


@pytest.mark.parametrize(
  ('given', 'shape'),
  [
    ({'size': '8'}, (8, 8, 3)),
    ({'size': '6x9'}, (6, 9, 3)),
    ({'size': 'common'}, (12, 12, 3)),
    ({'size': 'median'}, (20, 20, 3)),
    ({'size': 'common', 'channels': 'gray'}, (12, 12, 1)),
  ],
)
def test_the_size_is_the_one_asked_for(given, shape, tmp_path):
  for name, first in (('cat', 0), ('dog', 40)):
    for side, number in ((12, 4), (20, 3), (28, 3)):
      for i, image in enumerate(own.pictures(number, side, first)):
        own.write(tmp_path / 'photos' / name / f'{side}_{i}.png', own.encoded(image))
  add('mine', images=tmp_path / 'photos', data_dir=tmp_path / 'data', **given)
  assert load('mine', data_dir=tmp_path / 'data').shape == shape


def test_what_was_done_is_recorded_and_broken_images_are_left_out_on_demand(tmp_path):
  folder = own.write_classes(tmp_path / 'photos')
  exif = Image.Exif()
  exif[0x0112] = 6
  clear = Image.fromarray(own.pictures(1, first=57)[0]).convert('RGBA')
  clear.putpixel((3, 4), (0, 0, 0, 254))
  odd = {
    'turned.png': file_of(Image.fromarray(own.pictures(1, first=50)[0]), exif=exif),
    'opaque.png': file_of(Image.fromarray(own.pictures(1, first=51)[0]).convert('RGBA')),
    'clear.png': file_of(clear),
    'palette.png': file_of(Image.fromarray(own.pictures(1, first=52)[0]).quantize(16)),
    'large.png': own.encoded(own.pictures(1, 30, first=53)[0]),
    'gray.png': own.encoded(own.pictures(1, first=54)[0][..., 0]),
    'deep.png': file_of(Image.fromarray(own.pictures(1, first=55)[0][..., 0].astype(np.uint16))),
    'cut.png': own.encoded(own.pictures(1, first=56)[0])[:-60],
    'text.png': b'hello',
  }
  for name, content in odd.items():
    own.write(folder / 'cat' / name, content)
  given = {'images': folder, 'size': '12', 'channels': 'rgb', 'data_dir': tmp_path / 'data'}
  with pytest.raises(BadSetting, match='--skip-broken'):
    add('mine', **given)
  done = add('mine', skip_broken=True, license='CC0', **given)
  assert sum((done.meta.sizes.train, done.meta.sizes.validation, done.meta.sizes.test)) == 27
  described = json.loads((done.folder / 'meta.json').read_text())['added']
  assert described['source'] == str(folder) and described['license'] == 'CC0'
  assert described['rule'].startswith(
    'RGB of 12×12 pixels; 1 image scaled until it covers 12×12, its middle kept'
  )
  said = ' | '.join(described['notes'])
  for text in (
    '1 image turned as EXIF says',
    '1 image with transparency, laid on white',
    '1 image of 16 bits, of which the upper 8 are kept',
    '1 image with a palette',
    '2 images converted to RGB',
    '16-bit images are dark',
    f'skipped 2 broken images: {folder}/cat/cut.png is cut short, {folder}/cat/text.png is no image',
  ):
    assert text in said, said
  assert load('mine', data_dir=tmp_path / 'data').license == 'CC0'
