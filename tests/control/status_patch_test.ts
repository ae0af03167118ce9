import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok } from "node:assert/strict";
import {
  patched,
  patchOf,
  type WatchMessage,
} from "../../src/control/status_patch.ts";
import type { StatusView } from "../../src/control/protocol.ts";
import { StatusFeed } from "../../src/server/worker/event_feed.ts";
import { Draw, randomStatus } from "../deck/random_scene.ts";
import { ended, poolStatus, request } from "../deck/scene.ts";
import { trials } from "../fixtures/trials.ts";

/** Activity has one entry an id for ever; a random one may not. */
function withOwnActivity(status: StatusView, step: number): StatusView {
  const activity = Array.from(
    { length: step % 9 },
    (_, index) => ended(`e-${step - index}`),
  );
  return { ...status, activity };
}

Deno.test("patched() of a status and its patch is the next status", () => {
  const draw = new Draw(5);
  let before = withOwnActivity(randomStatus(draw), 0);
  for (let step = 1; step < trials(80, 2_000); step++) {
    const after = withOwnActivity(randomStatus(draw), step);
    const patch = JSON.parse(JSON.stringify(patchOf(before, after)));
    deepStrictEqual(patched(before, patch), after);
    before = after;
  }
});

Deno.test("patchOf() holds what changed and nothing else", () => {
  const before = poolStatus();
  deepStrictEqual(patchOf(before, poolStatus()), { set: {}, lists: {} });
  const [first, ...others] = before.requests;
  ok(first !== undefined);
  const after = {
    ...before,
    requests: [{ ...first, cacheWrite: 900 }, ...others],
  };
  deepStrictEqual(patchOf(before, after), {
    set: {},
    lists: { requests: { ids: null, put: [after.requests[0]] } },
  });
});

async function messages(
  stream: ReadableStream<Uint8Array>,
  count: number,
): Promise<readonly WatchMessage[]> {
  const found: WatchMessage[] = [];
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    const lines = text.split("\n\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data: ")) found.push(JSON.parse(line.slice(6)));
    }
    if (found.length >= count) break;
  }
  return found;
}

Deno.test("StatusFeed tells watchers the status, then the change, and stops with the last one", async () => {
  let status = poolStatus();
  let looks = 0;
  const feed = new StatusFeed({
    status: () => {
      looks++;
      return status;
    },
    mark: () => status,
  });
  const first = feed.stream(new AbortController().signal);
  const second = feed.stream(new AbortController().signal);
  // The first hears of a look that the second one's coming took.
  const reading = Promise.all([messages(first, 3), messages(second, 2)]);
  status = { ...status, requests: [request("r-new")] };
  for (const [whole, ...changes] of await reading) {
    ok(whole?.kind === "status");
    const last = changes.reduce(
      (now, change) =>
        change.kind === "patch" ? patched(now, change.patch) : now,
      whole.status,
    );
    deepStrictEqual(last, status);
  }
  // One look for each that came, one for the change that both were told.
  ok(looks <= 3, `${looks} looks`);
});

Deno.test("StatusFeed does not look at a pool that stands still", async () => {
  const status = poolStatus();
  let looks = 0;
  const feed = new StatusFeed({
    status: () => {
      looks++;
      return status;
    },
    mark: () => status,
  });
  const stop = new AbortController();
  const stream = feed.stream(stop.signal);
  const reader = stream.getReader();
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 3_300));
  // The first tick finds a mark that it did not know.
  ok(looks <= 2, `${looks} looks in three seconds`);
  stop.abort();
  await reader.cancel();
});
