/**
 * What one request costs between its head and its log line, without sockets:
 * `deno run -A tests/bench/life_cost.ts [bytes of the body]`. Client and
 * upstream are in memory, 32 requests are in flight. The shortest of many short
 * measurements counts, so that the machine's other work matters little.
 */

import process from "node:process";
import { RequestHeaders } from "../../src/http/request.ts";
import type { IncomingRequest } from "../../src/http/request.ts";
import type { Proxy } from "../../src/proxy/proxy.ts";
import { serveRequest } from "../../src/proxy/pursue.ts";
import { LogBatch } from "../../src/records/log/journal.ts";
import { LOCAL_KEY, ProxyKit } from "../fixtures/proxy_kit.ts";
import { ANSWER, ANSWER_LINES, bodyOf, headersOf } from "./request_text.ts";

const IN_FLIGHT = 32;
const REQUESTS = 1_000;
const MEASUREMENTS = 40;
const WARM_UP = 20;
const SESSIONS = 64;

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
            headers: ANSWER_LINES.slice(),
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
    answer.onEnd?.("written");
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
