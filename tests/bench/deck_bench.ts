/**
 * What a frame of the Deck costs with a large fleet, and a look at 500
 * sessions on disk: `deno bench -A tests/bench/deck_bench.ts`.
 */

import { SessionReader } from "../../src/claude/sessions/sessions.ts";
import { diff } from "../../src/deck/terminal/screen.ts";
import { type Model, startModel } from "../../src/deck/model.ts";
import { UNICODE } from "../../src/deck/terminal/theme.ts";
import { update } from "../../src/deck/update.ts";
import { view } from "../../src/deck/view.ts";
import {
  account,
  NOW,
  pinned,
  poolStatus,
  session,
  usage,
  window,
} from "../deck/scene.ts";

const AGENTS = 60;
const ACCOUNTS = 12;
const SESSIONS = 500;

function largeModel(): Model {
  const local = Array.from(
    { length: AGENTS },
    (_, index) =>
      pinned(`D-${index}`, index === 0 ? null : `D-${Math.floor(index / 4)}`, {
        emoji: ["🦊", "🐙", "🛠️", "🐢"][index % 4] ?? "🦊",
        title: `Part ${index} of a plan that goes on and on`,
      }),
  );
  const status = poolStatus({
    accounts: Array.from(
      { length: ACCOUNTS },
      (_, index) =>
        account(`account-${index}`, {
          windows: [
            window("5h", index / ACCOUNTS, 3_000_000),
            window("7d", index / 20, 90_000_000),
          ],
        }),
    ),
    sessions: Array.from(
      { length: SESSIONS },
      (_, index) =>
        session(index < AGENTS ? `s-D-${index}` : `old-${index}`, {
          account: `account-${index % ACCOUNTS}`,
          usage: usage({ output: index * 1_000 }),
          lastUsedAt: index < AGENTS
            ? { iso: "", ms: NOW - 1_000 }
            : { iso: "", ms: NOW - 90 * 60_000 },
        }),
    ),
  });
  const start = startModel({
    size: { columns: 200, rows: 60 },
    now: NOW,
    look: { glyphs: UNICODE, timeZone: "UTC" },
    isServer: false,
  });
  const [known] = update(start, { kind: "status", status });
  return update(known, { kind: "local", local })[0];
}

const model = largeModel();
const frame = view(model);

Deno.bench(`view() of ${AGENTS} agents, ${ACCOUNTS} accounts`, () => {
  // A new model: what was worked out for the last one does not count.
  view({ ...model });
});

Deno.bench("view() and diff() of the next second", () => {
  diff(frame, view({ ...model, now: NOW + 1_000 }), "truecolor");
});

Deno.bench(`SessionReader.read() of ${SESSIONS} sessions`, async (bench) => {
  const folder = await Deno.makeTempDir({ prefix: "tc-bench-" });
  await Deno.mkdir(`${folder}/state`);
  await Deno.mkdir(`${folder}/projects/-a`, { recursive: true });
  const rows = Array.from({ length: SESSIONS }, (_, index) => {
    const id = `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
    const timestamp = new Date(NOW).toISOString();
    Deno.writeTextFileSync(
      `${folder}/projects/-a/${id}.jsonl`,
      `${JSON.stringify({ type: "user", timestamp })}\n`.repeat(50),
    );
    return { sid: `cc-${id}`, started: timestamp };
  });
  await Deno.writeTextFile(
    `${folder}/state/sessions.json`,
    JSON.stringify(rows),
  );
  const reader = new SessionReader(folder);
  await reader.read(NOW);
  bench.start();
  await reader.read(NOW);
  bench.end();
  await Deno.remove(folder, { recursive: true });
});
