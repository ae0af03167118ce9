import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  findHeadEnd,
  parseResponseHead,
  type ResponseHead,
} from "../../src/http/response.ts";
import { ProtocolError } from "../../src/http/head.ts";
import { HOSTILE_ANSWERS } from "../fixtures/hostile_heads.ts";
import { trials } from "../fixtures/trials.ts";

const HEAD_BYTES_MAX = 256 * 1024;
const HEADER_LINES_MAX = 1_000;

/** The head that `text` begins with, read from the middle of a larger buffer. */
function parse(text: string, method = "POST"): ResponseHead {
  const bytes = Buffer.from(`before${text}`, "latin1");
  const window = { from: 6, to: bytes.length };
  const end = findHeadEnd(bytes, window, 6);
  ok(end > 0, "the head is whole");
  return parseResponseHead(bytes, { from: 6, to: end }, method);
}

Deno.test("parseResponseHead() keeps order, case and repetitions", () => {
  const head = parse(
    "HTTP/1.1 200 OK\r\nB: 2\r\na:1\r\nSet-Cookie: x\r\nset-cookie: y\r\n" +
      "Content-Length: 5\r\n\r\nhello",
  );
  deepStrictEqual(head, {
    status: 200,
    headers: [
      ["B", "2"],
      ["a", "1"],
      ["Set-Cookie", "x"],
      ["set-cookie", "y"],
      ["Content-Length", "5"],
    ],
    bodyEnd: { kind: "length", bytes: 5 },
    isPersistent: true,
  });
});

Deno.test("parseResponseHead() takes a value byte for byte, without its outer blanks", () => {
  const all = Array.from(
    { length: 256 },
    (_, code) => String.fromCharCode(code),
  )
    .filter((letter) => letter >= " " && letter !== "\x7f" || letter === "\t")
    .join("");
  const { headers } = parse(
    `HTTP/1.1 200 OK\r\nx: \t |${all}| \t\r\ny:\r\n\r\n`,
  );
  deepStrictEqual(headers, [["x", `|${all}|`], ["y", ""]]);
});

Deno.test("parseResponseHead() reads status lines without a reason", () => {
  strictEqual(parse("HTTP/1.1 204\r\n\r\n").status, 204);
  strictEqual(parse("HTTP/1.1 529 \r\n\r\n").status, 529);
  strictEqual(parse("HTTP/1.1 200 Très bien\xff\r\n\r\n").status, 200);
});

Deno.test("parseResponseHead() says how the body ends", () => {
  const cases:
    readonly (readonly [text: string, method: string, kind: string])[] = [
      ["200 OK\r\ncontent-length: 3", "POST", "length"],
      ["200 OK\r\ncontent-length: 0", "POST", "length"],
      ["200 OK\r\ncontent-length: 3\r\ncontent-length: 3", "POST", "length"],
      ["200 OK\r\ntransfer-encoding: chunked", "POST", "chunked"],
      ["200 OK\r\nTransfer-Encoding: Chunked", "POST", "chunked"],
      ["200 OK", "POST", "close"],
      ["200 OK\r\ncontent-length: 3", "HEAD", "none"],
      ["200 OK\r\ntransfer-encoding: chunked", "HEAD", "none"],
      ["204 None", "POST", "none"],
      ["304 Not Modified\r\ncontent-length: 3", "GET", "none"],
      ["205 Reset\r\ncontent-length: 0", "POST", "length"],
    ];
  for (const [text, method, kind] of cases) {
    const head = parse(`HTTP/1.1 ${text}\r\n\r\n`, method);
    strictEqual(head.bodyEnd.kind, kind, `${method} ${text}`);
  }
});

Deno.test("parseResponseHead() keeps a repeated content-length once", () => {
  const { headers } = parse(
    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nContent-Length: 3\r\n\r\n",
  );
  deepStrictEqual(headers, [["content-length", "3"]]);
});

Deno.test("parseResponseHead() says whether the connection stays", () => {
  const cases: readonly (readonly [text: string, stays: boolean])[] = [
    ["1.1 200 OK", true],
    ["1.1 200 OK\r\nconnection: keep-alive", true],
    ["1.1 200 OK\r\nconnection: close", false],
    ["1.1 200 OK\r\nConnection: Close", false],
    ["1.1 200 OK\r\nconnection: x, close ,y", false],
    ["1.1 200 OK\r\nconnection: x\r\nconnection: close", false],
    ["1.1 200 OK\r\nconnection: closed", true],
    ["1.1 200 OK\r\nconnections: close", true],
    ["1.0 200 OK", false],
    ["1.0 200 OK\r\nconnection: keep-alive", true],
    ["1.0 200 OK\r\nconnection: keep-alive, close", false],
    ["1.1 204 None\r\ncontent-length: 0", true],
    ["1.1 204 None\r\ncontent-length: 5", false],
    ["1.1 204 None\r\ntransfer-encoding: chunked", false],
  ];
  for (const [text, stays] of cases) {
    const { isPersistent } = parse(`HTTP/${text}\r\n\r\n`);
    strictEqual(isPersistent, stays, text);
  }
});

Deno.test("findHeadEnd() finds the end at any cut, and looks at no byte twice", () => {
  const text = "HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 2\r\n\r\nok\r\n\r\n";
  const bytes = Buffer.from(text);
  const end = text.indexOf("\r\n\r\n") + 4;
  for (let first = 0; first <= bytes.length; first++) {
    let scanned = 0;
    let found = findHeadEnd(bytes, { from: 0, to: first }, 0);
    strictEqual(found, first >= end ? end : -1, `cut at ${first}`);
    scanned = first;
    if (found < 0) {
      found = findHeadEnd(bytes, { from: 0, to: bytes.length }, scanned);
      strictEqual(found, end, `from ${first} on`);
    }
  }
});

Deno.test("findHeadEnd() refuses what is not HTTP/1 at its first wrong byte", () => {
  const bytes = Buffer.from("HTTP/1.1");
  for (let length = 0; length <= bytes.length; length++) {
    strictEqual(findHeadEnd(bytes, { from: 0, to: length }, 0), -1);
  }
  for (let at = 0; at < 7; at++) {
    const wrong = Buffer.from(bytes);
    wrong[at] = 0x78;
    throws(() => findHeadEnd(wrong, { from: 0, to: at + 1 }, 0), ProtocolError);
    strictEqual(findHeadEnd(wrong, { from: 0, to: at }, 0), -1);
  }
});

Deno.test("findHeadEnd() limits the head", () => {
  const bytes = Buffer.alloc(HEAD_BYTES_MAX + 1, "a");
  bytes.write("HTTP/1.1 200 OK\r\n");
  const under = { from: 0, to: HEAD_BYTES_MAX - 1 };
  strictEqual(findHeadEnd(bytes, under, 0), -1);
  const at = { from: 0, to: HEAD_BYTES_MAX };
  throws(() => findHeadEnd(bytes, at, 0), ProtocolError);
});

Deno.test("parseResponseHead() limits the number of lines", () => {
  function lines(count: number): string {
    return `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(count)}\r\n`;
  }
  strictEqual(parse(lines(HEADER_LINES_MAX)).headers.length, HEADER_LINES_MAX);
  throws(() => parse(lines(HEADER_LINES_MAX + 1)), ProtocolError);
});

Deno.test("parseResponseHead() and findHeadEnd() refuse every hostile head", () => {
  ok(HOSTILE_ANSWERS.length >= 300, `${HOSTILE_ANSWERS.length} heads`);
  for (const { group, text } of HOSTILE_ANSWERS) {
    if (group === "sizes") continue; // Limits of the exchange, tested with it.
    const label = `${group}: ${JSON.stringify(text).slice(0, 80)}`;
    throws(() => parse(text), ProtocolError, label);
  }
});

/** Names and values as any upstream may send them. */
const LINE = fc.tuple(
  fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/)
    .filter((name) =>
      !["content-length", "transfer-encoding", "connection"]
        .includes(name.toLowerCase())
    ),
  fc.stringMatching(
    /^[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,30}[\x21-\x7e\x80-\xff])?$/,
  ),
);

Deno.test("parseResponseHead() returns the parts that a head was made of", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 200, max: 599 }),
      fc.array(LINE, { maxLength: 30 }),
      (status, lines) => {
        const text = lines.map(([name, value]) => `${name}: ${value}\r\n`);
        const head = parse(`HTTP/1.1 ${status} x\r\n${text.join("")}\r\nrest`);
        strictEqual(head.status, status);
        deepStrictEqual(head.headers, lines);
      },
    ),
    { numRuns: trials(300, 20_000) },
  );
});

Deno.test("parseResponseHead() throws nothing but ProtocolError on damaged heads", () => {
  const text = "HTTP/1.1 200 OK\r\ncontent-length: 22\r\nx: \xe9\r\n" +
    "connection: close\r\n\r\n";
  const letter = fc.constantFrom(
    "\r",
    "\n",
    "\0",
    ":",
    " ",
    "\t",
    "0",
    "H",
    "\xff",
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: text.length - 1 }), letter), {
        minLength: 1,
        maxLength: 4,
      }),
      (places) => {
        let damaged = text;
        for (const [at, put] of places) {
          damaged = damaged.slice(0, at) + put + damaged.slice(at + 1);
        }
        const bytes = Buffer.from(damaged, "latin1");
        const window = { from: 0, to: bytes.length };
        try {
          const end = findHeadEnd(bytes, window, 0);
          if (end > 0) parseResponseHead(bytes, { from: 0, to: end }, "GET");
        } catch (error) {
          ok(error instanceof ProtocolError, String(error));
        }
      },
    ),
    { numRuns: trials(2_000, 100_000) },
  );
});
