"""Live outputs that cannot work are refused before anything is loaded."""

from collections.abc import Iterator

from livepose.cli.run_options import LiveOptions
from livepose.errors import UsageError
from livepose.live.addresses import BusAddress, listen, require_private

BROWSER = "browser"
"""The source that is a page's own camera."""
DEFAULT_VIEW = "8080"
"""Where ``--source browser`` is served unless --serve says so."""


def check_live(each: list[tuple[LiveOptions, str]]) -> None:
    """Checks the options of every stream, which come with the name of its source.

    Raises
    ------
    UsageError
        When an address is wrong or taken, or others could listen in.
    DeviceError
        When there is no virtual camera.
    """
    live, _ = each[0]
    wanted = [one for pair in each for one in _listening(*pair)]
    if live.health is not None:
        wanted.append(("--health", "127.0.0.1", live.health))
    ports: dict[int, str] = {}
    for flag, host, port in wanted:
        if port in ports:
            raise UsageError(f"{ports[port]} and {flag} both want port {port}; give each its own")
        ports[port] = flag
        listen(host, port).close()
    if live.serve_cert is not None:
        from livepose.live.certificate import tls_from

        tls_from(live.serve_cert)
    if live.virtual_camera is not None:
        from livepose.live.virtual_camera import check_virtual_camera

        check_virtual_camera(live.virtual_camera)


def _listening(live: LiveOptions, source: str) -> Iterator[tuple[str, str, int]]:
    """Flag, host and port of every server; all other addresses are resolved."""
    for url in live.send:
        address = BusAddress.parse(url)
        if address.scheme == "ws":
            yield f"--send {address.url}", address.host, address.port
        else:
            address.resolved()
    if (at := served_at(live, source)) is not None:
        require_private(at[0], live.serve_self_signed or live.serve_cert is not None)
        yield "--serve", *at


def served_at(live: LiveOptions, source: str) -> tuple[str, int] | None:
    """Host and port of the view of this source; None where there is none."""
    if live.serve is None and source != BROWSER:
        return None
    return host_and_port(live.serve or DEFAULT_VIEW)


def host_and_port(text: str) -> tuple[str, int]:
    """``8080`` or ``0.0.0.0:8080``; without a host it is loopback.

    Raises
    ------
    UsageError
        When it has another form.
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--serve: expected PORT or HOST:PORT such as 8080, got {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)
