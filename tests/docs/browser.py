"""Drive headless Chromium by the DevTools protocol over a pipe, without a driver package."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

WORDS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")


class HeadlessChromium:
    """A Chromium with one tab."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = os.fdopen(commands, "wb", buffering=0)
        self._answers = os.fdopen(answers, "rb")
        self._number = 0
        self._session: str | None = None
        tab = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        self._call("Page.enable")

    def picture(self, url: str, *, width: int, height: int, scale: float, quality: int) -> bytes:
        """Return the upper `width` x `height` CSS pixels of a page as WebP. `quality` is 0 to 100."""
        screen = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": True}
        self._call("Emulation.setDeviceMetricsOverride", **screen)
        self._call("Page.navigate", url=url)
        self._wait_for("Page.loadEventFired")
        taken = self._call("Page.captureScreenshot", format="webp", quality=quality)
        return base64.b64decode(taken["data"])

    def _call(self, method: str, **given: Any) -> dict[str, Any]:
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        command = {"id": self._number, "method": method, "params": given, **session}
        self._commands.write(json.dumps(command).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _wait_for(self, event: str) -> None:
        while self._read().get("method") != event:
            pass

    def _read(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium has ended")
            message += byte
        read: dict[str, Any] = json.loads(message)
        return read

    def close(self) -> None:
        """End Chromium, which exits when its pipe closes."""
        self._commands.close()
        self._answers.close()


@contextmanager
def browser(program: Path) -> Iterator[HeadlessChromium]:
    """Run Chromium with an empty profile during the block."""
    read_commands, commands = os.pipe()
    answers, write_answers = os.pipe()
    # Chromium reads commands from descriptor 3 and writes answers to descriptor 4.
    call = f'exec "$0" "$@" 3<&{read_commands} 4>&{write_answers}'
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            ["sh", "-c", call, str(program), *WORDS, f"--user-data-dir={profile}"],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        opened = HeadlessChromium(commands, answers)
        try:
            yield opened
        finally:
            opened.close()
            process.wait(10)
