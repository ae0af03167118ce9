import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import zlib from "node:zlib";
import {
  ask,
  EVENTS,
  generationOf,
  JSON_ANSWER,
  labelOf,
  MESSAGE,
  served,
  STREAM,
} from "../fixtures/proxy_client.ts";
import {
  errorBody,
  LOCAL_KEY,
  ProxyKit,
  spentHeaders,
} from "../fixtures/proxy_kit.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import { freePort } from "../fixtures/free_port.ts";
import type { OriginAnswer } from "../fixtures/origin_answer.ts";
import { until } from "../fixtures/upstream_client.ts";
import { json, Scene, spent } from "../fixtures/proxy_scene.ts";

async function verdicts(kit: ProxyKit): Promise<readonly string[]> {
  const [record] = await kit.settled(1);
  return record?.attempts.map(({ verdict }) => verdict) ?? [];
}

for (const isStream of [true, false]) {
  const form = isStream ? "a stream" : "a plain answer";
  Deno.test(`a spent account is left unseen by the client of ${form}`, async () => {
    await using scene = new Scene();
    const { kit, origin } = scene;
    origin.next(spent(), spent());
    const response = await ask(kit, { isStream });
    strictEqual(response.status, 200);
    strictEqual(await response.text(), isStream ? EVENTS : MESSAGE);
    for (const [name] of response.headers) {
      ok(!name.startsWith("anthropic-ratelimit"), name);
    }
    deepStrictEqual([...scene.asked].sort(), ["a", "b", "c"]);
    deepStrictEqual(await verdicts(kit), ["exhausted", "exhausted", "served"]);
    const [record] = kit.records;
    strictEqual(record?.end, "complete");
    strictEqual(record?.accountId, scene.asked[2]);
    strictEqual(record?.usage?.output, 15);
    await kit.isEmpty();

    // Whoever comes next goes to the open account at once.
    await (await ask(kit, { isStream })).text();
    deepStrictEqual(scene.asked.slice(3), [scene.asked[2]]);
  });
}

Deno.test("a limit that comes as the first event of a stream moves the request to another account", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const limited = {
    ...STREAM,
    body: `event: error\ndata: ${errorBody("rate_limit_error")}\n\n`,
    headers: [...spentHeaders(3_600).slice(1), ...STREAM.headers ?? []],
  };
  // In one piece, and cut where every prefix looks harmless.
  for (const writes of [undefined, [150, 3, 4, 5, 20]]) {
    origin.next({
      ...limited,
      ...(writes === undefined ? {} : { writes, pauseMs: 5, framing: "close" }),
    });
    const response = await ask(kit, { isStream: true });
    strictEqual(await response.text(), EVENTS);
  }
  strictEqual(new Set(scene.asked).size, 3);
  await kit.isEmpty();
});

const CODINGS = [
  ["gzip", zlib.gzipSync],
  ["br", zlib.brotliCompressSync],
  ["zstd", zlib.zstdCompressSync],
] as const;

for (const [coding, compress] of CODINGS) {
  Deno.test(`an error as the first event is seen under ${coding} as well`, async () => {
    await using scene = new Scene();
    const { kit, origin } = scene;
    const error = `event: error\ndata: ${errorBody("rate_limit_error")}\n\n`;
    const answer: OriginAnswer = {
      headers: [
        ...spentHeaders(3_600).slice(1),
        ...STREAM.headers ?? [],
        ["content-encoding", coding],
      ],
      body: compress(error),
      framing: "chunked",
    };
    // In one piece, and in pieces that tell nothing yet.
    for (const writes of [undefined, [150, 1, 9, 11, 20]]) {
      origin.next({
        ...answer,
        ...(writes === undefined
          ? {}
          : { writes, pauseMs: 5, framing: "close" }),
      });
      const response = await ask(kit, { isStream: true });
      strictEqual(response.status, 200);
      strictEqual(await response.text(), EVENTS);
    }
    const [first] = await kit.settled(2);
    deepStrictEqual(first?.attempts.map(({ verdict }) => verdict), [
      "exhausted",
      "served",
    ]);
  });
}

Deno.test("a stream that begins like an error is passed on whole", async () => {
  await using scene = new Scene({ accounts: ["a"] });
  const { kit, origin } = scene;
  for (
    const body of ["event: err", "event: error", "event: erroneous\n\n", ""]
  ) {
    origin.next({ ...STREAM, body });
    const response = await ask(kit, { isStream: true });
    strictEqual(await response.text(), body);
  }
  await kit.isEmpty();
});

Deno.test("a refused token is renewed once, on the same account", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  origin.always((request) =>
    generationOf(request) === 0
      ? json(401, "authentication_error", "OAuth token has expired")
      : JSON_ANSWER
  );
  const response = await ask(kit);
  strictEqual(await response.text(), MESSAGE);
  strictEqual(new Set(scene.asked).size, 1);
  deepStrictEqual(origin.requests().map(generationOf), [0, 1]);
  strictEqual(kit.credentials.renewals, 1);
  await kit.isEmpty();
});

for (const renewal of ["newer", "none", "throws"] as const) {
  Deno.test(`a token that stays refused (renewal: ${renewal}) leads on`, async () => {
    await using scene = new Scene();
    const { kit, origin } = scene;
    const first = Promise.withResolvers<string>();
    origin.always((request) => {
      const label = labelOf(request);
      if (origin.requests().length === 1) {
        first.resolve(label);
        if (renewal !== "newer") kit.credentials.renewal.set(label, renewal);
      }
      const isRefused = label === labelOf(origin.requests()[0] ?? request);
      return isRefused ? json(401, "authentication_error") : JSON_ANSWER;
    });
    const response = await ask(kit);
    strictEqual(await response.text(), MESSAGE);
    const refused = await first.promise;
    const tries = scene.asked.filter((label) => label === refused).length;
    strictEqual(tries, renewal === "newer" ? 2 : 1);
    strictEqual(kit.credentials.renewals, 1);
    strictEqual(scene.asked.length, tries + 1);
    await kit.isEmpty();
  });
}

Deno.test("an account's 403 never reaches the client", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  origin.next(json(403, "permission_error", "Request not allowed"));
  const response = await ask(kit);
  strictEqual(response.status, 200);
  await response.text();
  strictEqual(new Set(scene.asked).size, 2);
  await kit.isEmpty();
});

Deno.test("an account without a credential is skipped", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  kit.credentials.missing.add("a").add("b");
  await (await ask(kit)).text();
  deepStrictEqual(scene.asked, ["c"]);
  kit.credentials.missing.add("c");
  const response = await ask(kit);
  strictEqual(response.status, 429);
  ok(Number(response.headers.get("retry-after")) <= 55);
  await response.text();
  await kit.isEmpty();
});

Deno.test("a refusal of the request itself is relayed at once, unchanged", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  for (const status of [400, 404, 413, 422]) {
    const before = scene.asked.length;
    const answer = json(status, "invalid_request_error", "because");
    origin.next(answer);
    const response = await ask(kit);
    strictEqual(response.status, status);
    strictEqual(await response.text(), answer.body);
    strictEqual(scene.asked.length, before + 1);
  }
  await kit.isEmpty();
});

Deno.test("a 429 without a reason is tried on one other account and then relayed", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  // Longer than what is read to judge it: some of it is still on its way.
  const body = errorBody("rate_limit_error", "x".repeat(1_000_000));
  origin.always({ status: 429, body });
  const response = await ask(kit);
  strictEqual(response.status, 429);
  strictEqual(await response.text(), body);
  strictEqual(scene.asked.length, 2);
  strictEqual(new Set(scene.asked).size, 2);
  await kit.isEmpty();
});

Deno.test("an overloaded provider is tried a few times and then its answer is relayed", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  origin.always(json(529, "overloaded_error", "Overloaded"));
  const responses = await Promise.all(
    Array.from({ length: 10 }, () => ask(kit)),
  );
  for (const response of responses) {
    strictEqual(response.status, 529);
    await response.text();
  }
  // One send each, and what the retry budget gives (10 at once, 10 a second).
  const seconds = 8;
  ok(scene.asked.length <= 10 + 10 + 10 * seconds, `${scene.asked.length}`);
  await kit.isEmpty();
  origin.always(served);
  const response = await ask(kit);
  strictEqual(response.status, 200);
  await response.text();
});

Deno.test("a provider that fails once is asked again", async () => {
  await using scene = new Scene({ hold: { silentMs: 5_000 } });
  const { kit, origin } = scene;
  origin.next(json(500, "api_error"));
  const response = await ask(kit, { isStream: true });
  strictEqual(await response.text(), EVENTS);
  strictEqual(scene.asked.length, 2);
  await kit.isEmpty();
});

for (const [accounts, sends] of [[["a", "b", "c"], 3], [["a"], 2]] as const) {
  Deno.test(`an unreachable upstream is tried again, and told of (${accounts})`, async () => {
    const origin = `http://127.0.0.1:${freePort()}`;
    await using kit = new ProxyKit({ origin, accounts });
    for (const headers of [{}, { "x-tc-account": "a" }]) {
      const response = await ask(kit, { headers });
      strictEqual(response.status, 502);
      const { error } = await response.json();
      match(error.message, /cannot reach the API \(Cannot connect to http.*\)/);
    }
    const [record] = await kit.settled(2);
    deepStrictEqual(
      record?.attempts.map(({ verdict }) => verdict),
      Array(sends).fill("unreachable"),
    );
    await kit.isEmpty();
  });
}

Deno.test("a request that was sent and got no answer is never sent again", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  for (const cutAt of [0, 10, 40]) {
    const before = scene.asked.length;
    origin.next({ ...JSON_ANSWER, cutAt });
    const response = await ask(kit);
    strictEqual(response.status, 502);
    const { error } = await response.json();
    ok(error.message.includes("was not sent again"), error.message);
    strictEqual(scene.asked.length, before + 1, `cut at ${cutAt}`);
  }
  await kit.isEmpty();
});

Deno.test("x-tc-account allows only that account", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  await (await ask(kit, { headers: { "x-tc-account": "b" } })).text();
  origin.next(spent());
  const refused = await ask(kit, { headers: { "x-tc-account": "b" } });
  strictEqual(refused.status, 429);
  await refused.text();
  deepStrictEqual(scene.asked, ["b", "b"]);
  const unknown = await ask(kit, { headers: { "x-tc-account": "x" } });
  strictEqual(unknown.status, 400);
  await unknown.text();
  await kit.isEmpty();
});

Deno.test("x-tc-policy holds for its own request and is not sent on", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const session = {
    "x-claude-code-session-id": "11111111-2222-4333-8444-5555",
  };
  const own = { ...session, "x-tc-policy": "scored" };
  await (await ask(kit, { headers: own })).text();
  await (await ask(kit)).text();
  const records = await kit.settled(2);
  deepStrictEqual(records.map(({ policy }) => policy), ["scored", "price"]);
  strictEqual(kit.keeper.state.settings.policy, "price");
  const bindings = [...kit.keeper.state.bindings.values()];
  const bound = bindings.find(({ policy }) => policy !== null);
  ok(bound?.conversation.startsWith("11111111"));
  strictEqual(bound?.policy, "scored");
  for (const { headers } of origin.requests()) {
    ok(headers.every(([name]) => name.toLowerCase() !== "x-tc-policy"));
  }
  const unknown = await ask(kit, { headers: { "x-tc-policy": "best" } });
  strictEqual(unknown.status, 400);
  const { error } = await unknown.json();
  ok(error.message.startsWith("tc has no policy named best: there are price,"));
  strictEqual(origin.requests().length, 2);
  await kit.isEmpty();
});

Deno.test("what does not fit is refused and leaves nothing behind", async () => {
  await using scene = new Scene({ bodyBytesMax: 100, budgetBytesMax: 1_000 });
  const large = await ask(scene.kit);
  strictEqual(large.status, 413);
  await large.text();
  await scene.kit.isEmpty();

  await using full = new Scene({ budgetBytesMax: 100 });
  const noRoom = await ask(full.kit);
  strictEqual(noRoom.status, 503);
  strictEqual(noRoom.headers.get("retry-after"), "5");
  await noRoom.text();
  await full.kit.isEmpty();

  await using busy = new Scene({ requestsMax: 1 });
  busy.origin.next({ ...STREAM, stallAt: 300 });
  const leaving = new AbortController();
  const stream = await ask(busy.kit, {
    isStream: true,
    signal: leaving.signal,
  });
  const refused = await ask(busy.kit);
  strictEqual(refused.status, 503);
  await refused.text();
  leaving.abort();
  await stream.body?.cancel().catch(() => {});
  await busy.kit.isEmpty();
});

Deno.test("a body that does not come is given up", async () => {
  await using scene = new Scene({ bodyMs: 100 });
  const { kit } = scene;
  const heads = [
    "content-length: 10\r\n\r\n{}",
    "content-length: 3000000\r\n\r\n{}",
    "transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
  ];
  for (const head of heads) {
    using client = await RawClient.connect(kit.port);
    await client.write(
      `POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: ${LOCAL_KEY}\r\n${head}`,
    );
    strictEqual((await client.whole()).status, 408);
  }
  for (const head of heads) {
    using client = await RawClient.connect(kit.port);
    await client.write(
      `POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: ${LOCAL_KEY}\r\n${head}`,
    );
    await until(() => kit.listener.openRequests() === 1);
    client.close();
    await until(() => kit.listener.openRequests() === 0);
  }
  deepStrictEqual(scene.asked, []);
  await kit.isEmpty();
});
