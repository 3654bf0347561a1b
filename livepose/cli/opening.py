"""Opens the source and the window that the options name; no network is loaded for it."""

import logging
from dataclasses import replace
from typing import Any

from livepose.cli.run_options import RunOptions, SourceOptions
from livepose.errors import UsageError
from livepose.sources import (
    AnimationSource,
    Excerpt,
    LiveSettings,
    Source,
    VideoSource,
    open_camera,
    open_images,
    open_source,
    open_video,
)
from livepose.window import Window

logger = logging.getLogger(__name__)


def open_chosen(kind: str, value: Any, options: SourceOptions, *, deferred: bool = False) -> Source:
    """The source of that kind; a live one at once where it may be ``deferred``."""
    source = _open(kind, value, options, live_settings(options, deferred))
    if options.excerpt != Excerpt() and not isinstance(source, VideoSource | AnimationSource):
        source.close()
        raise UsageError(f"--start, --end and --step are for video files, not for {source.name}")
    return source


def _open(kind: str, value: Any, options: SourceOptions, live: LiveSettings) -> Source:
    asked: Any = {"camera_size": options.camera_size, "camera_fps": options.camera_fps}
    turn_deg, excerpt = options.turn_deg, options.excerpt
    if value == "browser" and kind == "source":
        from livepose.live.browser_source import BrowserSource

        return BrowserSource()
    if kind == "image":
        return open_images(value, rotate=turn_deg)
    if kind == "video":
        return open_video(value, excerpt=excerpt, rotate=turn_deg)
    if kind == "camera" and "://" not in value:
        return open_camera(value, settings=live, rotate=turn_deg, **asked)
    return open_source(value, live=live, excerpt=excerpt, rotate=turn_deg, **asked)


def live_settings(options: SourceOptions, deferred: bool) -> LiveSettings:
    """How patient the options want a camera to be."""
    asked = LiveSettings(open_timeout_s=options.open_timeout_s, deferred=deferred)
    if options.reconnect_s is None:
        return asked
    return replace(asked, reconnect_s=options.reconnect_s, wait_at_start=True)


def wants_window(options: RunOptions, live: bool = False) -> bool:
    """Whether a window is to be opened; a live source has one beside its outputs too."""
    window = options.window
    outputs = bool(options.outputs.asked()) or options.live.asked()
    return not window.no_window and (window.show or live or not outputs)


def window_possible(options: RunOptions, *, live: bool) -> bool:
    """Whether a window is wanted and can be had; says why not where it cannot."""
    if not wants_window(options, live):
        return False
    possible, reason = Window.available()
    if not possible:
        logger.warning(f"no window: {reason}; running without one")
    return possible
