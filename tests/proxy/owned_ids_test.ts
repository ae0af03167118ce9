/** Files, batches, containers and threads live under one account. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { persisted, restore } from "../../src/core/pool/persist.ts";
import { HOUR_MS } from "../../src/core/time.ts";
import { parsePool } from "../../src/store/ledger/pool_store.ts";
import type { OriginAnswer, OriginRequest } from "../fixtures/origin_answer.ts";
import { labelOf, MESSAGE } from "../fixtures/proxy_client.ts";
import {
  errorBody,
  inMs,
  LOCAL_KEY,
  type ProxyKit,
} from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";

const JSON_TYPE = ["content-type", "application/json"] as const;
const NOT_FOUND: OriginAnswer = {
  status: 404,
  headers: [JSON_TYPE],
  body: errorBody("not_found_error", "File not found"),
};

function answer(body: unknown): OriginAnswer {
  return { headers: [JSON_TYPE], body: JSON.stringify(body) };
}

/** A provider with files and batches of its own for each account. */
class Provider {
  readonly owner = new Map<string, string>();
  #count = 0;

  answer(request: OriginRequest): OriginAnswer {
    const { method, target } = request;
    const path = target.split("?")[0] ?? "";
    const label = labelOf(request);
    if (method === "POST" && path === "/v1/files") {
      return this.#make("file", label);
    }
    if (method === "POST" && path === "/v1/messages/batches") {
      return this.#make("msgbatch", label);
    }
    const id = /(?:file|msgbatch)_[A-Za-z0-9]{6,}/.exec(
      path === "/v1/messages" ? new TextDecoder().decode(request.body) : path,
    )?.[0];
    if (id !== undefined && this.owner.get(id) !== label) return NOT_FOUND;
    if (path === "/v1/messages") return answer(JSON.parse(MESSAGE));
    return answer({ id, type: "thing" });
  }

  #make(kind: string, label: string): OriginAnswer {
    const id = `${kind}_011CNha${++this.#count}`;
    this.owner.set(id, label);
    return answer({ id, type: kind });
  }
}

async function send(
  kit: ProxyKit,
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  return await fetch(`${kit.url}${path}`, {
    method,
    headers: { "x-api-key": LOCAL_KEY, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function made(kit: ProxyKit, path: string): Promise<string> {
  return (await (await send(kit, "POST", path, { requests: [] })).json()).id;
}

function scripted(scene: Scene): Provider {
  const provider = new Provider();
  scene.origin.always((request) => provider.answer(request));
  return provider;
}

Deno.test("a request that names a file or a batch goes to the account that made it", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  const provider = scripted(scene);
  for (const owner of ["a", "b", "c"]) {
    kit.keeper.dispatch({ kind: "pinned", accountId: owner as never });
    const file = await made(kit, "/v1/files");
    const batch = await made(kit, "/v1/messages/batches");
    strictEqual(provider.owner.get(file), owner);
    kit.keeper.dispatch({ kind: "pinned", accountId: "b" as never });
    const before = scene.asked.length;
    const looks = [
      ["GET", `/v1/files/${file}`],
      ["GET", `/v1/files/${file}/content`],
      ["GET", `/v1/messages/batches/${batch}`],
      ["GET", `/v1/messages/batches/${batch}/results`],
      ["POST", `/v1/messages/batches/${batch}/cancel`],
      ["DELETE", `/v1/files/${file}`],
    ] as const;
    for (const [method, path] of looks) {
      const response = await send(kit, method, path);
      strictEqual(response.status, 200, `${method} ${path}`);
      await response.body?.cancel();
    }
    const named = await send(kit, "POST", "/v1/messages", {
      model: "claude-opus-5-5",
      messages: [{
        role: "user",
        content: [{
          type: "document",
          source: { type: "file", file_id: file },
        }],
      }],
    });
    strictEqual(named.status, 200, await named.text());
    deepStrictEqual(
      new Set(scene.asked.slice(before)),
      new Set([owner]),
    );
  }
  await kit.isEmpty();
});

Deno.test("a look-up does not wait for the quota of messages", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  scripted(scene);
  const batch = await made(kit, "/v1/messages/batches");
  for (const label of ["a", "b", "c"]) kit.spend(label, inMs(HOUR_MS));
  const startedMs = performance.now();
  for (
    const [method, path] of [
      ["GET", `/v1/messages/batches/${batch}`],
      ["GET", "/v1/models"],
      ["GET", "/v1/files"],
      ["POST", "/v1/messages/count_tokens"],
    ] as const
  ) {
    const response = await send(
      kit,
      method,
      path,
      method === "POST" ? { messages: [] } : undefined,
    );
    strictEqual(response.status, 200, path);
    await response.body?.cancel();
  }
  ok(performance.now() - startedMs < 1_000);
  const refused = await send(kit, "POST", "/v1/messages", { messages: [] });
  strictEqual(refused.status, 429);
  await refused.body?.cancel();
  await kit.isEmpty();
});

Deno.test("an unknown id is searched for once on each account, and known from then on", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  const provider = scripted(scene);
  // Made before this pool, or by another program.
  provider.owner.set("file_011Elsewhere", "c");
  kit.keeper.dispatch({ kind: "pinned", accountId: "a" as never });
  const found = await send(kit, "GET", "/v1/files/file_011Elsewhere");
  strictEqual(found.status, 200);
  await found.body?.cancel();
  ok(scene.asked.length <= 3);
  const before = scene.asked.length;
  await (await send(kit, "GET", "/v1/files/file_011Elsewhere")).body?.cancel();
  deepStrictEqual(scene.asked.slice(before), ["c"]);

  const missing = scene.asked.length;
  const nowhere = await send(kit, "GET", "/v1/files/file_011Nowhere");
  strictEqual(nowhere.status, 404);
  strictEqual(await nowhere.text(), NOT_FOUND.body);
  deepStrictEqual(
    scene.asked.slice(missing).toSorted(),
    ["a", "b", "c"],
  );
  const again = await send(kit, "GET", "/v1/files/file_011Nowhere");
  strictEqual(again.status, 404);
  await again.body?.cancel();
  strictEqual(scene.asked.length, missing + 4);
  await kit.isEmpty();
});

Deno.test("ids of lists and of compressed answers are learned, and kept over a restart", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const text = JSON.stringify({
    data: [{ id: "skill_01AbCdEf" }, { id: "skill_01GhIjKl" }],
  });
  origin.next({
    headers: [JSON_TYPE, ["content-encoding", "gzip"]],
    body: new Uint8Array(gzipSync(text)),
  });
  const response = await send(kit, "GET", "/v1/skills");
  strictEqual(await response.text(), text);
  const owner = scene.asked[0] ?? "";
  const { state } = kit.keeper;
  strictEqual(state.owned.get("skill_01GhIjKl")?.accountId, owner);
  const at = kit.keeper.snapshot().at;
  const memory = parsePool(JSON.stringify(persisted(state, at)));
  ok(memory !== null);
  const fresh = { ...state, owned: state.owned.filter(() => false) };
  strictEqual(fresh.owned.size, 0);
  const back = restore(fresh, memory, at);
  strictEqual(back.owned.get("skill_01AbCdEf")?.accountId, owner);
});

Deno.test("a refusal of a look-up closes no account", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const refusals = [
    [
      401,
      "authentication_error",
      "OAuth authentication is currently not supported.",
    ],
    [403, "permission_error", "Request not allowed"],
    [429, "rate_limit_error", "slow down"],
    [400, "invalid_request_error", "This organization has been disabled."],
  ] as const;
  for (const [status, type, message] of refusals) {
    origin.always({
      status,
      headers: [JSON_TYPE, ["retry-after", "600"]],
      body: errorBody(type, message),
    });
    const response = await send(kit, "GET", "/v1/models");
    strictEqual(response.status, status);
    await response.body?.cancel();
  }
  for (const { bench, credential } of kit.keeper.state.accounts.values()) {
    strictEqual(bench.kind, "available");
    strictEqual(credential.kind, "ready");
  }
  origin.always(answer(JSON.parse(MESSAGE)));
  const served = await send(kit, "POST", "/v1/messages", { messages: [] });
  strictEqual(served.status, 200);
  await served.body?.cancel();
  await kit.isEmpty();
});

Deno.test("a container and a thread stay with the account that began them", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const message = {
    ...JSON.parse(MESSAGE),
    id: "msg_01ThreadHead",
    container: { id: "container_011Abcdef" },
  };
  origin.always(answer(message));
  kit.keeper.dispatch({ kind: "pinned", accountId: "c" as never });
  const first = await send(kit, "POST", "/v1/messages", {
    model: "claude-opus-5-5",
    thread: { type: "create" },
    messages: [{ role: "user", content: "hi" }],
  });
  strictEqual(first.status, 200);
  await first.body?.cancel();
  await kit.settled(1);
  kit.keeper.dispatch({ kind: "pinned", accountId: "a" as never });
  const inContainer = await send(kit, "POST", "/v1/messages", {
    model: "claude-opus-5-5",
    container: "container_011Abcdef",
    messages: [{ role: "user", content: "go on" }],
  });
  strictEqual(inContainer.status, 200);
  await inContainer.body?.cancel();
  const continued = await send(kit, "POST", "/v1/messages", {
    model: "claude-opus-5-5",
    thread: { previous_message_id: "msg_01ThreadHead" },
    messages: [{ role: "user", content: "go on" }],
  });
  strictEqual(continued.status, 200, await continued.text());
  deepStrictEqual(scene.asked, ["c", "c", "c"]);
  // Where its account cannot serve, the client is told to send everything.
  kit.spend("c", inMs(HOUR_MS));
  const refused = await send(kit, "POST", "/v1/messages", {
    model: "claude-opus-5-5",
    thread: { previous_message_id: "msg_01ThreadHead" },
    messages: [{ role: "user", content: "go on" }],
  });
  strictEqual(refused.status, 404);
  strictEqual(
    (await refused.json()).error.details.error_code,
    "thread_not_found",
  );
  await kit.isEmpty();
});
