// The official TypeScript SDK (1.x) as a client of proctor: what it does must work, in the order a user would do it.
//
// PROCTOR_ADDRESS and PROCTOR_TOKEN say where and with which token. Prints each step; exits 0 when all of them held.

import assert from "node:assert/strict";
import WebSocket from "ws";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";

const { PROCTOR_ADDRESS: address, PROCTOR_TOKEN: token } = process.env;
const step = (text) => console.log(`typescript: ${text}`);
const sleep = (ms, more = {}) => ({ name: "fault", arguments: { kind: "sleep", ms, ...more } });

// The transport takes a URL only and uses the global WebSocket: a header needs a subclass, a password needs the URL.
const withHeader = (secret) => class extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { headers: { Authorization: `Bearer ${secret}` } });
  }
};

async function connect(socket, url) {
  globalThis.WebSocket = socket;
  const client = new Client({ name: "typescript-test", version: "0" });
  await client.connect(new WebSocketClientTransport(new URL(url)));
  return client;
}

async function refusedWithoutToken() {
  await assert.rejects(connect(withHeader("wrong"), `ws://${address}/mcp`), /401|error/i);
  step("a wrong token is refused");
}

async function errors(client) {
  await assert.rejects(client.callTool({ name: "no_such_tool", arguments: {} }), { code: -32602 });
  const wrong = await client.callTool({ name: "fault", arguments: { kind: "sleep", ms: "soon" } });
  assert.equal(wrong.isError, true);
  assert.equal(wrong.structuredContent.fields[0].field, "ms");
  await assert.rejects(client.callTool({ name: "fault", arguments: { kind: "panic_call" } }), { code: -32603 });
  await assert.rejects(client.readResource({ uri: "proctor://nothing" }), { code: -32002 });
  step("errors are errors, and the session goes on");
}

async function progress(client) {
  const seen = [];
  await client.callTool(sleep(1500), undefined, { onprogress: (report) => seen.push(report.progress) });
  assert.ok(seen.length >= 3, `${seen}`);
  assert.ok(seen.every((value, index) => index === 0 || value > seen[index - 1]), `${seen}`);
  step(`progress came ${seen.length} times and rose`);
}

// This SDK does send a cancel, both when it is told to stop and when it has waited long enough.
async function cancel(client) {
  const stop = new AbortController();
  const aborted = client.callTool(sleep(600_000), undefined, { signal: stop.signal });
  await client.ping();
  stop.abort("enough");
  await assert.rejects(aborted);
  await assert.rejects(client.callTool(sleep(600_000), undefined, { timeout: 100 }), { code: -32001 });
  const places = Array.from({ length: 8 }, () => client.callTool(sleep(50)));
  await Promise.all(places);
  step("cancelled calls gave their places back");
}

async function together(client) {
  const began = performance.now();
  const numbers = Array.from({ length: 20 }, (_, number) => number);
  const results = await Promise.all(numbers.map((number) => client.callTool(sleep(200, { bytes: number }))));
  assert.deepEqual(results.map((result) => result.structuredContent.filler.length), numbers);
  const took = performance.now() - began;
  assert.ok(took < 20 * 200, `20 calls of 200 ms took ${took} ms: they did not run together`);
  step(`20 calls at once took ${Math.round(took)} ms`);
}

await refusedWithoutToken();
const byPassword = await connect(WebSocket, `ws://any:${token}@${address}/mcp`);
await byPassword.ping();
await byPassword.close();
step("connected with the token as password");
const client = await connect(withHeader(token), `ws://${address}/mcp`);
assert.equal(client.getServerVersion().name, "proctor");
const { tools } = await client.listTools();
assert.equal(tools[0].name, "tools");
const answer = await client.callTool({ name: "tools", arguments: {} });
assert.equal(answer.structuredContent.tools[0].name, "sample");
step("listed and called a tool");
const { resources } = await client.listResources();
const tree = await client.readResource({ uri: resources[0].uri });
assert.match(tree.contents[0].text, /listener/);
await client.listResourceTemplates();
await client.setLoggingLevel("info");
step("read the live tree");
await errors(client);
await progress(client);
await cancel(client);
await together(client);
await client.close();
step("done");
