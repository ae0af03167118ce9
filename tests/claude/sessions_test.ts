import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  isPresent,
  SessionReader,
} from "../../src/claude/sessions/sessions.ts";
import {
  lastTurnIn,
  TranscriptReader,
} from "../../src/claude/sessions/transcript.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const MINUTE = 60_000;
const UUID = "5f2c9100-0000-4000-8000-00000000000";

function write(path: string, text: string): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  Deno.writeTextFileSync(path, text);
}

function turn(type: string, at: number): string {
  const timestamp = new Date(at).toISOString();
  return `${JSON.stringify({ type, timestamp, message: {} })}\n`;
}

function registry(folder: TempFolder, rows: readonly unknown[]): void {
  write(folder.join("state", "sessions.json"), JSON.stringify(rows));
}

function row(index: number, startedAt: number): Record<string, unknown> {
  return {
    sid: `cc-${UUID}${index}`,
    emoji: "🦊",
    intent: "solo: tidy",
    started: new Date(startedAt).toISOString(),
  };
}

Deno.test("isPresent() follows the seed's rule", () => {
  const long = NOW - 600 * MINUTE;
  const base = {
    isToolRunning: false,
    lastTurn: { kind: "unknown" } as const,
    startedAt: long,
  };
  const at = (ageMs: number) => ({ kind: "turn", at: NOW - ageMs }) as const;
  const cases: readonly (readonly [object, boolean])[] = [
    [{ lastTurn: at(30 * MINUTE) }, true],
    [{ lastTurn: at(30 * MINUTE + 1) }, false],
    [{ lastTurn: at(90 * MINUTE), isToolRunning: true }, true],
    [{}, false],
    [{ startedAt: NOW - 120_000 }, true],
    [{ startedAt: NOW - 120_001 }, false],
    [{ startedAt: null }, false],
    // A new session with an old turn is judged by the turn.
    [{ startedAt: NOW, lastTurn: at(31 * MINUTE) }, false],
    [{ lastTurn: { kind: "stub", at: NOW - 5 * MINUTE } }, true],
    [{ lastTurn: { kind: "stub", at: NOW - 31 * MINUTE } }, false],
  ];
  for (const [change, present] of cases) {
    strictEqual(isPresent({ ...base, ...change }, NOW), present);
  }
});

Deno.test("lastTurnIn() takes the newest user or assistant line", () => {
  const text = turn("user", NOW - 3_000) + turn("assistant", NOW - 2_000) +
    `{"type":"ai-title","timestamp":"${new Date(NOW).toISOString()}"}\n` +
    `{"type":"mode","mode":"user"}\nnot json "user"\n`;
  strictEqual(lastTurnIn(text), NOW - 2_000);
  strictEqual(lastTurnIn('{"type":"user","timestamp":"soon"}\n'), null);
  strictEqual(lastTurnIn(""), null);
});

Deno.test("TranscriptReader finds a turn far before the end of a file", async () => {
  await using folder = new TempFolder();
  const path = folder.join("projects", "-a", "s.jsonl");
  const noise = `${JSON.stringify({ type: "mode", text: "x".repeat(900) })}\n`;
  write(path, turn("user", NOW - MINUTE) + noise.repeat(120));
  const reader = new TranscriptReader();
  deepStrictEqual(await reader.lastTurn([path]), {
    kind: "turn",
    at: NOW - MINUTE,
  });
});

Deno.test("TranscriptReader takes the time of a file without turns", async () => {
  await using folder = new TempFolder();
  const path = folder.join("projects", "-a", "s.jsonl");
  write(path, '{"type":"mode"}\n');
  const written = new Date(NOW - 7 * MINUTE);
  await Deno.utime(path, written, written);
  deepStrictEqual(await new TranscriptReader().lastTurn([path]), {
    kind: "stub",
    at: NOW - 7 * MINUTE,
  });
  deepStrictEqual(await new TranscriptReader().lastTurn([]), {
    kind: "unknown",
  });
});

Deno.test("TranscriptReader sees what a file gained", async () => {
  await using folder = new TempFolder();
  const path = folder.join("projects", "-a", "s.jsonl");
  write(path, turn("user", NOW - MINUTE));
  const reader = new TranscriptReader();
  await reader.lastTurn([path]);
  await Deno.writeTextFile(path, turn("assistant", NOW), { append: true });
  deepStrictEqual(await reader.lastTurn([path]), { kind: "turn", at: NOW });
});

Deno.test("SessionReader reads nothing where nothing is", async () => {
  await using folder = new TempFolder();
  deepStrictEqual(await new SessionReader(folder.path).read(NOW), []);
  deepStrictEqual(await new SessionReader("/nowhere").read(NOW), []);
});

Deno.test("SessionReader joins registry, pin, tool mark and transcript", async () => {
  await using folder = new TempFolder();
  registry(folder, [row(1, NOW - 60 * MINUTE), row(2, NOW - 60 * MINUTE)]);
  write(
    folder.join("projects", "-work", `${UUID}1.jsonl`),
    turn("user", NOW - MINUTE),
  );
  const state = folder.join("state", "sessions", `cc-${UUID}1`);
  write(
    `${state}/pin.json`,
    JSON.stringify({
      identifier: "D-1",
      issueId: "i-1",
      parentId: null,
      title: "Tidy",
      status: "blocked",
      assigneeUserId: "u",
      labels: null,
    }),
  );
  write(`${state}/tool-inflight`, `${NOW / 1000 - 60} Bash\n`);
  deepStrictEqual(await new SessionReader(folder.path).read(NOW), [{
    sessionId: `${UUID}1`,
    emoji: "🦊",
    intent: "solo: tidy",
    name: null,
    issue: "D-1",
    pin: {
      identifier: "D-1",
      issueId: "i-1",
      parentId: null,
      title: "Tidy",
      status: "blocked",
      assigneeUserId: "u",
    },
    isToolRunning: true,
    lastTurnAt: NOW - MINUTE,
  }]);
});

Deno.test("SessionReader drops who is quiet and takes back who turns", async () => {
  await using folder = new TempFolder();
  registry(folder, [row(1, NOW - 600 * MINUTE)]);
  const path = folder.join("projects", "-work", `${UUID}1.jsonl`);
  write(path, turn("user", NOW - 29 * MINUTE));
  const reader = new SessionReader(folder.path);
  const count = async (at: number) => (await reader.read(at)).length;
  strictEqual(await count(NOW), 1);
  strictEqual(await count(NOW + 2 * MINUTE), 0);
  await Deno.writeTextFile(path, turn("assistant", NOW + 3 * MINUTE), {
    append: true,
  });
  strictEqual(await count(NOW + 4 * MINUTE), 1);
});

Deno.test("SessionReader knows running clients without an orchestrator", async () => {
  await using folder = new TempFolder();
  write(
    folder.join("sessions", "4711.json"),
    JSON.stringify({
      pid: 4711,
      sessionId: `${UUID}3`,
      cwd: "/home/ada/project",
      startedAt: NOW - 5_000,
      kind: "interactive",
    }),
  );
  write(folder.join("sessions", "not-a-pid.json"), "{}");
  write(folder.join("sessions", "4712.json"), "{ half");
  const [client, ...rest] = await new SessionReader(folder.path).read(NOW);
  deepStrictEqual([client?.sessionId, client?.name, rest.length], [
    `${UUID}3`,
    "project",
    0,
  ]);
});

Deno.test("SessionReader holds on files that are broken or hostile", async () => {
  await using folder = new TempFolder();
  for (
    const text of [
      "",
      "{",
      "null",
      "[1,2,null]",
      '{"sessions":3}',
      '[{"sid":"../../etc"},{"sid":7},{"sid":""}]',
      `[{"sid":"cc-${UUID}1","started":"never","emoji":5}]`,
    ]
  ) {
    write(folder.join("state", "sessions.json"), text);
    deepStrictEqual(await new SessionReader(folder.path).read(NOW), [], text);
  }
});
