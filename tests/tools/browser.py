"""A headless Chromium, driven over a pipe by its own DevTools protocol: no other package needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BINARY = next(
    (
        found
        for each in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(each))
    ),
    None,
)

FLAGS = (
    "--headless",
    "--no-sandbox",  # the tests may run as root, and open only what they wrote
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
)

START = """
import os, sys
# first out of the way, for one of both may be 3 or 4 already
reads, writes = (os.dup2(int(each), free) for each, free in zip(sys.argv[1:3], (93, 94)))
os.dup2(reads, 3)
os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads its commands from 3, and writes its answers to 4."""

THEMES = {"light", "dark"}


class Page:
    """One open page: what it says, asks of the network, and looks like."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = os.fdopen(commands, "wb", buffering=0)
        self._answers = os.fdopen(answers, "rb")
        self._number = 0
        self._session = ""
        self.console: list[str] = []
        """Messages of the console, and exceptions that nobody caught."""
        self.requests: list[str] = []
        """Addresses that were asked for, but for those that bring their own content."""

    def start(self) -> None:
        """Open an empty page."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def open(
        self,
        path: Path,
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        fragment: str = "",
    ) -> None:
        """Open a file in a window of a size, and wait until it is loaded."""
        self.resize(width, height)
        self.media(theme)
        self._call("Page.navigate", url="about:blank")
        self._wait("Page.loadEventFired")
        self.requests.clear()
        self._call("Page.navigate", url=f"{path.absolute().as_uri()}{fragment}")
        self._wait("Page.loadEventFired")
        self.settle()

    def media(self, theme: str, kind: str = "") -> None:
        """Let the system have a theme, and the page be seen on a screen or in print."""
        features = [{"name": "prefers-color-scheme", "value": theme}]
        self._call("Emulation.setEmulatedMedia", media=kind, features=features)

    def resize(self, width: int, height: int) -> None:
        """Give the window a size in CSS pixels."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, script: str) -> Any:
        """Return what a script gives, its promise's value if it is one."""
        found = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        names = {
            "Enter": {"windowsVirtualKeyCode": 13, "text": "\r"},
            "Tab": {"windowsVirtualKeyCode": 9},
            "Escape": {"windowsVirtualKeyCode": 27},
        }
        more = names.get(key, {"text": key})
        self._call("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
        self._call("Input.dispatchKeyEvent", type="keyUp", key=key)
        self.settle()

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self._call("Input.insertText", text=text)
        self.settle()

    def settle(self) -> None:
        """Wait until the page has drawn what it was told, and its promises are kept."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def screenshot(self, path: Path) -> None:
        """Write what the window shows."""
        found = self._call("Page.captureScreenshot", format="png")
        path.write_bytes(b64decode(found["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            pass
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _wait(self, event: str) -> None:
        while self._next().get("method") != event:
            pass

    def _next(self) -> dict[str, Any]:
        """Return the next message, having noted what it says of the page."""
        parts = []
        while (byte := self._answers.read(1)) not in (b"\0", b""):
            parts.append(byte)
        assert parts, "chromium has ended"
        message = json.loads(b"".join(parts))
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, values: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            url = values["request"]["url"]
            self.requests += [] if url.startswith("data:") else [url]
        elif method == "Runtime.exceptionThrown":
            self.console.append(str(values["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.console.append(str(values["args"]))
        elif method == "Log.entryAdded":
            self.console.append(values["entry"]["text"])


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start a browser with a profile folder of its own; end it afterwards."""
    assert BINARY is not None
    commands_in, commands_out = os.pipe()
    answers_in, answers_out = os.pipe()
    starter = [sys.executable, "-c", START, str(commands_in), str(answers_out)]
    process = subprocess.Popen(  # noqa: S603 - the browser that is installed
        [*starter, BINARY, *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(commands_in, answers_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands_in)
    os.close(answers_out)
    page = Page(commands_out, answers_in)
    try:
        page.start()
        yield page
    finally:
        process.terminate()
        process.wait(timeout=30)
