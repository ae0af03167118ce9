import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { type SseEvent, SseScanner } from "../../src/wire/answer/sse.ts";
import { trials } from "../fixtures/trials.ts";

type Plain = readonly [event: string, data: string];

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function plain(events: readonly SseEvent[]): Plain[] {
  return events.map(({ event, data }) =>
    [event, new TextDecoder().decode(data)] as const
  );
}

function scan(stream: string, wanted?: readonly string[]): Plain[] {
  const scanner = new SseScanner(wanted === undefined ? {} : { wanted });
  return plain(scanner.push(bytes(stream)));
}

/** Pushes `stream` in pieces that end at `cuts`, and spoils each afterwards. */
function scanCut(
  stream: Uint8Array,
  cuts: readonly number[],
  scanner: SseScanner,
): Plain[] {
  const ends = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))]
    .toSorted((a, b) => a - b);
  const events: SseEvent[] = [];
  let at = 0;
  for (const end of [...ends, stream.length]) {
    const chunk = stream.slice(at, end);
    events.push(...scanner.push(chunk));
    // The buffer of a chunk may be used again: nothing may refer to it.
    chunk.fill(0x78);
    at = end;
  }
  return plain(events);
}

const CLAUDE = [
  'event: message_start\ndata: {"type":"message_start"}\n\n',
  'event: ping\ndata: {"type": "ping"}\n\n',
  'event: content_block_delta\ndata: {"type":"content_block_delta","x":"é🦊"}\n\n',
  'event: message_delta\ndata: {"type":"message_delta"}\n\n',
  'event: message_stop\ndata: {"type":"message_stop"}\n\n',
].join("");

Deno.test("SseScanner reads what the API sends", () => {
  deepStrictEqual(scan(CLAUDE), [
    ["message_start", '{"type":"message_start"}'],
    ["ping", '{"type": "ping"}'],
    ["content_block_delta", '{"type":"content_block_delta","x":"é🦊"}'],
    ["message_delta", '{"type":"message_delta"}'],
    ["message_stop", '{"type":"message_stop"}'],
  ]);
});

Deno.test("SseScanner reports only what is wanted", () => {
  deepStrictEqual(scan(CLAUDE, ["message_delta", "error", "message_stop"]), [
    ["message_delta", '{"type":"message_delta"}'],
    ["message_stop", '{"type":"message_stop"}'],
  ]);
  deepStrictEqual(scan(CLAUDE, []), []);
  deepStrictEqual(scan("data: 1\n\nevent:\ndata: 2\n\n", ["message"]), [
    ["message", "1"],
    ["message", "2"],
  ]);
  deepStrictEqual(scan("data: 1\nevent: a\n\n", ["a"]), [["a", "1"]]);
  deepStrictEqual(scan("data: 1\nevent: b\n\ndata: 2\n\n", ["a"]), []);
});

Deno.test("SseScanner follows the standard line by line", async (t) => {
  const rows: [name: string, stream: string, events: Plain[]][] = [
    ["LF", "data: a\n\n", [["message", "a"]]],
    ["CR", "data: a\r\r", [["message", "a"]]],
    ["CRLF", "data: a\r\n\r\n", [["message", "a"]]],
    ["mixed ends", "event: x\rdata: a\r\n\n", [["x", "a"]]],
    ["byte order mark", "\ufeffdata: a\n\n", [["message", "a"]]],
    ["mark and empty line", "\ufeff\ndata: a\n\n", [["message", "a"]]],
    ["a mark later is data", "\n\ufeffdata: a\n\n", []],
    ["many data lines", "data: a\ndata:\ndata: b\n\n", [["message", "a\n\nb"]]],
    ["one space goes", "data:  a \n\ndata:b\n\n", [
      ["message", " a "],
      ["message", "b"],
    ]],
    ["data without colon", "data\n\n", [["message", ""]]],
    ["data without value", "data:\n\n", [["message", ""]]],
    ["no data", "event: x\n\ndata: a\n\n", [["message", "a"]]],
    ["comments and other fields", ":x\nid: 1\nretry: 5\ndata: a\nfoo: b\n\n", [
      ["message", "a"],
    ]],
    ["names that only begin alike", "dataset: a\nevents: b\n\n", []],
    ["case counts", "Data: a\nDATA: b\n\n", []],
    ["colon in the data", "data: a: b\n\n", [["message", "a: b"]]],
    ["empty lines", "\n\n\n\r\n\r\ndata: a\n\n\n", [["message", "a"]]],
    ["the last name counts", "event: a\nevent: b\ndata: c\n\n", [["b", "c"]]],
    ["an open event does not count", "data: a\n\ndata: b\n", [
      ["message", "a"],
    ]],
    ["a name ends with its event", "event: x\ndata: a\n\ndata: b\n\n", [
      ["x", "a"],
      ["message", "b"],
    ]],
  ];
  for (const [name, stream, events] of rows) {
    await t.step(name, () => deepStrictEqual(scan(stream), events));
    await t.step(`${name}, byte by byte`, () => {
      const whole = bytes(stream);
      const cuts = Array.from(whole, (_, index) => index);
      deepStrictEqual(scanCut(whole, cuts, new SseScanner()), events);
    });
  }
});

const line = fc.oneof(
  fc.constantFrom(
    "",
    "",
    "data: a",
    "data:",
    "data",
    "data: é🦊\u2028",
    "event: message_start",
    "event: ping",
    "event:",
    ": comment",
    "id: 4",
    "\ufeffdata: mark",
    `data: ${"x".repeat(70)}`,
  ),
  fc.string({ maxLength: 10 }).map((text) => text.replace(/[\r\n]/g, "")),
);
const stream = fc.array(
  fc.tuple(line, fc.constantFrom("\n", "\r", "\r\n", "\n\n")),
  { maxLength: 20 },
).map((lines) => bytes(lines.flat().join("")));
const cuts = fc.array(fc.nat(), { maxLength: 12 });

Deno.test("SseScanner finds the same events wherever the chunks are cut", () => {
  const options = fc.constantFrom(
    {},
    { wanted: ["message_start", "message"] },
    { wanted: ["ping"] },
    { eventBytesMax: 40 },
    { eventBytesMax: 8, wanted: ["ping", "message"] },
  );
  fc.assert(
    fc.property(stream, cuts, options, (stream, cuts, options) => {
      const whole = plain(new SseScanner(options).push(stream));
      deepStrictEqual(scanCut(stream, cuts, new SseScanner(options)), whole);
    }),
    { numRuns: trials(5_000, 200_000) },
  );
});

/** The standard's algorithm on a decoded string, the slow and obvious way. */
function reference(stream: Uint8Array): Plain[] {
  const text = new TextDecoder().decode(stream);
  const lines = text.split(/\r\n|\r|\n/).slice(0, -1);
  const events: Plain[] = [];
  let name = "";
  let data: string[] = [];
  for (const line of lines) {
    if (line === "") {
      if (data.length > 0) events.push([name || "message", data.join("\n")]);
      name = "";
      data = [];
      continue;
    }
    const [, field = "", value = ""] = /^([^:]*)(?:: ?([^]*))?$/.exec(line) ??
      [];
    if (field === "data") data.push(value);
    if (field === "event") name = value;
  }
  return events;
}

Deno.test("SseScanner finds the events that the standard finds", () => {
  fc.assert(
    fc.property(stream, (stream) => {
      deepStrictEqual(plain(new SseScanner().push(stream)), reference(stream));
    }),
    { numRuns: trials(2_000, 50_000) },
  );
});

Deno.test("SseScanner reports wanted events as it reports all events", () => {
  // Names come before their data here, as every server sends them.
  const named = fc.array(
    fc.tuple(fc.constantFrom("a", "b", ""), fc.string({ maxLength: 8 })),
    { maxLength: 10 },
  ).map((events) =>
    bytes(
      events.map(([name, data]) =>
        `${name === "" ? "" : `event: ${name}\n`}data: ${
          data.replace(/[\r\n]/g, "")
        }\n\n`
      ).join(""),
    )
  );
  fc.assert(fc.property(named, cuts, (stream, cuts) => {
    for (const wanted of [["a"], ["a", "message"], ["b"], []]) {
      deepStrictEqual(
        scanCut(stream, cuts, new SseScanner({ wanted })),
        reference(stream).filter(([event]) => wanted.includes(event)),
      );
    }
  }));
});

Deno.test("SseScanner skips what is too long and goes on", () => {
  const scanner = new SseScanner({ eventBytesMax: 20 });
  const long = `data: ${"x".repeat(100)}\n\n`;
  const many = "data: 123456\n".repeat(4) + "\n";
  const stream = bytes(`data: a\n\n${long}data: b\n\n${many}data: c\n\n`);
  const expected: Plain[] = ["a", "b", "c"].map((data) => ["message", data]);
  deepStrictEqual(plain(scanner.push(stream)), expected);

  const endless = new SseScanner({ eventBytesMax: 1_000 });
  for (let pushed = 0; pushed < 10_000; pushed++) {
    strictEqual(endless.push(bytes("x".repeat(1_000))).length, 0);
  }
  deepStrictEqual(plain(endless.push(bytes("\n\ndata: a\n\n"))), [
    ["message", "a"],
  ]);
  const empty = new SseScanner();
  strictEqual(empty.push(bytes("data\n".repeat(100_000) + "\n")).length, 0);
  strictEqual(empty.push(bytes("data: a\n\n")).length, 1);
});

Deno.test("SseScanner reads a line of a megabyte byte by byte in linear time", () => {
  const scanner = new SseScanner();
  const whole = bytes(`data: ${"x".repeat(500_000)}\n\n`);
  let events = 0;
  for (let at = 0; at < whole.length; at++) {
    events += scanner.push(whole.subarray(at, at + 1)).length;
  }
  strictEqual(events, 1);
  ok(scanner.push(new Uint8Array(0)).length === 0);
});
