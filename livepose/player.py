"""Plays a source through the pipeline: draws, shows, records and writes what it finds.

Decoding or capture, inference, drawing and encoding run beside each other, in threads with short
queues between them that keep the order. Drawing and the window belong to the main thread.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from livepose.drawing import Hud, draw_hud, draw_poses
from livepose.errors import SinkError, UsageError
from livepose.frame import Frame, ImageBgr
from livepose.pipeline import STAGES, PosePipeline
from livepose.poses import Poses
from livepose.results.angles import AngleMeter, draw_angles
from livepose.settings import DrawingStyle
from livepose.sinks.sink import OutputClosed, Sink, above
from livepose.sinks.video import VideoSink
from livepose.sources import Source
from livepose.threads import BackgroundWriter, prefetch
from livepose.window import Command, Tile, Window, captioned

logger = logging.getLogger(__name__)

FRAMES_WAITING = 4
LIVE_FRAMES_WAITING = 1
"""While one is drawn, one may be ready; more would only grow old."""
HUD_EVERY_S = 0.25
"""The figures stand still for so long, to be read."""
DECODINGS = ("argmax", "shift", "dark")
PAUSE_POLL_S = 0.02

Written = tuple[Frame, Poses, ImageBgr | None]


@dataclass(slots=True)
class Summary:
    """What was played."""

    frames: int = 0
    dropped: int = 0
    duration_s: float = 0.0
    dropped_work: list[str] = field(default_factory=list)
    """What was let go to hold a budget, in short lines."""

    @property
    def fps(self) -> float:
        """Frames a second from the first frame to the last."""
        return self.frames / self.duration_s if self.duration_s > 0 else 0.0


class Player:
    """Plays one source to its end, to q, or to Ctrl-C; whatever was written stays whole.

    The sinks are closed when the playing ends, however it ends. ``progress`` is told every frame
    with its poses and the frames per second.
    """

    def __init__(
        self,
        pipeline: PosePipeline,
        source: Source,
        sinks: Sequence[Sink] = (),
        window: Window | Tile | None = None,
        style: DrawingStyle | None = None,
        progress: Callable[[Frame, Poses, float], None] | None = None,
    ) -> None:
        self.pipeline, self.source, self.window = pipeline, source, window
        self.live_sinks = [sink for sink in sinks if getattr(sink, "live", False)]
        self.sinks = [sink for sink in sinks if sink not in self.live_sinks]
        self._needs_drawing = window is not None or any(sink.needs_drawing for sink in sinks)
        self.style, self.progress = style or DrawingStyle(), progress
        self.export_threshold = 0.0
        """Keypoints that score less are missing in every output."""
        self.hud_shown = True
        self.summary = Summary()
        self._writer: BackgroundWriter[Written] | None = None
        self._recording: VideoSink | None = None
        self._stopped = False
        self._commands: list[Command] = []
        self._shown_bgr: ImageBgr | None = None
        self._start_s = self._resumed_s = 0.0
        self._ticks_s: deque[float] = deque(maxlen=30)
        self._ages_ms: deque[float] = deque(maxlen=240)
        self._hud, self._hud_due_s = Hud(), 0.0
        self._angles = AngleMeter()

    def play(self) -> Summary:
        """Plays, and says what was played."""
        if self.sinks:
            self._writer = BackgroundWriter(self._write, FRAMES_WAITING)
        with ExitStack() as stack:
            stack.enter_context(suppress(OutputClosed))
            stack.callback(self._close)
            self._play()
        return self.summary

    def stop(self) -> None:
        """Lets the frame at hand be the last; may be called from another thread."""
        self._stopped = True

    def _play(self) -> None:
        start_s = time.perf_counter()
        waiting = LIVE_FRAMES_WAITING if self.source.live else FRAMES_WAITING
        with ExitStack() as stack:
            prefetched = prefetch(self.pipeline.run(self.source), waiting, self._goes_on)
            frames = stack.enter_context(closing(prefetched))
            if self.source.live:
                # First, because inference may be waiting for a frame that never comes.
                stack.callback(self.source.close)
            for frame, poses in frames:
                if self._is_stale(frame):
                    continue
                self._handle(frame, poses)
                self.summary.duration_s = time.perf_counter() - start_s
                self.summary.dropped_work = self.pipeline.scheduler.dropped_work.words()
                if self._stopped:
                    break

    def _goes_on(self) -> bool:
        """While no frame comes: keeps the window alive, which says why nothing moves."""
        self._commands += self._poll()
        away, shown_bgr = getattr(self.source, "away", False), self._shown_bgr
        if away and self.window is not None and shown_bgr is not None:
            line = f"{self.source.name} sends no frames: reconnecting"
            self.window.show(captioned(shown_bgr, line))
        self._stopped |= Command.QUIT in self._commands
        return not self._stopped

    def _is_stale(self, frame: Frame) -> bool:
        """Whether a live frame was ready before a pause ended: nobody wants to see it now."""
        stale = frame.captured_s is not None and frame.captured_s < self._resumed_s
        self.summary.dropped += stale * (1 + frame.dropped)
        return stale

    def _handle(self, frame: Frame, poses: Poses) -> None:
        self._ticks_s.append(time.perf_counter())
        self.summary.frames += 1
        self.summary.dropped += frame.dropped
        told = above(poses, self.export_threshold)
        self._send(frame, told, None)
        drawn = self._draw(frame, poses) if self._needs_drawing else None
        if drawn is not None:
            self._send(frame, told, drawn)
        if self._writer is not None:
            self._writer.put((frame, told, drawn))
        self._record(frame, poses, drawn)
        if self.window is not None and drawn is not None:
            self._show(frame, poses, drawn)
        elif self.live_sinks:
            self._wait_until_due(frame)
        if self.progress is not None:
            self.progress(frame, poses, self.fps)

    @property
    def fps(self) -> float:
        """Frames a second over the last ones."""
        if len(self._ticks_s) < 2:
            return 0.0
        return (len(self._ticks_s) - 1) / max(self._ticks_s[-1] - self._ticks_s[0], 1e-9)

    def _send(self, frame: Frame, poses: Poses, drawn: ImageBgr | None) -> None:
        """Hands a frame to the live outputs: before it is drawn to those that need no drawing."""
        for sink in self.live_sinks:
            if sink.needs_drawing is (drawn is not None):
                sink.write(frame, poses, drawn)

    def _draw(self, frame: Frame, poses: Poses) -> ImageBgr:
        """An image of its own, with the people drawn."""
        style, image_bgr = self.style, frame.image_bgr.copy()
        angles = self._angles(poses, tracked=frame.name is None) if style.draw_angles else None
        if style.skeleton_only:
            image_bgr[:] = 0
        if style.mirror:
            image_bgr = np.ascontiguousarray(image_bgr[:, ::-1])
            poses = mirrored(poses, frame.size_wh[0])
        draw_poses(
            image_bgr,
            poses,
            score_threshold=style.score_threshold,
            show_boxes=style.boxes,
            show_uncertainty=style.uncertainty,
        )
        if angles is not None:
            draw_angles(image_bgr, poses, angles, style.score_threshold)
        return image_bgr

    def _write(self, written: Written) -> None:
        for sink in self.sinks:
            sink.write(*written)

    def _show(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr) -> None:
        self._wait_until_due(frame)
        self._put_on_screen(poses, drawn_bgr)
        if frame.captured_s is not None:
            self._ages_ms.append((time.perf_counter() - frame.captured_s) * 1e3)
            self.pipeline.shown_after(float(np.median(self._ages_ms)) / 1e3)
        commands, self._commands = self._commands + self._poll(), []
        self._obey(commands, drawn_bgr)
        if Command.PAUSE in commands or self.source.kind == "images":
            self._pause(frame, poses)

    def _put_on_screen(self, poses: Poses, drawn_bgr: ImageBgr) -> None:
        if self.window is not None:
            if self.hud_shown:
                drawn_bgr = draw_hud(drawn_bgr.copy(), self._figures(poses))
            self.window.show(drawn_bgr)
            self._shown_bgr = drawn_bgr

    def _poll(self) -> list[Command]:
        return [] if self.window is None else self.window.poll()

    def _wait_until_due(self, frame: Frame) -> None:
        """A file is shown no faster than it was filmed; one that is late is not waited for."""
        if self.source.kind != "video" or self.sinks:
            return
        now_s = time.perf_counter()
        if self.summary.frames == 1:
            self._start_s = now_s - frame.time_s
        late_s = now_s - self._start_s - frame.time_s
        if late_s < 0:
            time.sleep(-late_s)
        else:
            self._start_s += late_s

    def _figures(self, poses: Poses) -> Hud:
        """What the panel says: counts of this frame, and times that change a few times a second."""
        now_s = time.perf_counter()
        if now_s >= self._hud_due_s:
            self._hud_due_s = now_s + HUD_EVERY_S
            clock = self.pipeline.clock
            p50, p95 = np.percentile(self._ages_ms, [50, 95]) if self._ages_ms else (None, None)
            stage_ms = {name: clock.median_ms(name) for name in STAGES}
            self._hud = Hud(fps=self.fps, stage_ms=stage_ms, age_p50_ms=p50, age_p95_ms=p95)
        return replace(
            self._hud,
            people=len(poses),
            dropped=self.summary.dropped,
            decode=self.pipeline.estimator.method,
            recording=self._recording is not None,
            notes=self.pipeline.scheduler.dropped_work.words(),
        )

    def _obey(self, commands: Sequence[Command], drawn_bgr: ImageBgr) -> None:
        for command in commands:
            match command:
                case Command.QUIT:
                    self._stopped = True
                case Command.SNAPSHOT:
                    _snapshot(drawn_bgr)
                case Command.RECORD:
                    self._toggle_recording()
                case Command.HUD:
                    self.hud_shown = not self.hud_shown
                case Command.DECODING:
                    self._next_decoding()
                case Command.UNCERTAINTY:
                    self.style = replace(self.style, uncertainty=not self.style.uncertainty)

    def _pause(self, frame: Frame, poses: Poses) -> None:
        """Waits for the next space (or q); what the keys change is seen at once."""
        paused_s = time.perf_counter()
        while not self._stopped:
            commands = self._poll()
            if Command.PAUSE in commands:
                break
            if commands:
                drawn_bgr = self._draw(frame, poses)
                self._obey(commands, drawn_bgr)
                self._put_on_screen(poses, self._draw(frame, poses))
            time.sleep(PAUSE_POLL_S)
        self._resumed_s = time.perf_counter()
        self._start_s += self._resumed_s - paused_s

    def _next_decoding(self) -> None:
        estimator = self.pipeline.estimator
        current = DECODINGS.index(estimator.method) if estimator.method in DECODINGS else -1
        estimator.method = DECODINGS[(current + 1) % len(DECODINGS)]
        logger.info(f"decoding: {estimator.method}")

    def _toggle_recording(self) -> None:
        if self._recording is not None:
            self._stop_recording()
            return
        path = _stamped(".mp4")
        try:
            self._recording = VideoSink(path, from_first_frame=True)
        except (SinkError, UsageError) as error:  # the show goes on
            logger.warning(f"no recording: {error}")
        else:
            logger.info(f"recording to {path}")

    def _record(self, frame: Frame, poses: Poses, drawn: ImageBgr | None) -> None:
        if self._recording is None:
            return
        try:
            self._recording.write(frame, poses, drawn)
        except SinkError as error:
            logger.warning(f"recording ended: {error}")
            self._recording = None

    def _stop_recording(self) -> None:
        if self._recording is not None:
            recording, self._recording = self._recording, None
            recording.close()
            logger.info("recording saved")

    def _close(self) -> None:
        """Closes everything; an error of one of them is raised in the end."""
        with ExitStack() as stack:
            if self.window is not None:
                stack.callback(self.window.close)
            for sink in reversed((*self.sinks, *self.live_sinks)):
                stack.callback(sink.close)
            stack.callback(self._stop_recording)
            if self._writer is not None:
                stack.callback(self._writer.close)


def _snapshot(drawn_bgr: ImageBgr) -> None:
    path = _stamped(".png")
    if cv2.imwrite(str(path), drawn_bgr):
        logger.info(f"snapshot: {path}")
    else:
        logger.warning(f"snapshot: {path} could not be written")


def _stamped(suffix: str) -> Path:
    """In the working directory."""
    return Path(f"livepose-{time.strftime('%Y%m%d-%H%M%S')}{suffix}")


def mirrored(poses: Poses, width_px: int) -> Poses:
    """The same people in the mirrored image; every label stays."""
    left, top, right, bottom = poses.boxes_xyxy.T
    return replace(
        poses,
        keypoints_xy=poses.keypoints_xy * (-1, 1) + (width_px - 1, 0),
        boxes_xyxy=np.stack([width_px - right, top, width_px - left, bottom], axis=1),
        covariance_px2=poses.covariance_px2 * ((1, -1), (-1, 1)),
    )
