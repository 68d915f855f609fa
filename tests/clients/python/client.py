"""The official Python SDK (1.x) as a client of proctor: what it does must work, in the order a user would do it.

PROCTOR_ADDRESS and PROCTOR_TOKEN say where and with which token. Prints each step; exits 0 when all of them held.
"""

import asyncio
import os
import time
import warnings

warnings.simplefilter("ignore")

from mcp import ClientSession, McpError, types  # noqa: E402
from mcp.client.websocket import websocket_client  # noqa: E402

ADDRESS = os.environ["PROCTOR_ADDRESS"]
TOKEN = os.environ["PROCTOR_TOKEN"]


def url(token):
    """This client can set no header: the token travels as the password of the URL."""
    return f"ws://any:{token}@{ADDRESS}/mcp"


def step(text):
    print(f"python: {text}", flush=True)


def sleep(ms, **more):
    return {"kind": "sleep", "ms": ms, **more}


async def refused_without_token():
    try:
        async with websocket_client(url("wrong")):
            raise AssertionError("a wrong token was let in")
    except BaseExceptionGroup as group:
        assert "401" in str(group.exceptions[0]), group.exceptions
    except Exception as error:
        assert "401" in str(error), error
    step("a wrong token is refused with 401")


async def errors(session):
    try:
        await session.call_tool("no_such_tool", {})
        raise AssertionError("an unknown tool was called")
    except McpError as error:
        assert error.error.code == -32602, error.error
    wrong = await session.call_tool("fault", {"kind": "sleep", "ms": "soon"})
    assert wrong.isError and wrong.structuredContent["fields"][0]["field"] == "ms", wrong
    try:
        await session.call_tool("fault", {"kind": "panic_call"})
        raise AssertionError("a panic was answered with a result")
    except McpError as error:
        assert error.error.code == -32603, error.error
    try:
        await session.read_resource("proctor://nothing")
        raise AssertionError("a resource that is not there was read")
    except McpError as error:
        assert error.error.code == -32002, error.error
    step("errors are errors, and the session goes on")


async def progress(session):
    seen = []

    async def on_progress(done, total, message):
        seen.append((done, total, message))

    result = await session.call_tool("fault", sleep(1500), progress_callback=on_progress)
    assert not result.isError
    values = [done for done, _, _ in seen]
    assert len(values) >= 3 and values == sorted(set(values)), seen
    assert all(message for _, _, message in seen), seen
    step(f"progress came {len(values)} times and rose")


async def cancel(session):
    """This SDK never sends a cancel by itself; the message is the protocol's, and the ids are the SDK's own."""
    hanging = asyncio.create_task(session.call_tool("fault", sleep(600_000)))
    await session.send_ping()
    request = session._request_id - 2
    params = types.CancelledNotificationParams(requestId=request, reason="test")
    await session.send_notification(types.ClientNotification(types.CancelledNotification(params=params)))
    await session.send_ping()
    assert not hanging.done(), "a cancelled request is not answered"
    hanging.cancel()
    step("a cancelled call is not answered")


async def together(session):
    began = time.monotonic()
    calls = [session.call_tool("fault", sleep(200, bytes=number)) for number in range(20)]
    results = await asyncio.gather(*calls)
    sizes = [len(result.structuredContent["filler"]) for result in results]
    assert sizes == list(range(20)), sizes
    took = time.monotonic() - began
    assert took < 20 * 0.2, f"20 calls of 0.2 s took {took:.1f} s: they did not run together"
    step(f"20 calls at once took {took:.1f} s")


async def main():
    await refused_without_token()
    async with websocket_client(url(TOKEN)) as (read, write), ClientSession(read, write) as session:
        hello = await session.initialize()
        assert hello.serverInfo.name == "proctor" and hello.protocolVersion == "2025-11-25", hello
        step("connected and shook hands")
        await session.send_ping()
        tools = (await session.list_tools()).tools
        assert tools[0].name == "tools" and tools[0].inputSchema["type"] == "object", tools
        result = await session.call_tool("tools", {})
        assert not result.isError and result.structuredContent["tools"][0]["name"] == "sample", result
        step("listed and called a tool")
        resources = (await session.list_resources()).resources
        tree = await session.read_resource(resources[0].uri)
        assert "listener" in tree.contents[0].text
        await session.list_resource_templates()
        step("read the live tree")
        await errors(session)
        await progress(session)
        await cancel(session)
        await together(session)
    step("done")


asyncio.run(main())
