"""What is no file, too large, badly named or hostile: one sentence, soon, and little memory."""

import os
import resource
import struct
import zlib

import cv2
import numpy as np
import pytest
from sources.drawn import write_video

from livepose.errors import LiveposeError, SourceError, redacted
from livepose.sources import files, find_sources, open_images, open_source, open_video
from livepose.sources.images import read_image

IMAGE_BGR = np.full((10, 20, 3), 100, np.uint8)
OPENERS = (open_source, open_images, open_video)


@pytest.mark.parametrize("side_px", [30_000, 11_600], ids=["900 megapixels", "a little over"])
def test_an_image_over_the_limit_is_refused_before_it_is_decoded(tmp_path, side_px):
    """Of a few kilobytes: black and white, and so soon compressed."""
    path = tmp_path / "bomb.png"
    rows, packer = bytes(side_px // 8 + 1), zlib.compressobj()
    packed = b"".join(packer.compress(rows) for _ in range(side_px)) + packer.flush()
    data = b"\x89PNG\r\n\x1a\n"
    head = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    for part in (b"IHDR" + head, b"IDAT" + packed, b"IEND"):
        data += struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
    path.write_bytes(data)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SourceError, match="is too large; expected at most 110 megapixels"):
        read_image(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("device", ("/dev/zero", "/dev/null", "/dev/urandom"))
def test_a_device_is_no_file(opener, device):
    with pytest.raises(SourceError, match="is a device and no file"):
        opener(device)


@pytest.mark.parametrize(
    ("name", "sentence"),
    (
        ("nothing.mp4", "does not exist; expected a video file"),
        ("missing.jpg", "does not exist; expected a video, an image"),
        *((f"empty.{end}", r"is empty \(0 bytes\)") for end in ("mp4", "jpg")),
        ("bad.mp4", "is not a video that can be read"),
        ("truncated_no_index.mp4", "is not a video that can be read; it is damaged, cut"),
        ("audio_only.mp4", "has no image, only audio"),
        *((folder, "holds no images; expected .apng") for folder in ("folder", "x.mp4")),
        ("*.webp", "matches nothing; is the pattern right"),
        *(("bad.png", "is not an image that can be read"), ("b*.png", "none of the images can")),
    ),
)
def test_what_holds_no_image_is_one_sentence(tmp_path, shared, name, sentence, capfd):
    for bad in ("bad.mp4", "bad.png", "b.png"):
        (tmp_path / bad).write_bytes(bytes(range(256)) * 40)
    for made in (tmp_path / "empty.mp4", tmp_path / "empty.jpg"):
        made.touch()
    for folder in (tmp_path / "folder", tmp_path / "x.mp4"):
        folder.mkdir()
    for video in ("truncated_no_index.mp4", "audio_only.mp4"):
        (tmp_path / video).symlink_to(shared / "video" / video)
    with pytest.raises(SourceError, match=sentence) as caught:
        open_source(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ("a.jpg", "a.mp4"))
def test_a_pipe_that_nobody_writes_into_is_not_waited_for_forever(tmp_path, name, monkeypatch):
    monkeypatch.setattr(files, "PIPE_PATIENCE_S", 0.2)
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match=r"nothing was written into this pipe for 0.2 s"):
        open_source(tmp_path / name)


@pytest.mark.parametrize(
    "name",
    [
        *("x" * 300, "x" * 300 + "*.jpg", "y/" * 3000 + "a.mp4", "a\0b.jpg", "a\0b.mp4"),
        *("http://[::1", "http://[::1]x:99999999/a.mp4", "http://", "://", "nosuchscheme://a/b"),
        *("file://elsewhere/a.mp4", "file://", "concat:a|b", "-", "~nobody/a.mp4"),
    ],
    ids=lambda name: ascii(name[:20]),
)
def test_a_name_of_any_kind_is_one_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for opener in OPENERS:
        with pytest.raises(LiveposeError) as caught:
            opener(name)
        assert caught.value.exit_code in (2, 3) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    (
        *("file:a.mp4", "concat:a.mp4", "http:a.mp4", "2024-05-01T12:30:05.mp4"),
        *("100%.mp4", "a?b#c.mp4", " a.mp4", "a.mp4 ", os.fsdecode(b"caf\xe9.mp4")),
    ),
    ids=ascii,
)
def test_a_name_that_looks_like_something_else_is_a_name(tmp_path, monkeypatch, name):
    write_video(tmp_path / "plain.mp4", [0.0, 0.5]).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with open_source(name) as source:
        assert len(list(source)) == 2


def test_file_addresses_are_percent_decoded(tmp_path):
    write_video(tmp_path / "plain.mp4", [0.0]).rename(tmp_path / "100% [1] a.mp4")
    for host in ("", "localhost"):
        with open_source(f"file://{host}{tmp_path}/100%25%20%5B1%5D%20a.mp4") as source:
            assert len(list(source)) == 1
    cv2.imwrite(str(tmp_path / "ä.png"), IMAGE_BGR)
    with open_source(f"file://{tmp_path}/%C3%A4.png") as source:
        assert source.kind == "images"


@pytest.mark.parametrize("password", ["sec#ret", "sec?ret", "sec/ret", "sec[ret", "#?/[]@:"])
@pytest.mark.parametrize(
    "form", ["rtsp://admin:{}@127.0.0.1:1/s", "http://admin:{}@127.0.0.1:1/a.mp4"]
)
def test_a_password_is_in_no_message_and_no_traceback(password, form):
    url = form.format(password)
    with pytest.raises(SourceError, match=r"must be written as %23, %3F, %2F") as caught:
        open_source(url)
    error = caught.value
    while error is not None:
        assert password not in f"{error} {error.args}" and "127.0.0.1" in str(caught.value)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://me:secret@10.0.0.2:554/a?b=1", "rtsp://me:***@10.0.0.2:554/a?b=1"),
        ("rtsp://me:p#q/r?s[t@u@h/a", "rtsp://me:***@h/a"),
        ("RTSP://:secret@h/a", "RTSP://:***@h/a"),
        ("http://h/s?user=admin&password=secret&x=1", "http://h/s?user=admin&password=***&x=1"),
        ("http://h/s?loginuse=a&loginpas=b", "http://h/s?loginuse=a&loginpas=***"),
        ("http://h/s?access_token=1/2#3", "http://h/s?access_token=***"),
        ("rtsp://h/user=admin_password=x_channel=1", "rtsp://h/user=admin_password=***"),
        ("http://[::1]:8080/video", "http://[::1]:8080/video"),
        ("no address: a@b", "no address: a@b"),
        ("rtsp:me:secret@h/a does not exist", "rtsp:me:***@h/a does not exist"),
        ("https: and http: are two", "https: and http: are two"),
        ("a:b@c.mp4", "a:b@c.mp4"),
    ],
)
def test_one_function_hides_passwords(url, shown):
    assert redacted(url) == shown
    assert redacted(redacted(url)) == shown


def test_what_lies_in_a_folder_is_sorted_and_what_is_left_out_is_named(tmp_path):
    for name in ("b.mp4", "a.heic", "img10.jpg", "img2.JPG", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.gif").write_bytes(b"x")
    os.mkfifo(tmp_path / "z.jpg")
    found = find_sources([tmp_path])
    assert {one.path.name: one.kind or one.reason for one in found} == {
        **{"a.heic": "image", "b.mp4": "video", "img2.JPG": "image", "img10.jpg": "image"},
        **{"notes.txt": "neither video nor image", "sub": "a folder", "z.jpg": "no regular file"},
    }
    assert [one.path.name for one in found][2:4] == ["img2.JPG", "img10.jpg"]
    deep = find_sources([tmp_path], recursive=True)
    assert [one.path.name for one in deep if one.kind == "image"][-1] == "c.gif"
    assert find_sources([str(tmp_path / "*.mp4"), tmp_path / "b.mp4"]) == [found[1]]


def test_what_a_folder_of_images_leaves_out_is_counted_and_named(tmp_path, said):
    cv2.imwrite(str(tmp_path / "a.png"), IMAGE_BGR)
    for name in ("c.mp4", *(f"{k}.txt" for k in range(6))):
        (tmp_path / name).write_bytes(b"x")
    with open_images(tmp_path) as source:
        assert len(list(source)) == 1
    (sentence,) = said
    assert sentence.startswith("7 left out: 0.txt (neither video nor image), ")
    assert sentence.endswith(" and 2 more")
