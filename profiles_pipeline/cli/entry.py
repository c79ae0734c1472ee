"""Where a call of ``profiles`` begins and ends. It loads next to nothing, so that Ctrl-C is heard from early on."""

from __future__ import annotations

import _thread
import signal
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False  # that of typing is slow to import, and until `main` runs Ctrl-C shows where it fell
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

INTERRUPTED = 130
_IMPORT = "<frozen importlib"
_AGAIN_S = 0.02


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code.

    0 done; 1 the run or a check failed; 2 the project or the call is wrong; 130 interrupted; 70 unexpected error.
    """
    before, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    listens = before is signal.default_int_handler  # not where a parent or another handler takes care of it
    code = INTERRUPTED
    with suppress(KeyboardInterrupt):
        if listens:
            _listen(_raise_soon)
            sys.unraisablehook = _raise_elsewhere
        code = _called(arguments)
    if listens:
        # What was to be done is done, and the process ends in a moment: its end is no place for a KeyboardInterrupt.
        _listen(signal.SIG_IGN if arguments is None else before)
        sys.unraisablehook = hook
    sys.exit(code)


def _called(arguments: Sequence[str] | None) -> int:
    from profiles_pipeline.cli.app import outcome  # noqa: PLC0415 - slow, and Ctrl-C may fall into it

    return outcome(sys.argv[1:] if arguments is None else arguments, is_last=arguments is None)


def _listen(handler: signal._HANDLER) -> None:
    with suppress(ValueError):  # only the main thread may, and only it is interrupted
        signal.signal(signal.SIGINT, handler)


def _raise_soon(_: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt inside the call; while a module is imported or an object deleted, when that is over.

    There it would get lost with a traceback, or come out as another error. Outside the call nobody would catch it.
    """
    if _may_raise(frame):
        raise KeyboardInterrupt
    _thread.start_new_thread(_interrupt_again, ())


def _may_raise(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code is not _called.__code__:
        if frame.f_code.co_filename.startswith(_IMPORT) or frame.f_code.co_name == "__del__":
            return False
        frame = frame.f_back
    return frame is not None


def _raise_elsewhere(lost: sys.UnraisableHookArgs) -> None:
    """Interrupt again when what a signal raised got lost in native code, which tells any other exception."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_interrupt_again, ())
    else:
        sys.__unraisablehook__(lost)


def _interrupt_again() -> None:
    time.sleep(_AGAIN_S)
    _thread.interrupt_main()
