"""Commands of a few lines: ``livepose cameras``, ``livepose demo`` and ``livepose completion``."""

import logging
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from livepose.cli.options import Command, options
from livepose.errors import SourceError
from livepose.settings import option

if TYPE_CHECKING:
    from livepose.pipeline import PosePipeline
    from livepose.sources.camera import Camera

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CamerasSettings:
    """How cameras are listed."""

    measure: bool = option(True, "do not switch the cameras on")


def cameras(given: Namespace) -> None:
    """Prints the cameras to stdout: which there are, their modes, and how fast they really are."""
    from livepose.sources.camera import list_cameras

    found = list_cameras()
    if not found:
        raise SourceError(
            "no camera was found; plug one in, or give the address of a network camera to --camera"
        )
    for camera in found:
        print(described(camera, options(CamerasSettings, given).measure), flush=True)


def described(camera: "Camera", measure: bool) -> str:
    """A few lines on one camera."""
    from livepose.sources.camera import measured_fps, modes

    lines = [f"{camera.index}  {camera.name}  ({camera.path})"]
    lines += [f"     {mode}" for mode in modes(camera)] or ["     no modes known"]
    if measure:
        fps = measured_fps(camera)
        found = "it sends no frames; is it used by another program?"
        lines.append("     measured: " + (f"{fps:.1f} fps" if fps else found))
    return "\n".join(lines)


CAMERAS = Command("Lists cameras, their modes and measured fps.", [CamerasSettings], cameras)


@dataclass(frozen=True)
class DemoSettings:
    """Where the demo goes."""

    folder: Path = option(Path(), "where the files go")
    overwrite: bool = option(False, "replace files that are there")


def demo(given: Namespace) -> None:
    """Plays the demo and says where its files are."""
    from livepose.pipeline import PosePipeline
    from livepose.sinks.claims import check_folder

    settings = options(DemoSettings, given)
    check_folder(settings.folder, overwrite=True)
    for path in run_demo(PosePipeline(), settings):
        print(path.resolve(), file=sys.stderr)


def run_demo(pipeline: "PosePipeline", settings: DemoSettings) -> list[Path]:
    """Plays the scene; returns the files that were written: video, JSON lines, contact sheet."""
    from livepose.benchmark.scene import CameraPath
    from livepose.player import Player
    from livepose.sinks.images import SheetSink
    from livepose.sinks.jsonl import JsonLinesSink, make_header
    from livepose.sinks.protocol import Sink
    from livepose.sinks.video import VideoSink
    from livepose.window import Window

    scene, over = CameraPath(), settings.overwrite
    files = [settings.folder / f"demo.{suffix}" for suffix in ("mp4", "jsonl", "png")]
    header = make_header(source=scene.name, size_wh=scene.size_wh, fps=scene.fps)
    sinks: list[Sink] = [
        VideoSink(files[0], fps=scene.fps, overwrite=over),
        JsonLinesSink(files[1], header, overwrite=over),
        SheetSink(files[2], overwrite=over),
    ]
    possible, reason = Window.available()
    if not possible:
        logger.warning(f"no window: {reason}; running without one")
    window = Window("livepose - demo") if possible else None
    pipeline.warm_up(scene.size_wh)
    summary = Player(pipeline, scene, sinks, window).play()
    logger.info(f"{summary.frames} frames at {summary.fps:.1f} fps")
    return files


DEMO = Command("Runs on a scene made from two photographs.", [DemoSettings], demo)

BASH = """_livepose() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
    local command=${{COMP_WORDS[1]}} part=${{COMP_WORDS[2]}}
    case "$before" in
{choices}
    esac
    local words
    case "$command $part" in
{commands}
    *) words="{plain}";;
    esac
    if [[ $word == -* || $COMP_CWORD == 1 && -n $word ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
    fi
    [[ ${{#COMPREPLY[@]}} == 0 ]] && COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _livepose livepose
"""
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


@dataclass(frozen=True)
class CompletionSettings:
    """Whose completions."""

    shell: str = option(flag="shell", choices=("bash", "zsh", "fish"))


def completion(given: Namespace) -> None:
    """Prints what the shell is to source."""
    from livepose.cli import COMMANDS, parser_of, parts_of

    parsers = {"": parser_of(None)}
    for name in COMMANDS:
        parsers[name] = parser_of(name)
        parsers |= {f"{name} {part}": one for part, one in parts_of(parsers[name]).items()}
    if given.shell == "fish":
        print(fish(parsers))
    else:
        print((ZSH if given.shell == "zsh" else "") + bash(parsers), end="")


def choices_of(parsers: dict[str, ArgumentParser]) -> dict[str, list[str]]:
    """What may follow an option, by its flag."""
    found: dict[str, list[str]] = {}
    for action in (action for parser in parsers.values() for action in parser._actions):
        metavar = str(action.metavar)
        if action.option_strings and "|" in metavar and metavar.islower():
            found.setdefault(action.option_strings[-1], metavar.split("|"))
    return found


def flags_of(parser: ArgumentParser) -> list[str]:
    """Every way to write an option of it."""
    return [flag for one in parser._actions for flag in one.option_strings]


def bash(parsers: dict[str, ArgumentParser]) -> str:
    """For bash, and for zsh by its emulation."""
    from livepose.cli import parts_of

    choices = "\n".join(
        f'    {flag}) COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$word")); return;;'
        for flag, words in choices_of(parsers).items()
    )
    words = {name: " ".join([*flags_of(one), *parts_of(one)]) for name, one in parsers.items()}
    plain = [*(name for name in words if name and " " not in name), words.pop("")]
    # Parts first: the first pattern that fits counts.
    lines = (
        f'    "{name}{"" if " " in name else " "}"*) words="{words[name]}";;'
        for name in sorted(words, key=lambda name: -len(name.split()))
    )
    return BASH.format(choices=choices, commands="\n".join(lines), plain=" ".join(plain))


def fish(parsers: dict[str, ArgumentParser]) -> str:
    """For fish: a line for each option."""
    lines, choices = [], choices_of(parsers)
    for name, parser in parsers.items():
        command = name.split(" ")[0]
        where = f"__fish_seen_subcommand_from {command}" if command else "true"
        if command and " " not in name:
            lines.append(f"complete -c livepose -n __fish_use_subcommand -a {command}")
        for flag in (one for one in flags_of(parser) if one.startswith("--")):
            values = f" -xa '{' '.join(choices[flag])}'" if flag in choices else ""
            lines.append(f"complete -c livepose -n '{where}' -l {flag[2:]}{values}")
    return "\n".join(dict.fromkeys(lines))


COMPLETION = Command(
    "Prints completions: source <(livepose completion bash)", [CompletionSettings], completion
)
