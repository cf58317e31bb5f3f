"""Where a registry's calls run: on a connection of its own, on the caller's, or on one of a pool."""

from __future__ import annotations

import sys
from asyncio import Lock
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from atlas_models.calls import CLAIM, Call, on_behalf_of_argument
from atlas_models.connections import connect_async, connection_parameters
from atlas_models.documents import parse_jsonb
from atlas_models.errors import ConnectionFailed, ConnectionLost, database_errors, from_database, unreachable_as_failed

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

T = TypeVar("T")
_S = TypeVar("_S", bound="AsyncSession")


class AsyncSession:
    """What AsyncRegistry is built on: it runs calls, holds transactions, and repeats what may be repeated.

    Args:
        database: A URL, an open ``psycopg.AsyncConnection``, or a ``psycopg_pool.AsyncConnectionPool``.
        schema: The schema that holds the registry.
        on_behalf_of: For whom the calls are made.
    """

    def __init__(
        self,
        database: str | psycopg.AsyncConnection[Any] | AsyncConnectionPool[Any],
        *,
        schema: str = "atlas",
        on_behalf_of: str | None = None,
    ) -> None:
        self._schema = schema
        self._on_behalf_of = on_behalf_of_argument(on_behalf_of)
        self._url: str | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._pool: AsyncConnectionPool[Any] | None = None
        self._opening = Lock()
        self._is_closed = False
        # One for each registry, and set within a block only: what runs beside the block is not drawn into it.
        self._held: ContextVar[psycopg.AsyncConnection[Any] | None] = ContextVar("held connection", default=None)
        if isinstance(database, str):
            self._url = database
            with unreachable_as_failed():
                connection_parameters(database)  # a wrong URL is known at once
        elif isinstance(database, psycopg.AsyncConnection):
            self._connection = database
        elif _is_pool(database):
            self._pool = database
        else:
            raise TypeError(
                "AsyncRegistry takes a URL, a psycopg.AsyncConnection or a psycopg_pool.AsyncConnectionPool,"
                f" not {type(database).__name__}"
            )

    async def __aenter__(self: _S) -> _S:
        if self._url is not None:
            await self._own_connection()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection if the registry opened it; a connection or pool that was given stays open."""
        if self._url is None:
            return
        self._is_closed = True
        if self._connection is not None:
            await self._connection.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Makes what is called in a block one transaction: all of it is committed at its end, or none.

        It gives the connection, for what the caller writes along with it. Within a transaction that stands already it
        is a savepoint. With a pool, it is one of its connections; other threads and tasks keep using others.

        Raises:
            AtlasError: COMMIT was refused, or the connection was lost. Errors from within the block pass unchanged.
        """
        failed_inside = False
        try:
            async with self._held_together(always=True) as connection:
                if self._on_behalf_of is not None:
                    await connection.execute(CLAIM, [self._on_behalf_of])
                try:
                    yield connection
                except BaseException:
                    failed_inside = True
                    raise
        except psycopg.Error as error:
            translated = None if failed_inside else from_database(error)
            if translated is None:
                raise
            raise translated from error

    async def _one(self, call: Call[T]) -> T:
        return (await self._all(call))[0]

    async def _all(self, call: Call[T]) -> list[T]:
        return await self._repeated(lambda: self._run(call), call.is_repeatable)

    def _may_repeat(self) -> bool:
        """Says whether a lost connection can be replaced without anything of the caller's being lost with it."""
        return (self._url is not None or self._pool is not None) and self._held.get() is None

    async def _repeated(self, work: Callable[[], Awaitable[T]], is_repeatable: bool) -> T:
        if not self._may_repeat():
            return await work()
        try:
            return await work()
        except ConnectionLost as error:
            lost = error
            if self._pool is not None:  # what broke one connection has mostly broken all that were idle
                await self._pool.check()
            if not is_repeatable:
                raise
        try:
            return await work()
        except ConnectionLost:
            raise
        except ConnectionFailed as error:
            # That there is no server now says nothing about what the first try has done.
            raise ConnectionLost(
                f"{lost.message}, and there is no new one: {error.message}",
                sqlstate=lost.sqlstate,
                hint=f"{error.hint}; {lost.hint}",
            ) from lost

    async def _run(self, call: Call[T]) -> list[T]:
        with database_errors():
            async with self._connected() as connection, AsyncExitStack() as stack:
                if self._on_behalf_of is not None:
                    await stack.enter_async_context(_transaction_if_none(connection))
                    await connection.execute(CLAIM, [self._on_behalf_of])
                cursor = await stack.enter_async_context(connection.cursor(row_factory=dict_row))
                set_json_loads(parse_jsonb, cursor)  # for this cursor only, whatever the caller's connection has
                await cursor.execute(call.query, call.arguments)
                return [call.read(row) for row in await cursor.fetchall()]

    @asynccontextmanager
    async def _held_together(self, *, always: bool = False) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Has the calls of a block use one connection, and one transaction where each would be committed by itself.

        Args:
            always: Have a transaction (or savepoint) of its own within the caller's too.
        """
        async with (
            self._connected() as connection,
            connection.transaction() if always else _transaction_if_none(connection),
        ):
            token = self._held.set(connection)
            try:
                yield connection
            finally:
                self._held.reset(token)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        held = self._held.get()
        if held is not None:
            yield held
        elif self._pool is None:
            yield await self._own_connection()
        else:
            async with AsyncExitStack() as stack:
                try:
                    connection = await stack.enter_async_context(self._pool.connection())
                except psycopg.OperationalError as error:  # a time limit, or it is closed
                    reason = str(error).partition("\n")[0]
                    raise ConnectionFailed(
                        f"the pool gave no connection: {reason}",
                        hint="is the pool open, large enough, and the server up?",
                    ) from error
                yield connection

    async def _own_connection(self) -> psycopg.AsyncConnection[Any]:
        """Gives the connection that is there; one of our own is opened at first, and again after it was lost."""
        async with self._opening:
            if self._url is not None and (self._connection is None or self._connection.closed):
                if self._is_closed:
                    raise ConnectionFailed("this registry was closed", hint="make a new one")
                with unreachable_as_failed():
                    name = connection_parameters(self._url).get("application_name", "atlas client")
                    self._connection = await connect_async(self._url, application_name=name)
            assert self._connection is not None
            return self._connection


def _transaction_if_none(connection: psycopg.AsyncConnection[Any]) -> AbstractAsyncContextManager[object]:
    """Begins a transaction where each statement would be committed by itself; elsewhere the caller's does."""
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        return connection.transaction()
    return nullcontext()


def _is_pool(database: object) -> bool:
    # Whoever has a pool has imported its package, which this one works without.
    pools = sys.modules.get("psycopg_pool")
    return pools is not None and isinstance(database, pools.AsyncConnectionPool)
