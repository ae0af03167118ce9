/** Transcripts as they really are: early lines, replays, pictures, half lines. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  transcriptFiles,
  transcriptFolders,
} from "../../src/claude/history/transcript_files.ts";
import { Needle } from "../../src/claude/history/byte_search.ts";
import { PartList } from "../../src/claude/history/part_list.ts";
import { SecondReader } from "../../src/claude/history/second_reader.ts";
import { TranscriptReader } from "../../src/claude/history/transcript_reader.ts";
import {
  type TranscriptAnswer,
  TranscriptAnswers,
} from "../../src/core/transcript.ts";
import { Random } from "../../src/simulate/random.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { writeTranscriptTree } from "../fixtures/transcript_tree.ts";

const AT = "2026-11-10T12:00:00.000Z";

interface Parts {
  readonly id?: string | null;
  readonly request?: string | null;
  readonly output?: number;
  readonly more?: Record<string, unknown>;
  readonly message?: Record<string, unknown>;
  readonly usage?: Record<string, unknown>;
}

function line(parts: Parts = {}): string {
  const { id = "msg_1", request = "req_1", output = 50 } = parts;
  return JSON.stringify({
    isSidechain: false,
    cwd: "/home/jörg/Müller",
    sessionId: "s1",
    version: "2.1.332",
    message: {
      model: "claude-opus-5-5",
      ...(id === null ? {} : { id }),
      role: "assistant",
      content: [{ type: "text", text: 'a "usage":{ in a text' }],
      stop_reason: null,
      usage: {
        input_tokens: 3,
        cache_creation_input_tokens: 300,
        cache_read_input_tokens: 7_000,
        output_tokens: output,
        cache_creation: {
          ephemeral_5m_input_tokens: 100,
          ephemeral_1h_input_tokens: 200,
        },
        ...parts.usage,
      },
      ...parts.message,
    },
    ...(request === null ? {} : { requestId: request }),
    type: "assistant",
    uuid: "u1",
    timestamp: AT,
    ...parts.more,
  });
}

async function read(
  text: string | Uint8Array<ArrayBuffer>,
  from = 0,
): Promise<{ readonly answers: TranscriptAnswer[]; readonly known: number }> {
  await using folder = new TempFolder();
  const path = folder.join("s1.jsonl");
  if (typeof text === "string") await Deno.writeTextFile(path, text);
  else await Deno.writeFile(path, text);
  const all = new TranscriptAnswers();
  const part = { path, session: "s1", from };
  const known = await new TranscriptReader().read(part, {
    take: (answer) => all.add(answer),
    goOn: () => true,
  });
  return { answers: [...all], known };
}

Deno.test("an answer is read with its tokens, its folder and the time of its request", async () => {
  const asked = JSON.stringify({
    type: "user",
    message: { role: "user", content: "hello" },
    timestamp: "2026-11-10T11:59:52.000Z",
  });
  const { answers } = await read(`${asked}\n${line()}\n`);
  const [{ path: _, ...answer } = { path: "" }] = answers;
  deepStrictEqual(answer, {
    messageId: "msg_1",
    requestId: "req_1",
    at: Date.parse(AT),
    startedAt: Date.parse("2026-11-10T11:59:52.000Z"),
    session: "s1",
    agent: null,
    project: "/home/jörg/Müller",
    model: "claude-opus-5-5",
    usage: {
      input: 3,
      cacheRead: 7_000,
      cacheWrite5m: 100,
      cacheWrite1h: 200,
      output: 50,
    },
    terms: { isFast: false, isBatch: false, isUs: false, webSearches: 0 },
    isSidechain: false,
    hasSpeed: false,
    isPrompt: true,
    isCompacted: false,
  });
});

Deno.test("an answer on several lines counts once, with the most that any states", async () => {
  const lines = [
    line({ output: 1 }),
    line({ output: 50 }),
    line({ output: 50 }),
    // A side conversation repeats it under a request of its own.
    line({ output: 60, request: "req_2", more: { isSidechain: true } }),
    // A retry is another request, and was paid as well.
    line({ output: 20, request: "req_3" }),
  ];
  const { answers } = await read(`${lines.join("\n")}\n`);
  deepStrictEqual(
    answers.map(({ requestId, usage }) => [requestId, usage.output]),
    [["req_1", 50], ["req_3", 20]],
  );
});

Deno.test("the client's own errors, results of tools and texts are no answers", async () => {
  const lines = [
    line({
      message: { model: "<synthetic>", usage: { input_tokens: 0 } },
    }),
    JSON.stringify({
      type: "user",
      message: { role: "user", content: line() },
      timestamp: AT,
      toolUseResult: { usage: { input_tokens: 9, output_tokens: 9 } },
    }),
    '{"type":"assistant","usage":{"input_tokens":1},',
    '"usage":{',
    "",
  ];
  deepStrictEqual((await read(lines.join("\n"))).answers, []);
});

Deno.test("a sub-agent's line within the main transcript is the same answer", async () => {
  const inner = JSON.parse(line({ id: "msg_9", request: "req_9" }));
  const progress = JSON.stringify({
    type: "progress",
    sessionId: "s1",
    data: { type: "agent_progress", message: inner },
    timestamp: AT,
  });
  const own = line({ id: "msg_9", request: "req_9" });
  const { answers } = await read(`${progress}\n${own}\n`);
  strictEqual(answers.length, 1);
});

Deno.test("a file that is being written is read on from its last whole line", async () => {
  const first = `${line()}\n`;
  const second = `${line({ id: "msg_2", request: "req_2" })}\n`;
  const length = new TextEncoder().encode(first).length;
  const half = await read(first + second.slice(0, 200));
  strictEqual(half.known, length);
  strictEqual(half.answers.length, 1);
  const rest = await read(first + second, half.known);
  deepStrictEqual(rest.answers.map(({ messageId }) => messageId), ["msg_2"]);
  // Whole but for its end: counted now, and again, once.
  const bare = await read(first + second.trimEnd());
  strictEqual(bare.known, length);
  strictEqual(bare.answers.length, 2);
});

Deno.test("a line of 50 MB is passed over in bounded memory, and its tokens count", async () => {
  const picture = "x".repeat(50 * 1024 * 1024);
  const [head = "", tail = ""] = line({ id: "msg_big", request: "req_big" })
    .split('a \\"usage\\":{ in a text');
  const asked =
    `{"type":"user","message":{"role":"user","content":"${picture}"}}`;
  const lines = [line(), asked, head + picture + tail];
  const last = line({ id: "msg_3", request: "req_3" });
  const text = `${[...lines, last].join("\n")}\n`;
  const { answers, known } = await read(text);
  deepStrictEqual(
    answers.map(({ messageId, usage }) => [messageId, usage.output]),
    [["msg_1", 50], ["msg_big", 50], ["msg_3", 50]],
  );
  strictEqual(known, new TextEncoder().encode(text).length);
});

Deno.test("a look stops where it is told to, and goes on from there", async () => {
  await using folder = new TempFolder();
  const path = folder.join("s1.jsonl");
  const count = 3_000;
  await Deno.writeTextFile(
    path,
    Array.from(
      { length: count },
      (_, at) => `${line({ id: `msg_${at}`, request: `req_${at}` })}\n`,
    ).join(""),
  );
  const all = new TranscriptAnswers();
  const take = (answer: TranscriptAnswer) => all.add(answer);
  const from = await new TranscriptReader().read({
    path,
    session: "s1",
    from: 0,
  }, {
    take,
    goOn: () => false,
  });
  ok(all.count > 0 && all.count < count, `${all.count}`);
  await new TranscriptReader().read({ path, session: "s1", from }, {
    take,
    goOn: () => true,
  });
  strictEqual(all.count, count);
});

Deno.test("a line with spaces, as other programs write JSON, states its answer too", async () => {
  const spaced = JSON.stringify(JSON.parse(line()), null, 1)
    .replaceAll(/\n\s*/g, " ");
  const { answers } = await read(`${spaced}\n${line({ id: "msg_2" })}\n`);
  deepStrictEqual(answers.map(({ messageId }) => messageId), [
    "msg_1",
    "msg_2",
  ]);
});

Deno.test("an answer whose tool is given a conversation is no request", async () => {
  const input = { messages: [{ role: "user", content: "hello" }] };
  const call = { type: "tool_use", id: "toolu_1", name: "mcp__ask", input };
  const { answers } = await read(
    `${line({ message: { content: [call] } })}\n`,
  );
  deepStrictEqual(answers.map(({ usage }) => usage.output), [50]);
});

Deno.test("a needle is found where indexOf() finds it, first and last", () => {
  const random = new Random(5);
  const word = (length: number) =>
    Array.from({ length }, () => 'ab":'.at(random.whole(0, 3))).join("");
  for (let turn = 0; turn < 3_000; turn++) {
    const wanted = word(random.whole(1, 6));
    const text = word(random.whole(0, 60));
    const from = random.whole(0, 20);
    const bytes = new TextEncoder().encode(text);
    const needle = new Needle(wanted);
    const context = JSON.stringify({ wanted, text, from });
    const first = from > text.length ? -1 : text.indexOf(wanted, from);
    strictEqual(needle.first(bytes, from), first, context);
    const last = text.lastIndexOf(wanted);
    strictEqual(needle.last(bytes, from), last < from ? -1 : last, context);
  }
});

/** Returns what all threads read of the tree, with how many parts the second read. */
async function readTree(
  folder: string,
  { hasSecond, fails = false }: {
    readonly hasSecond: boolean;
    readonly fails?: boolean;
  },
): Promise<{ readonly answers: TranscriptAnswers; readonly seconds: number }> {
  const parts = transcriptFiles(folder).map(({ path, session }) => ({
    path,
    session,
    from: 0,
  }));
  const list = new PartList(parts.length);
  const answers = new TranscriptAnswers();
  const unread = new Set(parts.keys());
  let seconds = 0;
  using second = hasSecond
    ? new SecondReader(parts, list, (read) => {
      if (fails) return;
      unread.delete(read.at);
      seconds += 1;
      for (const answer of read.answers) answers.add(answer);
    })
    : null;
  // The other thread takes all that this one leaves to it.
  const own = hasSecond ? [list.take(), list.take()] : [...parts.keys()];
  await second?.ended;
  for (const at of fails ? unread : own) {
    const part = at === null ? undefined : parts[at];
    if (part === undefined) continue;
    await new TranscriptReader().read(part, {
      take: (answer) => answers.add(answer),
      goOn: () => true,
    });
  }
  return { answers, seconds };
}

Deno.test("two threads read what one reads, and what one loses the other reads", async () => {
  await using folder = new TempFolder();
  writeTranscriptTree({ folder: folder.path, bytes: 2_000_000 });
  const projects = folder.join("projects");
  const sorted = ({ answers }: { readonly answers: TranscriptAnswers }) =>
    [...answers].toSorted((a, b) => a.messageId < b.messageId ? -1 : 1);
  const one = await readTree(projects, { hasSecond: false });
  ok(one.answers.count > 50, `${one.answers.count}`);
  const two = await readTree(projects, { hasSecond: true });
  deepStrictEqual(sorted(two), sorted(one));
  ok(two.seconds > 0);
  const failed = await readTree(projects, { hasSecond: true, fails: true });
  deepStrictEqual(sorted(failed), sorted(one));
});

Deno.test("a list of parts gives each once, to whoever asks, until it is stopped", () => {
  const list = new PartList(3);
  const other = new PartList(3, list.memory);
  deepStrictEqual([list.take(), other.take(), list.take()], [0, 1, 2]);
  strictEqual(other.take(), null);
  other.addBytes(5_000_000_000);
  other.addBytes(7);
  strictEqual(list.takeBytes(), 5_000_000_007);
  strictEqual(list.takeBytes(), 0);
  const next = new PartList(3);
  next.stop();
  strictEqual(new PartList(3, next.memory).take(), null);
});

Deno.test("every place of transcripts is looked at, each once", async () => {
  await using folder = new TempFolder();
  const home = folder.path;
  for (const place of [".claude", ".config/claude", "own", "profile"]) {
    await Deno.mkdir(folder.join(place, "projects", "-p", "s2", "subagents"), {
      recursive: true,
    });
    const names = ["-p/s1.jsonl", "-p/s2/subagents/agent-a.jsonl", "-p/notes"];
    for (const name of names) {
      await Deno.writeTextFile(folder.join(place, "projects", name), "");
    }
  }
  const environment = {
    HOME: home,
    CLAUDE_CONFIG_DIR: `${folder.join("own")},${folder.join("gone")}`,
  };
  const folders = transcriptFolders(environment, "linux", [
    folder.join("profile"),
    folder.join(".claude"),
  ]);
  deepStrictEqual(
    folders,
    [".config/claude", ".claude", "own", "profile"].map((place) =>
      folder.join(place, "projects")
    ),
  );
  const files = transcriptFiles(folders[0] ?? "");
  deepStrictEqual(
    files.map(({ session }) => session).sort(),
    ["s1", "s2"],
  );
});
