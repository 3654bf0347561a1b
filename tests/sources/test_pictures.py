"""Images: every format upright and in three bytes, folders in order, and those that move."""

import cv2
import numpy as np
import pytest
from PIL import Image
from sources.drawn import frames_of

from livepose.errors import SourceError, UsageError
from livepose.sources import Excerpt, open_images, open_source, open_video
from livepose.sources.frames import to_sdr
from livepose.sources.images import read_image


def save(path, size_wh=(20, 10), value=100):
    assert cv2.imwrite(str(path), np.full((size_wh[1], size_wh[0], 3), value, np.uint8))
    return path


def test_a_file_is_one_frame_with_its_name_and_rotate_turns_it(tmp_path):
    path = save(tmp_path / "a.png")
    with open_source(path) as source:
        (frame,) = source
        assert (source.kind, source.live, source.frame_count) == ("images", False, 1)
    assert (frame.name, frame.time_s, frame.index, frame.size_wh) == (str(path), 0.0, 0, (20, 10))
    assert open_source(path, rotate=270).size_wh == (10, 20)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("", ["a[1].png", "img1.jpg", "img2.JPG", "img10.png"]),
        ("img1*", ["img1.jpg", "img10.png"]),
        ("a[1].png", ["a[1].png"]),
    ],
    ids=["folder", "pattern", "brackets in a name"],
)
def test_folders_and_patterns_give_their_images_in_natural_order(tmp_path, spec, names):
    for name in ("img10.png", "img2.JPG", "img1.jpg", "a[1].png"):
        save(tmp_path / name)
    frames = frames_of(tmp_path / spec)
    assert [frame.name.rsplit("/", 1)[1] for frame in frames] == names
    assert [frame.time_s for frame in frames] == list(range(len(names)))


def test_an_unreadable_image_among_others_is_reported_and_left_out(said, tmp_path, capfd):
    save(tmp_path / "a.png"), save(tmp_path / "c.png")
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n garbage")
    (tmp_path / "d.jpg").write_bytes(b"")
    assert [frame.index for frame in frames_of(tmp_path)] == [0, 1]
    assert "b.png is not an image that can be read" in said[0]
    assert "d.jpg is empty (0 bytes)" in said[1]
    assert said[2:] == ["2 of 4 images could not be read"]
    assert capfd.readouterr() == ("", "")


def test_gray_sixteen_bit_and_transparent_images_become_three_bytes(tmp_path):
    gray, deep = np.full((4, 6), 7, np.uint8), np.full((4, 6, 3), 256 * 50, np.uint16)
    for stored, value in ((gray, 7), (deep, 50), (np.full((4, 6, 4), 9, np.uint8), 9)):
        cv2.imwrite(str(tmp_path / "a.png"), stored)
        image_bgr = read_image(tmp_path / "a.png")
        assert image_bgr.shape == (4, 6, 3) and image_bgr.dtype == np.uint8
        assert abs(int(image_bgr[0, 0, 0]) - value) <= 1


@pytest.mark.parametrize("spec", ["", "  ", -1])
def test_a_source_without_a_name_is_a_usage_error(spec):
    with pytest.raises(UsageError, match="expected an index, path, address or pattern"):
        open_source(spec)


# Red, green, blue and white corners, as each of the EXIF orientations stores them.
CORNERS = np.zeros((40, 60, 3), np.uint8)
CORNERS[:20, :30], CORNERS[:20, 30:] = (250, 10, 10), (10, 250, 10)
CORNERS[20:, :30], CORNERS[20:, 30:] = (10, 10, 250), (250, 250, 250)
STORED = {
    **{1: CORNERS, 2: CORNERS[:, ::-1], 3: CORNERS[::-1, ::-1], 4: CORNERS[::-1]},
    **{5: CORNERS.transpose(1, 0, 2), 6: np.rot90(CORNERS, 1)},
    **{7: np.rot90(CORNERS, 2).transpose(1, 0, 2), 8: np.rot90(CORNERS, -1)},
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_every_orientation_of_every_format_comes_upright(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.ascontiguousarray(STORED[orientation])).save(path, exif=exif, quality=95)
    image_rgb = read_image(path)[..., ::-1]
    assert image_rgb.shape == CORNERS.shape
    middles = slice(10, None, 20), slice(15, None, 30)
    assert np.abs(image_rgb[middles].astype(int) - CORNERS[middles]).max() < 30


def test_a_tiled_heic_is_one_image(shared):
    folder = shared / "cases" / "heic_tiled" / "folder"
    tiled, plain = read_image(folder / "b.heic"), read_image(folder / "a.jpg")
    assert tiled.shape == plain.shape == (334, 500, 3)
    assert np.abs(tiled.astype(int) - plain).mean() < 6
    with open_images(folder) as source:
        assert [frame.size_wh for frame in source] == [(500, 334)] * 3


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng", ".avif"])
def test_every_animated_image_has_all_frames_with_their_times(tmp_path, said, suffix):
    values, path = (200, 100, 0), tmp_path / f"a{suffix}"
    several = [Image.new("RGB", (32, 24), (value, 0, 0)) for value in values]
    kind = "PNG" if suffix == ".apng" else None
    animated = {"save_all": True, "append_images": several[1:], "duration": [100, 200, 300]}
    several[0].save(path, format=kind, **animated)
    with open_images(path) as source:
        assert len(list(source)) == 1
    assert said == [f"{path} holds several images; only the first is taken"]
    frames = frames_of(path)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.1, 0.3])
    assert [int(f.image_bgr[12, 16, 2]) for f in frames] == pytest.approx(values, abs=12)
    (part,) = frames_of(path, excerpt=Excerpt(start_s=0.1, step=2), rotate=90)
    assert (part.time_s, part.index, part.size_wh) == (pytest.approx(0.1), 0, (24, 32))
    with pytest.raises(SourceError, match="has no frame from 9 s on"):
        open_source(path, excerpt=Excerpt(start_s=9))


def test_an_animated_image_that_is_cut_short_ends_in_a_sentence(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), np.uint8)
    several = [Image.fromarray(image) for image in noise]
    path = tmp_path / "a.png"
    several[0].save(path, save_all=True, append_images=several[1:], duration=100)
    path.write_bytes(path.read_bytes()[:-30000])
    with open_source(path) as source, pytest.raises(SourceError, match="is it damaged"):
        for count, _ in enumerate(source, 1):
            assert count < 8


HDR = {"pq": 16, "hlg": 18}


@pytest.mark.parametrize("curve", HDR)
@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_a_still_of_high_dynamic_range_is_shown_as_a_film_of_it(tmp_path, suffix, curve):
    grey, path = Image.new("RGB", (64, 48), (120, 120, 120)), tmp_path / f"a{suffix}"
    grey.save(path, quality=95)
    data = path.read_bytes()
    colour = data.index(b"colrnclx") + 8  # primaries, transfer, matrix: two bytes each
    plain = read_image(path)
    path.write_bytes(data[: colour + 2] + bytes([0, HDR[curve]]) + data[colour + 4 :])
    shown = read_image(path)
    assert np.abs(shown.astype(int) - to_sdr(plain, HDR[curve])).max() <= 1
    assert abs(int(shown[24, 32, 1]) - int(plain[24, 32, 1])) > 10


def test_no_interpreter_is_started_for_an_image(tmp_path, monkeypatch, capfd):
    def started(*_, **__):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen", started)
    monkeypatch.setattr("subprocess.check_call", started)
    path = tmp_path / "a.jpg"
    Image.new("RGB", (32, 24)).save(path, "EPS")
    with pytest.raises(SourceError, match="is not an image that can be read"):
        read_image(path)
    assert capfd.readouterr() == ("", "")


def test_an_image_that_ffmpeg_would_show_a_tile_of_is_no_video(shared, tmp_path):
    tiled = shared / "cases" / "heic_tiled" / "folder" / "b.heic"
    renamed = tmp_path / "b.mp4"  # whatever its name says
    renamed.write_bytes(tiled.read_bytes())
    for path in (tiled, renamed):
        with pytest.raises(SourceError, match="is an image; --image and --source read it"):
            open_video(path)
