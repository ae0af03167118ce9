import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { framingFor } from "../../src/http/framing.ts";
import { type BodyEnd, ProtocolError } from "../../src/http/head.ts";
import { trials } from "../fixtures/trials.ts";

interface Decoded {
  readonly body: string;
  readonly isDone: boolean;
  readonly consumedBytes: number;
}

/** Feeds `pieces` one after the other, each from a buffer of its own. */
function decode(bodyEnd: BodyEnd, pieces: readonly string[]): Decoded {
  const framing = framingFor(bodyEnd);
  let body = "";
  let consumedBytes = 0;
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, "latin1");
    const taken = framing.take(bytes);
    body += Buffer.from(taken).toString("latin1");
    consumedBytes += framing.consumedBytes;
    const rest = piece.slice(framing.consumedBytes);
    const untouched = bytes.subarray(framing.consumedBytes).toString("latin1");
    strictEqual(untouched, rest, "what follows the message is left alone");
  }
  return { body, isDone: framing.isDone, consumedBytes };
}

/** `text` cut before each of `borders`. */
function cut(text: string, borders: readonly number[]): string[] {
  const sorted = [...new Set(borders)].filter((at) =>
    at > 0 && at < text.length
  )
    .sort((a, b) => a - b);
  return [0, ...sorted].map((at, i) => text.slice(at, sorted[i]));
}

/**
 * Another way to the same answer: the grammar of RFC 9112 7.1 on the whole
 * text. Null when the text does not begin with a whole chunked body.
 */
function reference(
  text: string,
): { readonly body: string; readonly length: number } | null {
  const chunk = /([0-9a-f]{1,13})(?:;[\t -~\x80-\xff]*)?\r\n/iy;
  const trailers =
    /(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*\r\n/y;
  let body = "";
  let at = 0;
  for (;;) {
    chunk.lastIndex = at;
    const match = chunk.exec(text);
    if (match === null) return null;
    const size = parseInt(match[1] ?? "", 16);
    at = chunk.lastIndex;
    if (size === 0) break;
    if (text.slice(at + size, at + size + 2) !== "\r\n") return null;
    body += text.slice(at, at + size);
    at += size + 2;
  }
  trailers.lastIndex = at;
  if (!trailers.test(text)) return null;
  return { body, length: trailers.lastIndex };
}

function latin1(maxLength: number): fc.Arbitrary<string> {
  return fc.uint8Array({ maxLength })
    .map((bytes) => Buffer.from(bytes).toString("latin1"));
}

const EXTENSION = fc.constantFrom("", "", ";a", ";name=value", ';q="a b;\\""');

function chunkText(data: string, extension: string): string {
  return `${data.length.toString(16)}${extension}\r\n${data}\r\n`;
}

const CHUNKED_TEXT = fc.record({
  chunks: fc.array(
    fc.tuple(latin1(40).filter((data) => data !== ""), EXTENSION),
    { maxLength: 6 },
  ),
  last: fc.constantFrom("0", "000", "0;end=1"),
  trailers: fc.constantFrom("", "x-sum: 1\r\n", "a: b\r\nc: \xe9\r\n"),
}).map(({ chunks, last, trailers }) => ({
  body: chunks.map(([data]) => data).join(""),
  text: chunks.map(([data, extension]) => chunkText(data, extension)).join("") +
    `${last}\r\n${trailers}\r\n`,
}));

const BORDERS = fc.array(fc.nat({ max: 300 }), { maxLength: 12 });
const CHUNKED: BodyEnd = { kind: "chunked" };

Deno.test("framingFor() removes the chunk framing, wherever reads are cut", () => {
  fc.assert(
    fc.property(
      CHUNKED_TEXT,
      latin1(20),
      BORDERS,
      (message, after, borders) => {
        const { text, body } = message;
        const pieces = cut(text + after, borders);
        const decoded = decode(CHUNKED, pieces);
        deepStrictEqual(decoded, {
          body,
          isDone: true,
          consumedBytes: text.length,
        });
      },
    ),
    { numRuns: trials(500, 50_000) },
  );
});

Deno.test("framingFor() reads the same bytes at every cut and byte by byte", () => {
  const text = `5;x="1"\r\nhello\r\n1\r\n\n\r\nA\r\n0\r\n\r\n0\r\n\r\n\r\n` +
    `0;last\r\nx-trailer: 1\r\n\r\n`;
  const body = "hello\n0\r\n\r\n0\r\n\r\n";
  const want = { body, isDone: true, consumedBytes: text.length };
  for (let at = 1; at < text.length; at++) {
    deepStrictEqual(decode(CHUNKED, cut(text, [at])), want, `cut at ${at}`);
  }
  deepStrictEqual(decode(CHUNKED, [...text]), want);
});

Deno.test("framingFor() is not done before the last byte of a chunked body", () => {
  const text = `3\r\nabc\r\n0\r\nx: 1\r\n\r\n`;
  for (let length = 0; length < text.length; length++) {
    strictEqual(decode(CHUNKED, [text.slice(0, length)]).isDone, false);
  }
});

/** What a decoder that meets `text` in `pieces` makes of it. */
function outcome(pieces: readonly string[]): Decoded | "refused" {
  try {
    return decode(CHUNKED, pieces);
  } catch (error) {
    ok(error instanceof ProtocolError);
    return "refused";
  }
}

const MUTATION = fc.record({
  at: fc.nat({ max: 200 }),
  kind: fc.constantFrom("replace", "insert", "drop"),
  text: fc.constantFrom("\r", "\n", "\r\n", "0", "f", "g", ";", " ", "\0", "-"),
});

Deno.test("framingFor() agrees with the grammar on damaged bodies", () => {
  let refused = 0;
  let done = 0;
  fc.assert(
    fc.property(
      CHUNKED_TEXT,
      fc.array(MUTATION, { minLength: 1, maxLength: 3 }),
      BORDERS,
      (message, mutations, borders) => {
        let text = message.text;
        for (const { at, kind, text: word } of mutations) {
          const place = at % text.length;
          const skipped = kind === "insert" ? 0 : 1;
          const put = kind === "drop" ? "" : word;
          text = text.slice(0, place) + put + text.slice(place + skipped);
        }
        const want = reference(text);
        const whole = outcome([text]);
        const isDone = whole !== "refused" && whole.isDone;
        strictEqual(isDone, want !== null, JSON.stringify(text));
        if (whole === "refused") refused++;
        else if (whole.isDone) {
          done++;
          strictEqual(whole.body, want?.body);
          strictEqual(whole.consumedBytes, want?.length);
        }
        // The same bytes in other pieces: the same end.
        deepStrictEqual(outcome(cut(text, borders)), whole);
      },
    ),
    { numRuns: trials(1_000, 100_000) },
  );
  ok(refused > 0 && done > 0, `refused ${refused}, done ${done}`);
});

Deno.test("framingFor() refuses what is not a chunk", () => {
  const bad = [
    "\r\n",
    "-1\r\n",
    "+1\r\na\r\n",
    "0x1\r\na\r\n",
    " 1\r\na\r\n",
    "1 \r\na\r\n",
    "1\na\r\n",
    "1\r\nab\r\n",
    "2\r\na\r\n0\r\n\r\n",
    "1\r\na\n0\r\n\r\n",
    "1\r\na\r0\r\n\r\n",
    "g\r\n",
    ";x\r\n",
    "1;a\nb\r\na\r\n",
    "1;\0\r\na\r\n",
    "1\r\na\r\n\r\n",
    "10000000000000\r\n",
    "0\r\nx: \0\r\n\r\n",
    "0\r\nx: 1\n\r\n",
    "0\r\n\n",
  ];
  for (const text of bad) {
    throws(() => decode(CHUNKED, [text]), ProtocolError, JSON.stringify(text));
    throws(() => decode(CHUNKED, [...text]), ProtocolError);
  }
});

Deno.test("framingFor() limits extensions and trailers, and not the body", () => {
  const long = "x".repeat(70_000);
  throws(() => decode(CHUNKED, [`1;${long}\r\n`]), ProtocolError);
  throws(() => decode(CHUNKED, [`0\r\n${long}`]), ProtocolError);
  const many = "1;abcdefghij\r\na\r\n".repeat(10_000);
  strictEqual(decode(CHUNKED, [many]).body.length, 10_000);
});

Deno.test("framingFor() counts a length down to its last byte", () => {
  fc.assert(
    fc.property(latin1(200), latin1(20), BORDERS, (body, after, borders) => {
      const bodyEnd: BodyEnd = { kind: "length", bytes: body.length };
      deepStrictEqual(decode(bodyEnd, cut(body + after, borders)), {
        body,
        isDone: true,
        consumedBytes: body.length,
      });
    }),
    { numRuns: trials(200, 10_000) },
  );
  deepStrictEqual(decode({ kind: "length", bytes: 5 }, ["abc"]), {
    body: "abc",
    isDone: false,
    consumedBytes: 3,
  });
});

Deno.test("framingFor() ends a body without bytes at once, and an unbounded one never", () => {
  const none = framingFor({ kind: "none" });
  strictEqual(none.isDone, true);
  strictEqual(none.take(Buffer.from("x")).length, 0);
  strictEqual(none.consumedBytes, 0);
  strictEqual(none.endsByClose, false);
  const close = framingFor({ kind: "close" });
  strictEqual(close.take(Buffer.from("abc")).length, 3);
  strictEqual(close.isDone, false);
  strictEqual(close.endsByClose, true);
});
