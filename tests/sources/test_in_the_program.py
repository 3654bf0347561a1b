"""Sources as the command line plays them: own pixels, parts with their sound, lost cameras."""

import json
import os
import threading
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from fakes import make_pipeline, scene_image
from sources.drawn import write_video
from sources.loopback import free_port

from livepose.cli import main

__all__ = ["make_pipeline"]
pytestmark = pytest.mark.usefixtures("make_pipeline")


def lines_of(path: Path) -> tuple[dict, list[dict]]:
    header, *frames = [json.loads(line) for line in path.read_text().splitlines()]
    return header["livepose"], frames


def test_numbers_are_in_the_files_own_pixels_and_the_drawn_video_has_the_right_shape(
    tmp_path: Path,
) -> None:
    narrow = cv2.resize(scene_image(), (160, 240), interpolation=cv2.INTER_AREA)
    headers, people = [], []
    for aspect, image_bgr in (2, narrow), (1, scene_image()):
        path, lines, drawn = (tmp_path / f"{aspect}.{end}" for end in ("mp4", "jsonl", "mkv"))
        size_wh = image_bgr.shape[1::-1]
        write_video(path, [0.0], size_wh=size_wh, image_bgr=image_bgr, aspect=Fraction(aspect))
        words = ["--video", str(path), "--no-window", "--json", str(lines)]
        assert main([*words, "--output", str(drawn)]) == 0
        header, (frame,) = lines_of(lines)
        headers.append((header["size_wh"], header["pixel_aspect"]))
        people.append(frame["people"][0])
        with av.open(str(drawn)) as given:
            assert (given.streams.video[0].width, given.streams.video[0].height) == (320, 240)
    assert headers == [([160, 240], 2.0), ([320, 240], 1.0)]
    own, square = (np.array(one["keypoints"])[:, :2] for one in people)
    assert np.abs(own * (2, 1) - square).max() < 3
    own, square = (np.array(one["box_xyxy"]) for one in people)
    assert np.abs(own * (2, 1, 2, 1) - square).max() < 3


def test_a_drawn_part_has_the_sound_of_that_part(tmp_path: Path) -> None:
    times_s = [k / 10 for k in range(40)]
    path = write_video(tmp_path / "a.mp4", times_s, size_wh=(320, 240), sound="aac")
    drawn, lines = tmp_path / "part.mp4", tmp_path / "part.jsonl"
    words = ["--video", str(path), "--start", "0:01", "--end", "2.5", "--step", "3"]
    assert main([*words, "--output", str(drawn), "--json", str(lines)]) == 0
    assert [one["time_s"] for one in lines_of(lines)[1]] == pytest.approx(
        [1.0, 1.3, 1.6, 1.9, 2.2], abs=1e-3
    )
    with av.open(str(drawn)) as container:
        shown_s = [frame.time for frame in container.decode(video=0)]
        container.seek(0)
        heard = [frame for frame in container.decode(audio=0) if frame.time is not None]
    assert shown_s == pytest.approx([0.0, 0.3, 0.6, 0.9, 1.2], abs=1e-3)
    assert heard[0].time == pytest.approx(0.0, abs=0.03)
    assert heard[-1].time == pytest.approx(1.5, abs=0.35)


def test_an_image_may_be_one_pixel_and_has_no_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, drawn = tmp_path / "a.png", tmp_path / "b.png"
    cv2.imwrite(str(path), scene_image()[:1, :1])
    assert main(["--image", str(path), "--output", str(drawn), "--no-window"]) == 0
    assert cv2.imread(str(drawn)).shape == (1, 1, 3)
    assert main(["--image", str(path), "--step", "2"]) == 2
    assert "are for video files" in capsys.readouterr().err


def test_a_pipe_gives_a_drawn_video_without_sound_and_that_is_said(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = (shared / "cases" / "pipe_with_output" / "in.mkv").read_bytes()
    pipe, drawn = tmp_path / "in.mkv", tmp_path / "out.mp4"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True).start()
    assert main(["--video", str(pipe), "--output", str(drawn)]) == 0
    assert "has no sound" in capsys.readouterr().err
    with av.open(str(drawn)) as container:
        assert not container.streams.audio
        assert sum(1 for _ in container.decode(video=0)) == 24


def test_a_camera_that_is_dead_from_the_start_holds_up_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image_bgr, path = scene_image(), tmp_path / "poses.jsonl"
    video = write_video(tmp_path / "a.mp4", [0.0, 0.04], size_wh=(320, 240), image_bgr=image_bgr)
    words = ["--source", f"http://me:secret@127.0.0.1:{free_port()}/v", "--source", str(video)]
    assert main([*words, "--reconnect", "0.5", "--open-timeout", "0.5", "--json", str(path)]) == 3
    assert len(lines_of(tmp_path / "poses-2.jsonl")[1]) == 2
    said = capsys.readouterr().err
    assert "1 of 2 sources could not be played to the end" in said
    assert "secret" not in said and "me:***@127.0.0.1" in said
