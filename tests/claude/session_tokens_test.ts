/** sessionTokens(): each message once, side chains included, in any portions. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  type SessionTally,
  sessionTokens,
} from "../../src/claude/sessions/session_tokens.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const SESSION = "11111111-2222-4333-8444-555555555555";

interface Said {
  readonly id: string;
  readonly output: number;
  readonly at?: number;
  readonly isSidechain?: boolean;
}

function answer({ id, output, at = 0, isSidechain = false }: Said): string {
  return JSON.stringify({
    type: "assistant",
    isSidechain,
    requestId: `req_${id}`,
    timestamp: new Date(1_800_000_000_000 + at).toISOString(),
    message: {
      id,
      usage: {
        input_tokens: 10,
        cache_creation_input_tokens: 90,
        cache_read_input_tokens: 5_000,
        output_tokens: output,
      },
    },
  });
}

function prompt(content: unknown, at = 0, more: object = {}): string {
  return JSON.stringify({
    type: "user",
    timestamp: new Date(1_800_000_000_000 + at).toISOString(),
    message: { role: "user", content },
    ...more,
  });
}

const RESULT = [{ type: "tool_result", tool_use_id: "t", content: "user" }];

const MAIN = [
  prompt("first", 0),
  answer({ id: "m1", output: 1, at: 1 }),
  answer({ id: "m1", output: 40, at: 2 }),
  prompt(RESULT, 3),
  answer({ id: "m2", output: 60, at: 4 }),
  prompt("second", 10),
  answer({ id: "m3", output: 5, at: 11 }),
  answer({ id: "side", output: 7, at: 11, isSidechain: true }),
  prompt("meta", 12, { isMeta: true }),
  prompt("task", 12, { isSidechain: true }),
  answer({ id: "m3", output: 30, at: 12 }),
  '{"type":"assistant","message":{"usage":"odd"}}',
  'not json but "usage"',
];

const AGENT = [
  prompt("task", 5),
  answer({ id: "a1", output: 200, at: 6 }),
  answer({ id: "a2", output: 300, at: 13 }),
];

async function write(folder: TempFolder, lines: number): Promise<string> {
  const path = folder.join(`${SESSION}.jsonl`);
  await Deno.mkdir(folder.join(SESSION, "subagents"), { recursive: true });
  const text = MAIN.slice(0, lines).map((line) => `${line}\n`).join("");
  await Deno.writeTextFile(path, text);
  await Deno.writeTextFile(
    folder.join(SESSION, "subagents", "agent-a.jsonl"),
    AGENT.slice(0, lines < 11 ? 2 : 3).map((line) => `${line}\n`).join(""),
  );
  return path;
}

function look(
  transcript: string,
  before: SessionTally,
  mayGoOn: () => boolean = () => true,
): ReturnType<typeof sessionTokens> {
  return sessionTokens({ transcript, session: SESSION, before, mayGoOn });
}

Deno.test("sessionTokens() counts a message once, with the most output", async () => {
  await using folder = new TempFolder();
  const { total, turn, isWhole } = look(await write(folder, 99), {});
  strictEqual(isWhole, true);
  deepStrictEqual(total, {
    fresh: 6 * 100,
    output: 40 + 60 + 30 + 7 + 200 + 300,
  });
  deepStrictEqual(turn, { fresh: 3 * 100, output: 30 + 7 + 300 });
});

Deno.test("sessionTokens() comes to the same in any portions", async () => {
  await using folder = new TempFolder();
  let tally: SessionTally = {};
  for (let lines = 0; lines <= MAIN.length; lines++) {
    const path = await write(folder, lines);
    tally = JSON.parse(JSON.stringify(look(path, tally).tally));
  }
  const path = await write(folder, 99);
  const whole = look(path, {});
  const { total, turn } = look(path, tally);
  deepStrictEqual(total, whole.total);
  strictEqual(turn.output, whole.turn.output);
});

Deno.test("sessionTokens() stops when its time is over, and goes on later", async () => {
  await using folder = new TempFolder();
  const path = folder.join(`${SESSION}.jsonl`);
  const line = `${answer({ id: "x", output: 1 })}${" ".repeat(100_000)}\n`;
  const lines = Array.from(
    { length: 20 },
    (_, index) => line.replaceAll('"x"', `"x${index}"`),
  );
  await Deno.writeTextFile(path, lines.join(""));
  let chunks = 0;
  const first = look(path, {}, () => ++chunks <= 2);
  strictEqual(first.isWhole, false);
  const second = look(path, first.tally);
  strictEqual(second.isWhole, true);
  strictEqual(second.total.output, 20);
});

Deno.test("sessionTokens() of files that are not there is nothing", () => {
  const { total, isWhole } = look("/nowhere/at/all.jsonl", {});
  deepStrictEqual([total, isWhole], [{ fresh: 0, output: 0 }, true]);
});

Deno.test("sessionTokens() begins anew when the file is another one", async () => {
  await using folder = new TempFolder();
  const tally = look(await write(folder, 99), {}).tally;
  const again = look(await write(folder, 2), tally);
  strictEqual(again.total.output, 1 + 200);
});

Deno.test("a line of many megabytes does not stop the count, however short a look is", async () => {
  await using folder = new TempFolder();
  const transcript = folder.join("main.jsonl");
  const lines = [
    answer({ id: "m1", output: 1 }),
    prompt(`a picture: ${"x".repeat(5_000_000)}`, 5),
    answer({ id: "m2", output: 20, at: 6 }),
    `{"type":"other","text":"${"y".repeat(34_000_000)}"}`,
    answer({ id: "m3", output: 300, at: 7 }),
  ];
  await Deno.writeTextFile(transcript, `${lines.join("\n")}\n`);
  let before: SessionTally = {};
  for (let looks = 0; looks < 400; looks++) {
    let steps = 0;
    const seen = sessionTokens({
      transcript,
      session: SESSION,
      before,
      // Time for one piece.
      mayGoOn: () => steps++ < 1,
    });
    before = JSON.parse(JSON.stringify(seen.tally));
    if (!seen.isWhole) continue;
    deepStrictEqual(seen.total.output, 321);
    deepStrictEqual(seen.turn.output, 320);
    return;
  }
  throw new Error("The count never comes to its end");
});
