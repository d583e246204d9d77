"""An event loop in virtual time, and the processes in it, which can be stopped at any moment."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from itertools import count
from typing import Any, TypeVar
from weakref import WeakSet

T = TypeVar("T")
STANDSTILL = 200_000
"""Rounds of the loop after which time that does not move never will."""


class Process:
    """Stand for one process: what runs in its context does so only while it does.

    Stopped, it is as under SIGSTOP: nothing of it runs, no `finally` either, until it goes on.
    What is never let go on was killed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self.runs = True
        self._parked: list[tuple[asyncio.Handle, Callable[[], None], Context]] = []

    def stop(self) -> None:
        """Let nothing of it run."""
        self.runs = False

    def go_on(self) -> None:
        """Let all that should have run meanwhile run now, in its order."""
        self.runs = True
        loop = asyncio.get_running_loop()
        parked, self._parked = self._parked, []
        for handle, call, context in parked:
            loop.call_soon(_unless_cancelled, handle, call, context=context)

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine in it."""
        context = copy_context()
        context.run(_PROCESS.set, self)
        return asyncio.get_running_loop().create_task(coroutine, context=context)

    def park(self, handle: asyncio.Handle, call: Callable[[], None], context: Context) -> None:
        """Keep a callback until it goes on."""
        self._parked.append((handle, call, context))


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


def current_process() -> Process | None:
    """Return the process whose code this is; none: the world's."""
    return _PROCESS.get()


def spawn_outside(coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Run a coroutine in no process: it goes on whatever becomes of the one that asked."""
    return asyncio.get_running_loop().create_task(coroutine, context=Context())


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jump to the next timer whenever nothing is left to do.

    A database call is over when it returns (see `seams`): there is never one outstanding when time
    moves. The order of all callbacks depends on nothing but what they do.
    """

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._numbers = count()
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._jump.now

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call soon, if the process of the context runs then."""
        context = copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None:
            return super().call_soon(callback, *args, context=context)
        cell: list[asyncio.Handle] = []
        cell.append(
            super().call_soon(_guard, process, cell, context, callback, args, context=context)
        )
        return cell[0]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call at a time, if the process of the context runs then."""
        context = copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        cell: list[asyncio.Handle] = []
        handle = super().call_at(
            when, _guard, process, cell, context, callback, args, context=context
        )
        cell.append(handle)
        return handle

    def _make_task(
        self, _loop: asyncio.AbstractEventLoop, coroutine: Any, *, context: Context | None = None
    ) -> asyncio.Task[Any]:
        process = current_process() if context is None else context.get(_PROCESS)
        task = _Task(next(self._numbers), coroutine, loop=self, context=context)
        if process is not None:
            process.tasks.add(task)
        return task


class _Task(asyncio.Task[Any]):
    """A task by whose number sets are ordered, not by where it lies in memory."""

    def __init__(self, number: int, *about: Any, **more: Any) -> None:
        self._number = number
        super().__init__(*about, **more)

    def __hash__(self) -> int:
        return self._number


class _Jump(selectors.SelectSelector):
    """Do not wait: let the time be when the waiting would be over."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._still = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen any more")
        self._still = 0 if timeout > 0 else self._still + 1
        if self._still > STANDSTILL:
            raise RuntimeError("something turns for ever without waiting")
        self.now += timeout
        return []


def _guard(
    process: Process,
    cell: list[asyncio.Handle],
    context: Context,
    callback: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    if process.runs:
        callback(*args)
    else:
        process.park(cell[0], lambda: callback(*args), context)


def _unless_cancelled(handle: asyncio.Handle, call: Callable[[], None]) -> None:
    if not handle.cancelled():
        call()
