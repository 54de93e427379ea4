"""``mmx ui``: MLflow's own server on the project's store, started, announced and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import yaml

from mmx.config import default_text
from mmx.errors import MmxError
from mmx.schema import TrackingSettings
from mmx.track.address import Address, UnreachableError, reach, resolve, shown
from mmx.track.view import PAGE_QUERY, VIEW_TAG

START_SECONDS = 120
STOP_SECONDS = 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANY = ("0.0.0.0", "::")


def ui_command(settings: TrackingSettings) -> str:
    """Return what a user types to see the runs: ``mmx ui``, with the address where it is not the default one.

    The path of the program is added where a shell would not find it. Empty when nothing is tracked.
    """
    if settings.uri is None:
        return ""
    default = yaml.safe_load(default_text())["tracking"]["uri"]
    command = [_program(), "ui"]
    if settings.uri != default:
        command.append(f"tracking.uri={shown(settings.uri)}")
    return shlex.join(command)


def serve(settings: TrackingSettings, host: str = "127.0.0.1", port: int = 5000) -> None:
    """Serve the store until Ctrl-C; for a remote store only print its address.

    Parameters
    ----------
    settings : TrackingSettings
    host : str
        ``0.0.0.0`` opens it to the network: MLflow has no login of its own here.
    port : int

    Raises
    ------
    MmxError
        When nothing is tracked, the port is taken, the store cannot be reached or the server does not start.
    """
    if settings.uri is None:
        raise MmxError("there is nothing to show: tracking.uri is null. Set it, for example to sqlite:///mlruns/mlflow.db.")
    try:
        address = resolve(settings.uri)
        if address.kind == "server":
            print(f"The runs are on an MLflow server: {address.uri}")
            return
        reach(address)
    except UnreachableError as error:
        raise MmxError(f"the store cannot be shown: {error}. Check tracking.uri.") from error
    _port_is_free(host, port)
    with tempfile.TemporaryFile("w+") as log, _stoppable(), _server(address, host, port, log) as process:
        base = f"http://{_for_browser(host)}:{port}"
        _wait(process, base, log)
        print(f"MLflow shows the runs of {shown(settings.uri)} at\n\n    {_page(base, settings.experiment)}\n", flush=True)
        if host not in LOOPBACK:
            print("Everyone who reaches this machine can see and change them: there is no login.", flush=True)
        print("Ctrl-C stops it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            code = process.wait()
            raise MmxError(f"the MLflow server ended by itself (exit code {code}):\n{_last_lines(log)}")
    print("\nStopped.", flush=True)


def server_command(address: Address, host: str, port: int) -> list[str]:
    """Return the command line of MLflow's server on a store, by the running interpreter."""
    artifacts = address.root or Path("mlruns").absolute()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", address.uri]
    command += ["--artifacts-destination", str(artifacts), "--host", host, "--port", str(port), "-w", "1"]
    if host not in LOOPBACK:
        # MLflow answers 403 to names that it does not know; private addresses and localhost it knows.
        names = {socket.gethostname(), socket.getfqdn(), *([] if host in ANY else [host])}
        known = ["localhost", "localhost:*", "127.0.0.1", "127.0.0.1:*", "10.*", "192.168.*"]
        known += [f"172.{i}.*" for i in range(16, 32)] + [text for name in sorted(names) for text in (name, f"{name}:{port}")]
        command += ["--allowed-hosts", ",".join(known)]
    return command


@contextlib.contextmanager
def _server(address: Address, host: str, port: int, log: IO[str]) -> Iterator[subprocess.Popen[bytes]]:
    quiet: Mapping[str, str] = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Background jobs of MLflow are for language models; without them the server starts faster.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    # A session of its own: Ctrl-C reaches us alone, and we stop the server with its workers.
    process = subprocess.Popen(
        server_command(address, host, port),
        env={**quiet, **os.environ},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
                break


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let a request to terminate end the server as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(process: subprocess.Popen[bytes], base: str, log: IO[str]) -> None:
    """Wait until the server answers, with one line that counts the seconds on a terminal."""
    started = time.monotonic()
    alive = sys.stderr.isatty()
    print("Starting the MLflow server, about 10 seconds ...", end="" if alive else "\n", file=sys.stderr, flush=True)
    while True:
        seconds = time.monotonic() - started
        if process.poll() is not None:
            raise MmxError(f"the MLflow server did not start (exit code {process.returncode}):\n{_last_lines(log)}")
        if seconds > START_SECONDS:
            raise MmxError(f"the MLflow server does not answer after {START_SECONDS} s:\n{_last_lines(log)}")
        if alive:
            text = f"\rStarting the MLflow server, about 10 seconds ... {seconds:.0f} s"
            print(text, end="", file=sys.stderr, flush=True)
        try:
            with _open(f"{base}/health", 2) as reply:
                if reply.status == 200:
                    break
        except OSError:
            time.sleep(0.25)
    if alive:
        print(file=sys.stderr)


def _page(base: str, experiment: str) -> str:
    """Return the address of the experiment's table of runs, or of the start page when there is no such experiment yet."""
    query = urllib.parse.urlencode({"experiment_name": experiment})
    try:
        with _open(f"{base}/api/2.0/mlflow/experiments/get-by-name?{query}", 10) as reply:
            found = json.load(reply)["experiment"]
    except (OSError, ValueError, KeyError):
        return base
    view = any(tag["key"] == VIEW_TAG for tag in found.get("tags", ()))
    return f"{base}/#/experiments/{found['experiment_id']}/runs{f'?{PAGE_QUERY}' if view else ''}"


def _open(url: str, seconds: float) -> Any:
    """Open an address of our own server, past any proxy of the environment."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=seconds)


def _port_is_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise MmxError(
                f"the server cannot listen on {host}:{port} ({error.strerror}). "
                f"Is it running already? See http://{_for_browser(host)}:{port}, or choose another port, such as {port + 1}."
            ) from error


def _for_browser(host: str) -> str:
    name = "127.0.0.1" if host in ANY else host
    return f"[{name}]" if ":" in name else name


def _last_lines(log: IO[str]) -> str:
    log.seek(0)
    return "\n".join(f"  {line.rstrip()}" for line in log.readlines()[-8:])


def _program() -> str:
    found = shutil.which("mmx")
    beside = Path(sys.executable).with_name("mmx")
    if found is not None and Path(found).absolute() == beside.absolute():
        return "mmx"
    if beside.exists():
        with contextlib.suppress(ValueError):
            return str(beside.absolute().relative_to(Path.cwd()))
        return str(beside)
    return "mmx"
