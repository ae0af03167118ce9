import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { UpstreamBody } from "../../src/ports.ts";
import {
  relay as relayWithin,
  type RelayEnd,
  type RelayWatch,
  streamOf,
} from "../../src/http/response.ts";
import { trials } from "../fixtures/trials.ts";

/** The relay as a stream. */
function relay(
  body: UpstreamBody,
  tap: RelayWatch["tap"],
  onEnd: RelayWatch["onEnd"],
): ReadableStream<Uint8Array> {
  return streamOf(relayWithin(body, { tap, onEnd }));
}

/** A body whose reads the test answers. */
class ScriptedBody implements UpstreamBody {
  readonly complete = null;
  reads = 0;
  cancels = 0;
  readonly #answers: PromiseWithResolvers<Uint8Array | null>[] = [];
  #answered = 0;

  read(): Promise<Uint8Array | null> {
    return this.#slot(this.reads++).promise;
  }

  cancel(): void {
    this.cancels++;
    // As the real one: the read under way fails.
    this.fail(new Error("given up"));
  }

  give(text: string | null): void {
    const bytes = text === null ? null : Buffer.from(text);
    this.#slot(this.#answered++).resolve(bytes);
  }

  fail(cause: Error): void {
    const { promise, reject } = this.#slot(this.#answered++);
    promise.catch(() => {});
    reject(cause);
  }

  #slot(at: number): PromiseWithResolvers<Uint8Array | null> {
    return this.#answers[at] ??= Promise.withResolvers();
  }
}

function text(chunk: Uint8Array | undefined): string {
  return Buffer.from(chunk ?? []).toString();
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("relay() passes chunks on and ends once", async () => {
  const body = new ScriptedBody();
  const ends: RelayEnd[] = [];
  const stream = relay(body, null, (end) => ends.push(end));
  for (const chunk of ["a", "bc", "d", null]) body.give(chunk);
  strictEqual(await new Response(stream).text(), "abcd");
  deepStrictEqual(ends, [{ kind: "complete" }]);
  strictEqual(body.cancels, 0);
});

Deno.test("relay() reads only what is asked for", async () => {
  const body = new ScriptedBody();
  const reader = relay(body, null, () => {}).getReader();
  await turn();
  strictEqual(body.reads, 0);
  for (let i = 1; i <= 5; i++) {
    body.give("x");
    await reader.read();
    await turn();
    strictEqual(body.reads, i);
  }
  await reader.cancel();
});

Deno.test("relay() errors the stream when the body broke", async () => {
  const body = new ScriptedBody();
  const ends: RelayEnd[] = [];
  const reader = relay(body, null, (end) => ends.push(end)).getReader();
  const cause = new Error("reset");
  body.give("a");
  body.fail(cause);
  strictEqual(text((await reader.read()).value), "a");
  await rejects(reader.read(), cause);
  await rejects(reader.read(), cause);
  deepStrictEqual(ends, [{ kind: "upstream_failed", cause }]);
});

Deno.test("relay() cancels the upstream in the tick the client leaves", async () => {
  const body = new ScriptedBody();
  const ends: RelayEnd[] = [];
  const reader = relay(body, null, (end) => ends.push(end)).getReader();
  const reading = reader.read();
  await turn();
  const cancelling = reader.cancel();
  strictEqual(body.cancels, 1);
  deepStrictEqual(ends, [{ kind: "client_gone" }]);
  await cancelling;
  strictEqual((await reading).done, true);
  await turn();
  deepStrictEqual(ends, [{ kind: "client_gone" }], "the failed read is no end");
});

Deno.test("relay() shows the tap what went by, after the client took it", async () => {
  const body = new ScriptedBody();
  const log: string[] = [];
  const stream = relay(
    body,
    (chunk) => log.push(`tap ${text(chunk)}`),
    ({ kind }) => log.push(kind),
  );
  const reader = stream.getReader();
  for (const chunk of ["a", "b", null]) body.give(chunk);
  log.push(`client ${text((await reader.read()).value)}`);
  log.push(`client ${text((await reader.read()).value)}`);
  await reader.read();
  deepStrictEqual(log, ["client a", "tap a", "client b", "tap b", "complete"]);
});

Deno.test("relay() shows the tap the last chunk, however it ends", async () => {
  for (const how of ["fail", "cancel"] as const) {
    const body = new ScriptedBody();
    const log: string[] = [];
    const reader = relay(
      body,
      (chunk) => log.push(text(chunk)),
      ({ kind }) => log.push(kind),
    ).getReader();
    body.give("a");
    await reader.read();
    if (how === "fail") {
      body.fail(new Error("reset"));
      await rejects(reader.read());
      deepStrictEqual(log, ["a", "upstream_failed"]);
    } else {
      await reader.cancel();
      deepStrictEqual(log, ["a", "client_gone"]);
    }
  }
});

Deno.test("relay() goes on when the tap throws, and does not call it again", async () => {
  const body = new ScriptedBody();
  const ends: RelayEnd[] = [];
  let asked = 0;
  const stream = relay(body, () => {
    asked++;
    throw new Error("broken tap");
  }, (end) => ends.push(end));
  for (const chunk of ["a", "b", "c", null]) body.give(chunk);
  strictEqual(await new Response(stream).text(), "abc");
  strictEqual(asked, 1);
  deepStrictEqual(ends, [{ kind: "complete" }]);
});

type Move =
  | { readonly kind: "give"; readonly text: string | null }
  | { readonly kind: "fail" }
  | { readonly kind: "read" }
  | { readonly kind: "cancel" }
  | { readonly kind: "turn" };

const MOVE: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    kind: fc.constant("give" as const),
    text: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("a", "bc") },
      { weight: 1, arbitrary: fc.constant(null) },
    ),
  }),
  fc.record({ kind: fc.constant("fail" as const) }),
  fc.record({ kind: fc.constant("read" as const) }),
  fc.record({ kind: fc.constant("cancel" as const) }),
  fc.record({ kind: fc.constant("turn" as const) }),
);

Deno.test("relay() ends exactly once, whatever happens in whatever order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(MOVE, { maxLength: 12 }), async (moves) => {
      const body = new ScriptedBody();
      const ends: RelayEnd[] = [];
      const seen: string[] = [];
      const given: string[] = [];
      const reader = relay(
        body,
        (chunk) => seen.push(text(chunk)),
        (end) => ends.push(end),
      ).getReader();
      const got: Promise<string>[] = [];
      for (const move of [...moves, { kind: "cancel" } as const]) {
        switch (move.kind) {
          case "give":
            if (move.text !== null) given.push(move.text);
            body.give(move.text);
            break;
          case "fail":
            body.fail(new Error("reset"));
            break;
          case "read":
            got.push(reader.read().then(({ value }) => text(value), () => ""));
            break;
          case "cancel":
            reader.cancel().catch(() => {});
            break;
          case "turn":
            await turn();
            break;
        }
      }
      const texts = await Promise.all(got);
      await turn();
      strictEqual(ends.length, 1);
      const received = texts.filter((chunk) => chunk !== "");
      deepStrictEqual(received, given.slice(0, received.length));
      deepStrictEqual(seen, received, "the tap sees what the client got");
    }),
    { numRuns: trials(300, 20_000) },
  );
});
