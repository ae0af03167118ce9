/**
 * What one request costs between its head and its log line, without sockets:
 * `deno run -A tests/bench/life_cost.ts [bytes of the body]`. Client and
 * upstream are in memory, 32 requests are in flight. The shortest of many short
 * measurements counts, so that the machine's other work matters little.
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { RequestHeaders } from "../../src/http/request.ts";
import type { IncomingRequest } from "../../src/http/request.ts";
import type { HeaderList } from "../../src/ports.ts";
import type { Proxy } from "../../src/proxy/proxy.ts";
import { serveRequest } from "../../src/proxy/pursue.ts";
import { LogBatch } from "../../src/records/log/journal.ts";
import { LOCAL_KEY, ProxyKit } from "../fixtures/proxy_kit.ts";
import { conversationBody } from "./conversation.ts";

const IN_FLIGHT = 32;
const REQUESTS = 1_000;
const MEASUREMENTS = 40;
const WARM_UP = 20;
const SESSIONS = 64;

const ANSWER = Buffer.from(JSON.stringify({
  id: "msg_01XFDUDYJgAACzvnptvVoYEL",
  type: "message",
  role: "assistant",
  model: "claude-opus-5-5",
  content: [{ type: "text", text: "word ".repeat(60) }],
  stop_reason: "end_turn",
  usage: {
    input_tokens: 25,
    cache_read_input_tokens: 30_000,
    output_tokens: 80,
  },
}));

function inHours(hours: number): string {
  return `${Math.floor(Date.now() / 1_000) + hours * 3_600}`;
}

const LINES: HeaderList = [
  ["date", "Sat, 21 Nov 2026 10:00:00 GMT"],
  ["cache-control", "no-cache"],
  ["anthropic-organization-id", "5e6f7a8b-1111-2222-3333-444455556666"],
  ["request-id", "req_011CVabcdefghijklmnopqrs"],
  ["anthropic-ratelimit-unified-status", "allowed"],
  ["anthropic-ratelimit-unified-representative-claim", "five_hour"],
  ["anthropic-ratelimit-unified-5h-status", "allowed"],
  ["anthropic-ratelimit-unified-5h-utilization", "0.1"],
  ["anthropic-ratelimit-unified-5h-reset", inHours(3)],
  ["anthropic-ratelimit-unified-7d-status", "allowed"],
  ["anthropic-ratelimit-unified-7d-utilization", "0.2"],
  ["anthropic-ratelimit-unified-7d-reset", inHours(90)],
  ["strict-transport-security", "max-age=31536000"],
  ["server", "cloudflare"],
  ["content-type", "application/json"],
  ["content-length", `${ANSWER.length}`],
];

function bodyOf(bytes: number): Uint8Array {
  if (bytes > 10_000) return Buffer.from(conversationBody(bytes));
  const text = "some words of a prompt ".repeat(bytes / 20);
  const body = {
    model: "claude-opus-5-5",
    max_tokens: 1_000,
    stream: false,
    tools: [{ name: "Bash", input_schema: { type: "object" } }],
    messages: [{ role: "user", content: text.slice(0, bytes) }],
  };
  return Buffer.from(JSON.stringify(body));
}

function headersOf(session: number, bytes: number): HeaderList {
  return [
    ["host", "127.0.0.1"],
    ["accept", "application/json"],
    ["content-type", "application/json"],
    ["user-agent", "tc-bench"],
    ["anthropic-version", "2023-06-01"],
    [
      "anthropic-beta",
      "claude-code-20250219,interleaved-thinking-2025-05-14",
    ],
    ["x-app", "cli"],
    ["x-stainless-lang", "js"],
    ["x-stainless-retry-count", "0"],
    ["x-stainless-timeout", "600"],
    ["accept-encoding", "gzip, deflate, br, zstd"],
    [
      "x-claude-code-session-id",
      `50aead76-f351-4346-b9ca-${`${session}`.padStart(12, "0")}`,
    ],
    ["content-length", `${bytes}`],
  ];
}

export class Life {
  readonly #proxy: Proxy;
  readonly #body: Uint8Array;
  readonly #headers: readonly RequestHeaders[];
  #count = 0;

  constructor(bytes: number) {
    const kit = new ProxyKit({
      origin: "http://127.0.0.1:1",
      settings: { concurrencyGate: "off", perMinuteGate: "off", parking: 0 },
    });
    const batch = new LogBatch(() => {});
    this.#proxy = {
      ...kit.proxy,
      journal: {
        log: (level, event, fields) =>
          batch.add({ at: kit.proxy.clock.now(), level, event, fields }),
      },
      log: { finished: () => {} },
      upstream: {
        send: ({ signal }) => {
          const listener = () => {};
          signal.addEventListener("abort", listener);
          signal.removeEventListener("abort", listener);
          return Promise.resolve({
            status: 200,
            headers: LINES.slice(),
            body: {
              complete: ANSWER.subarray(),
              read: () => Promise.resolve(null),
              cancel: () => {},
            },
          });
        },
      },
    };
    setInterval(() => kit.events.length = 0, 5);
    this.#body = bodyOf(bytes);
    this.#headers = Array.from(
      { length: SESSIONS },
      (_, session) => new RequestHeaders(headersOf(session, this.#body.length)),
    );
  }

  async #one(): Promise<void> {
    const headers = this.#headers[this.#count++ % SESSIONS];
    if (headers === undefined) return;
    const ended = Promise.withResolvers<void>();
    let isRead = false;
    const incoming: IncomingRequest = {
      method: "POST",
      url: `http://127.0.0.1/k/${LOCAL_KEY}/v1/messages?beta=true`,
      headers,
      body: {
        statedBytes: this.#body.length,
        read: () => {
          const chunk = isRead ? null : this.#body;
          isRead = true;
          return Promise.resolve(chunk);
        },
      },
      signal: new AbortController().signal,
      ended: ended.promise,
      isLocal: true,
      prove: () => {},
    };
    const answer = await serveRequest(
      incoming,
      "/v1/messages?beta=true",
      this.#proxy,
    );
    if (answer.status !== 200) throw new Error(`${answer.status}`);
    const { body } = answer;
    if (body !== null && !(body instanceof Uint8Array)) {
      while (await body.read() !== null);
    }
    ended.resolve();
  }

  async run(requests: number): Promise<void> {
    const each = async () => {
      for (let count = 0; count < requests / IN_FLIGHT; count++) {
        await this.#one();
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, each));
    await new Promise((resolve) => setTimeout(resolve, 6));
  }
}

/** Returns the processor time of this process so far, in microseconds. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

if (import.meta.main) {
  const [bytes = 2_000, requests = REQUESTS] = Deno.args.map(Number);
  const life = new Life(bytes);
  const took: number[] = [];
  for (let count = 0; count < WARM_UP + MEASUREMENTS; count++) {
    const before = cpuUs();
    await life.run(requests);
    if (count >= WARM_UP) took.push((cpuUs() - before) / requests);
  }
  took.sort((a, b) => a - b);
  const middle = took[took.length >> 1] ?? 0;
  // deno-lint-ignore no-console
  console.log(
    `${bytes} bytes: ${took[0]?.toFixed(1)} us, median ${middle.toFixed(1)} us`,
  );
  Deno.exit();
}
