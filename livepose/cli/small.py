"""Commands of a few lines: ``livepose cameras``, ``livepose demo`` and ``livepose completion``."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from livepose.cli.options import command
from livepose.errors import SourceError
from livepose.settings import option


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
    from livepose.cli.play import open_player, play
    from livepose.cli.run_options import OutputOptions, RunOptions, WindowOptions
    from livepose.cli.start import Stream, window_possible
    from livepose.pipeline import PosePipeline
    from livepose.sinks.sink import check_folder
    from livepose.window import Window

    scene = CameraPath()
    check_folder(folder, overwrite=True)
    files = [folder / f"demo.{suffix}" for suffix in ("mp4", "jsonl", "png")]
    outputs = OutputOptions(output=files[0], json=files[1], sheet=files[2], overwrite=overwrite)
    chosen = RunOptions(outputs=outputs, window=WindowOptions(show=True))
    shown = window_possible(chosen, live=False)
    pipeline = PosePipeline()
    pipeline.warm_up(scene.size_wh)
    window = Window("livepose - demo") if shown else None
    stream = Stream(chosen, scene, CameraPath, window=window)
    play(open_player(stream, pipeline), outputs, alone=True)
    for path in files:
        print(path.resolve(), file=sys.stderr)


BASH = """_livepose() {
    local IFS=$'\\n'
    COMPREPLY=($(livepose completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _livepose livepose
"""
SCRIPTS = {
    "bash": BASH,
    "zsh": f"autoload -U +X bashcompinit && bashcompinit\n{BASH}",
    "fish": "complete -c livepose -a "
    "'(livepose completion words -- (commandline -opc)[2..] (commandline -ct))'\n",
}


@command("Prints completions: source <(livepose completion bash)")
def completion(
    shell: str = option(flag="shell", choices=(*SCRIPTS, "words")),
    words: tuple[str, ...] = option((), "asked by the scripts", flag="words", nargs="*"),
) -> None:
    """Prints what the shell is to source; that asks again for what may stand in the last word."""
    if shell != "words":
        print(SCRIPTS[shell], end="")
        return
    *before, word = words or ("",)
    print("\n".join(one for one in _offered(before) if one.startswith(word)))


def _offered(before: list[str]) -> list[str]:
    """What may come after these words: values of an option, else parts and options."""
    from livepose.cli import COMMANDS, parser_of, parts_of

    name = before[0] if before and before[0] in COMMANDS else None
    parser: ArgumentParser = parser_of(name)
    if name and len(before) > 1:
        parser = parts_of(parser).get(before[1], parser)
    flags = {flag: action for action in parser._actions for flag in action.option_strings}
    if before and (asked := flags.get(before[-1])) and asked.nargs != 0:
        values = str(asked.metavar)
        return values.split("|") if "|" in values and values.islower() else []
    return [*([] if before else COMMANDS), *parts_of(parser), *flags]
