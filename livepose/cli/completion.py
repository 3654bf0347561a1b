"""``livepose completion bash | zsh | fish``: completions for a shell, out of the options."""

from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import dataclass

from livepose.cli.options import Command
from livepose.settings import option

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


COMMAND = Command("Prints completions: source <(livepose completion bash)", [CompletionSettings])


def run(arguments: Namespace) -> int:
    """Prints what the shell is to source."""
    from livepose.cli import COMMANDS, parser_of

    parsers = {"": parser_of(None)}
    for name in COMMANDS:
        parsers |= named(name, parser_of(name))
    if arguments.shell == "fish":
        print(fish(parsers))
    else:
        print((ZSH if arguments.shell == "zsh" else "") + bash(parsers), end="")
    return 0


def named(name: str, parser: ArgumentParser) -> dict[str, ArgumentParser]:
    """The parser of a command, and those of its parts by ``weights list``."""
    found = {name: parser}
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            found |= {f"{name} {part}": one for part, one in action.choices.items()}
    return found


def words_of(parser: ArgumentParser) -> list[str]:
    """Options, and the parts of a command."""
    parts = [one for one in parser._actions if isinstance(one, _SubParsersAction)]
    options = [flag for one in parser._actions for flag in one.option_strings]
    return [*options, *(name for action in parts for name in action.choices)]


def choices_of(parsers: dict[str, ArgumentParser]) -> dict[str, list[str]]:
    """What may follow an option, by its flag."""
    found: dict[str, list[str]] = {}
    for parser in parsers.values():
        for action in parser._actions:
            allowed = list(map(str, action.choices or ()))
            if not allowed and "|" in str(action.metavar) and str(action.metavar).islower():
                allowed = str(action.metavar).split("|")
            if action.option_strings and allowed:
                found.setdefault(action.option_strings[-1], allowed)
    return found


def bash(parsers: dict[str, ArgumentParser]) -> str:
    """For bash, and for zsh by its emulation."""
    choices = "\n".join(
        f'    {flag}) COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$word")); return;;'
        for flag, words in choices_of(parsers).items()
    )
    commands = [name for name in parsers if name]
    # Parts first: the first pattern that fits counts.
    lines = (
        f'    "{name}{"" if " " in name else " "}"*) words="{" ".join(words_of(parsers[name]))}";;'
        for name in sorted(commands, key=lambda name: -len(name.split()))
    )
    plain = [*(name for name in commands if " " not in name), *words_of(parsers[""])]
    return BASH.format(choices=choices, commands="\n".join(lines), plain=" ".join(plain))


def fish(parsers: dict[str, ArgumentParser]) -> str:
    """For fish: a line for each option."""
    lines, choices = [], choices_of(parsers)
    for name, parser in parsers.items():
        command = name.split(" ")[0]
        where = f"__fish_seen_subcommand_from {command}" if command else "true"
        if command and " " not in name:
            lines.append(f"complete -c livepose -n __fish_use_subcommand -a {command}")
        for action in parser._actions:
            for flag in (one[2:] for one in action.option_strings if one.startswith("--")):
                allowed = choices.get(f"--{flag}")
                values = f" -xa '{' '.join(allowed)}'" if allowed else ""
                lines.append(f"complete -c livepose -n '{where}' -l {flag}{values}")
    return "\n".join(dict.fromkeys(lines))
