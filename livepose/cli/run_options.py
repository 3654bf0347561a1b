"""What ``livepose`` without a command can be told: sources, outputs, window, benchmark."""

import math
import re
from dataclasses import dataclass, field, fields, replace
from glob import escape, glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.cli.options import SOURCES
from livepose.errors import UsageError
from livepose.paths import is_file, is_folder
from livepose.settings import DrawingStyle, Settings, option, parse_size

if TYPE_CHECKING:
    from livepose.sources import Excerpt

BROWSER = "browser"
"""The source that is a page's own camera."""
DEFAULT_VIEW = "8080"
"""Where ``--source browser`` is served unless --serve says so."""
NAMED_BY_SOURCE = Path("\0")
"""An output without a value: it is named by its source, below --output-dir."""
TURNS = ("0", "90", "180", "270")


def _seconds(text: str) -> float:
    """Seconds above 0, or ``forever``."""
    value = math.inf if text == "forever" else float(text)
    if not 0.0 < value < math.inf and text != "forever":
        raise ValueError(text)
    return value


def _clock_s(text: str) -> float:
    """Seconds, or ``1:02:03.5`` as seconds."""
    values = [float(part) for part in text.split(":")]
    first, *rest = values
    if len(rest) > 2 or not (0 <= first < math.inf and all(0 <= value < 60 for value in rest)):
        raise ValueError(text)
    return sum(value * 60.0**place for place, value in enumerate(reversed(values)))


def _frame_size(text: str) -> tuple[int, int]:
    """Width and height of frames."""
    size_wh = parse_size(text)
    if not all(side in range(16, 8193) for side in size_wh):
        raise ValueError(text)
    return size_wh


def _shard(text: str) -> tuple[int, int]:
    """``2/8`` as (2, 8)."""
    index, _, count = text.partition("/")
    digits = text.isascii() and index.isdecimal() and count.isdecimal()
    if not (digits and 1 <= int(index) <= int(count)):
        raise ValueError(text)
    return int(index), int(count)


def _turn_or_rotation(text: str) -> str:
    """Degrees, or the size or age at which a file is put aside."""
    if text not in TURNS:
        from livepose.sinks.files import parse_rotation

        parse_rotation(text)
    return text


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Source (one kind; several of it share the networks)."""

    paths: tuple[str, ...] = option(
        (), "any source: index, path, URL or glob", flag="paths", metavar="SOURCE", nargs="*"
    )
    camera: tuple[str, ...] = option((), "camera index, device path, name or URL", metavar="N")
    video: tuple[str, ...] = option((), "video file", metavar="FILE")
    image: tuple[str, ...] = option((), "images, folders or globs", metavar="PATH", nargs="+")
    source: tuple[str, ...] = option((), "index, path, URL or glob", metavar="ANY")
    camera_size: tuple[int, int] | None = option(
        None, "asked of the camera, or of the benchmark's scene",
        metavar="WxH", parse=_frame_size,
        expects="WIDTHxHEIGHT such as 1280x720, at most 8192x8192",
    )  # fmt: skip
    camera_fps: float | None = option(None, "asked of the camera", metavar="F", above=0)
    rotate: tuple[str, ...] = option(
        (), "turn images by 90, 180 or 270 degrees; or begin a new file of --json and --csv "
        "at a size or age (100MB, 1h), and put aside one that is there",
        metavar="DEG|SIZE|AGE", parse=_turn_or_rotation,
        expects="90, 180 or 270 degrees, or a size or age such as 100MB or 1h",
    )  # fmt: skip
    open_timeout_s: float = option(
        15.0, "for the first frame of a camera or stream",
        flag="--open-timeout", metavar="S", above=0,
    )  # fmt: skip
    reconnect_s: float | None = option(
        None, "wait so long for a camera that is away, also at the start (20, not at the start)",
        flag="--reconnect", metavar="S|forever",
        parse=_seconds, expects="seconds above 0 or forever",
    )  # fmt: skip
    start_s: float = option(
        0.0, "of a video file: s or h:mm:ss",
        flag="--start", metavar="TIME", parse=_clock_s, expects="seconds or h:mm:ss",
    )  # fmt: skip
    end_s: float | None = option(
        None, "of a video file, likewise",
        flag="--end", metavar="TIME", parse=_clock_s, expects="seconds or h:mm:ss",
    )  # fmt: skip
    step: int = option(1, "every Nth frame of a video file", metavar="N", least=1)

    @property
    def turn_deg(self) -> int:
        """How far images are turned, clockwise."""
        return next((int(one) for one in reversed(self.rotate) if one in TURNS), 0)

    @property
    def rotation(self) -> str | None:
        """When files are put aside, as it was written."""
        return next((one for one in reversed(self.rotate) if one not in TURNS), None)

    @property
    def excerpt(self) -> "Excerpt":
        """The part of a video file that is wanted."""
        from livepose.sources import Excerpt

        return Excerpt(self.start_s, self.end_s, self.step)

    @property
    def kind(self) -> str:
        """Which field names the sources; UsageError where that is more than one."""
        given = [name for name in SOURCES if getattr(self, name)]
        if len(given) > 1:
            raise UsageError(
                "sources of one kind at a time: --camera, --video, --image, --source or plain"
                " arguments"
            )
        return given[0] if given else ""

    def named(self) -> tuple[str, ...]:
        """Every source, as it was written."""
        return getattr(self, self.kind) if self.kind else ()

    def files(self) -> list[str]:
        """Every file that is read: of that name, in that folder, or meant by that pattern."""
        patterns = [f"{escape(one)}/*" if is_folder(one) else one for one in self.named()]
        found = [path for one in patterns for path in (one, *glob(one, recursive=True))]  # noqa: PTH207
        return [path for path in found if is_file(path)]


def _place(text: str) -> str | Path:
    """Where an output goes; "-" is stdout."""
    return text if text == "-" else Path(text) if text else NAMED_BY_SOURCE


def beside(path: Path) -> Path:
    """Where the angles go that belong to ``path``: out.csv -> out.angles.csv."""
    return path.with_name(f"{path.stem}.angles{path.suffix}")


def written(help: str, ending: str, metavar: str = "FILE") -> Any:
    """The option of an output; without a value it is its source's name with this ending."""
    told = option(None, help, metavar=metavar, nargs="?", parse=_place).metadata
    return field(default=None, metadata={**told, "ending": ending})


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Output (several at once are fine)."""

    output: Path | None = written("drawn video, image or folder", ".mp4", "PATH")
    json: str | Path | None = written("JSON lines, - is stdout", ".jsonl")
    csv: Path | None = written("a row for each keypoint", ".csv")
    openpose_json: Path | None = written("BODY_25 files", "_openpose", "DIR")
    coco_json: Path | None = written("COCO results", ".coco.json")
    sheet: Path | None = written("a contact sheet of the video", ".sheet.png", "PNG")
    angles: bool = option(False, "joints' and segments' angles in --json, --csv, --parquet, --send")
    trc: Path | None = written("markers, a file for each person: walk_person1.trc, ...", ".trc")
    mot: Path | None = written("angles, likewise", ".mot")
    rate_hz: float | None = option(
        None, "of --trc and --mot; default: that of the frames",
        flag="--rate", metavar="HZ", above=0, most=10_000,
    )  # fmt: skip
    height_m: float | None = option(
        None,
        "how tall somebody is: --trc in metres; default: pixels",
        metavar="M",
        least=0.2,
        most=3,
    )
    parquet: Path | None = written("the rows of --csv as Parquet (livepose[parquet])", ".parquet")
    coco_dataset: Path | None = written("a COCO data set to be corrected by hand", ".dataset.json")
    yolo_pose: Path | None = written("YOLO-pose labels, likewise", "_yolo", "DIR")
    overwrite: bool = option(False, "replace outputs that are there")
    slim: bool = option(False, "JSON lines without states and spreads, in short numbers")
    kpt_thr: float = option(
        0.0, "keypoints that score less are missing in every output", metavar="S", least=0
    )

    def asked(self) -> dict[str, str | Path]:
        """Where each output goes, by its field; those alone that were asked for."""
        places = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: one for name, one in places.items() if isinstance(one, str | Path)}

    def more(self) -> list[Path]:
        """What is written or replaced beside the outputs: angles, and files of each person."""
        places = [beside(path) for path in (self.csv, self.parquet) if self.angles and path]
        for path in filter(None, (self.trc, self.mot)):
            places += path.parent.glob(f"{escape(path.stem)}_person*{path.suffix}")
        return places

    def numbered(self, number: int) -> "OutputOptions":
        """The outputs of one stream of several: ``poses-1.jsonl`` for ``poses.jsonl``."""
        if "-" in self.asked().values():
            raise UsageError("several sources cannot share stdout; name a file: each gets its own")
        paths: dict[str, Any] = {name: Path(path) for name, path in self.asked().items()}
        return replace(
            self, **{name: one.with_stem(f"{one.stem}-{number}") for name, one in paths.items()}
        )

    def named_by(self, place: Path, kind: str) -> "OutputOptions":
        """The outputs of one file of many: ``place`` and how each kind ends."""
        endings = {entry.name: entry.metadata.get("ending") for entry in fields(self)}
        if kind == "images":
            endings["output"] = "_drawn"
        named: Any = {n: place.with_name(f"{place.name}{endings[n]}") for n in self.asked()}
        return replace(self, **named)


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """Live output: other programs, browsers, cameras and watchdogs."""

    send: tuple[str, ...] = option(
        (), "keypoints by osc://HOST:PORT[?px], udp://HOST:PORT[?full] or ws://127.0.0.1:PORT",
        metavar="URL",
    )  # fmt: skip
    serve: str | None = option(None, "a browser view", metavar="[HOST:]PORT")
    serve_cert: Path | None = option(None, "its certificate and key, for https", metavar="PEM")
    serve_self_signed: bool = option(False, "https with a certificate made for this run")
    virtual_camera: str | None = option(
        None, "the drawn image as a webcam", metavar="NAME", nargs="?"
    )
    health: int | None = option(None, "/healthz and /metrics on 127.0.0.1", metavar="PORT", least=1)

    def asked(self) -> bool:
        """Whether any of them takes frames."""
        return bool(self.send or self.serve or self.virtual_camera is not None)

    def numbered(self, number: int) -> "LiveOptions":
        """Those of one stream of several, from 1 on: ports count up."""
        if self.virtual_camera is not None:
            raise UsageError("several sources cannot share --virtual-camera")
        send = tuple(_port_added(url, number - 1) for url in self.send)
        serve = None if self.serve is None else _port_added(self.serve, number - 1)
        return replace(self, send=send, serve=serve)

    def served_at(self, source: str) -> tuple[str, int] | None:
        """Host (loopback unless given) and port of the view of this source; None without one."""
        if self.serve is None and source != BROWSER:
            return None
        host, _, port = (self.serve or DEFAULT_VIEW).rpartition(":")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(
                f"--serve: expected PORT or HOST:PORT such as 8080, got {self.serve!r}"
            )
        return host.strip("[]") or "127.0.0.1", int(port)


def _port_added(address: str, more: int) -> str:
    """``osc://host:9001?px`` for ``osc://host:9000?px`` and 1."""
    found = re.fullmatch(r"(.*?)(\d+)(/?(?:\?.*)?)", address)
    return address if found is None else f"{found[1]}{int(found[2]) + more}{found[3]}"


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """Window."""

    show: bool = option(False, "a window also beside --output")
    no_window: bool = option(False, "never a window")


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """Benchmark, with --benchmark; --json FILE saves it."""

    benchmark: bool = option(False, "measure speed: a made scene, or the source that is given")
    people: int | None = option(None, "people in the made scene", metavar="N", least=0)
    frames: int | None = option(None, "frames to measure", metavar="N", least=1)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Many files, each with outputs of its own name."""

    output_dir: Path | None = option(
        None, "process every video and image of the sources; outputs, then without a value "
        "(--json --csv), go here", metavar="DIR",
    )  # fmt: skip
    recursive: bool = option(False, "folders within folders too")
    manifest: Path | None = option(
        None, "notes each file; a rerun does what is missing or changed", metavar="FILE"
    )
    shard: tuple[int, int] | None = option(
        None, "the Ith of N runs that share the files", metavar="I/N",
        parse=_shard, expects="I/N with 1 <= I <= N such as 2/8",
    )  # fmt: skip
    workers: int = option(1, "processes; with --ray: on each machine", metavar="N", least=1)
    ray: str | None = option(None, "machines of a Ray cluster", metavar="ADDRESS|local")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run can be told, by the titles of its help."""

    sources: SourceOptions = SourceOptions()
    outputs: OutputOptions = OutputOptions()
    batch: BatchOptions = BatchOptions()
    live: LiveOptions = LiveOptions()
    settings: Settings = Settings()  # noqa: RUF009 - frozen
    window: WindowOptions = WindowOptions()
    style: DrawingStyle = DrawingStyle()  # noqa: RUF009 - frozen
    benchmark: BenchmarkOptions = BenchmarkOptions()

    def each(self) -> "list[RunOptions]":
        """Those of each source: of several, outputs and ports are numbered; images are one."""
        sources, kind = self.sources, self.sources.kind
        if kind == "image" or len(sources.named()) < 2:
            return [self]
        lone: list[Any] = [{kind: (one,)} for one in sources.named()]
        return [
            replace(
                self,
                sources=replace(sources, **one),
                outputs=self.outputs.numbered(number),
                live=self.live.numbered(number),
            )
            for number, one in enumerate(lone, 1)
        ]

    def wants_window(self, live: bool = False) -> bool:
        """Whether a window is to be opened; a live source has one beside its outputs too."""
        outputs = bool(self.outputs.asked()) or self.live.asked()
        return not self.window.no_window and (self.window.show or live or not outputs)

    def draws(self) -> bool:
        """Whether images are going to be drawn."""
        written = self.outputs.output or self.outputs.sheet
        return bool(self.wants_window() or written or self.live.virtual_camera is not None)
