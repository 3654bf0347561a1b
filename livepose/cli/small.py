"""Commands of a few lines: ``livepose cameras``, ``demo``, ``plot`` and ``completion``."""

import logging
import sys
from argparse import ArgumentParser
from pathlib import Path

from livepose.cli.options import command
from livepose.errors import DataError, SourceError, UsageError
from livepose.settings import option

logger = logging.getLogger(__name__)


@command("Lists cameras, their modes and measured fps.")
def cameras(measure: bool = option(True, "do not switch the cameras on")) -> None:
    """Prints the cameras to stdout: which there are, their modes, and how fast they really are."""
    from livepose.sources.camera import list_cameras, measured_fps, modes

    found = list_cameras()
    if not found:
        raise SourceError(
            "no camera was found; plug one in, or give the address of a network camera to --camera"
        )
    for camera in found:
        print(f"{camera.index}  {camera.name}  ({camera.path})")
        for mode in modes(camera) or ["no modes known"]:
            print(f"     {mode}", flush=True)
        if measure:
            fps = measured_fps(camera)
            silent = "it sends no frames; is it used by another program?"
            print("     measured:", f"{fps:.1f} fps" if fps else silent, flush=True)


@command("Runs on a scene made from two photographs.")
def demo(
    folder: Path = option(Path(), "where the files go"),
    overwrite: bool = option(False, "replace files that are there"),
) -> None:
    """Plays it into a video, JSON lines and a contact sheet, and says where they are."""
    from livepose.benchmark.scene import CameraPath
    from livepose.cli.run_options import OutputOptions, RunOptions, WindowOptions
    from livepose.cli.start import start
    from livepose.sinks.sink import check_folder

    check_folder(folder, overwrite=True)
    files = [folder / f"demo.{suffix}" for suffix in ("mp4", "jsonl", "png")]
    outputs = OutputOptions(output=files[0], json=files[1], sheet=files[2], overwrite=overwrite)
    start(RunOptions(outputs=outputs, window=WindowOptions(show=True)), CameraPath())
    for path in files:
        print(path.resolve(), file=sys.stderr)


@command("Draws positions, speeds and angles with their bands, one page a file.")
def plot(
    files: tuple[Path, ...] = option(
        help="written by --json, or a folder of such files", flag="files", metavar="FILE", nargs="+"
    ),
    output: Path | None = option(
        None, ".png, .pdf or .html; FILE.png unless given", metavar="PAGE"
    ),
    id: tuple[int, ...] = option((), "only this person"),
    overwrite: bool = option(False, "replace pages that are there"),
) -> None:
    """Of several files, those that cannot be drawn are left out and said."""
    from livepose.results.plot import check_suffix, draw_page, save_page
    from livepose.results.reading import read
    from livepose.sinks.sink import check_outputs

    results = [file for path in files for file in _results_of(path)]
    if output is not None:
        check_suffix(output)
        if len(results) > 1:
            raise UsageError("--output names one page; leave it out for several files")
    failures = []
    for file in results:
        page = output or file.with_suffix(".png")
        try:
            check_outputs({"--output": page}, [file], overwrite=overwrite)
            save_page(draw_page(read(file), id), page, title=file.name)
            logger.info(f"{page}")
        except DataError as error:
            failures.append(error)
    if len(failures) == len(results):
        raise failures[0]
    for failure in failures:
        logger.warning(f"left out: {failure}")


def _results_of(path: Path) -> list[Path]:
    """The file itself, or the results in a folder."""
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise DataError(
            f"{path} holds no results (.jsonl); to make and plot them: livepose {path}"
            " --output-dir OUT --json, then livepose plot OUT"
        )
    return files


@command("Prints completions: source <(livepose completion bash)")
def completion(shell: str = option(flag="shell", choices=("bash", "zsh"))) -> None:
    """Prints what the shell is to source: the commands, and the options of each."""
    from livepose.cli import COMMANDS, command_of

    cases = []
    for name in (None, *COMMANDS):
        words = [*command_of(name).parts, *({} if name else COMMANDS)]
        for one in command_of(name).parts.values() or [command_of(name)]:
            parser = ArgumentParser()
            one.register(parser)
            words += [flag for action in parser._actions for flag in action.option_strings]
        cases.append(f"        {name or '*'}) words='{' '.join(dict.fromkeys(words))}' ;;")
    if shell == "zsh":
        print("autoload -U +X bashcompinit && bashcompinit")
    print(COMPLETION.format("\n".join([*cases[1:], cases[0]])))


COMPLETION = """_livepose() {{
    local words
    case "${{COMP_WORDS[1]}}" in
{}
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _livepose livepose"""
