import { strictEqual, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MessageWriter, RequestError } from "../../src/http/request.ts";

const PARTS = {
  method: "POST",
  target: "/v1/messages?beta=true",
  headers: [["b", "2"], ["A", "1"], ["b", "3"]] as const,
  body: Buffer.from("hello"),
};

/** The head that a request is sent with. */
function requestHead(
  parts: Parameters<MessageWriter["message"]>[0],
  host: string,
): string {
  const { first } = new MessageWriter().message(parts, host);
  const text = Buffer.from(first).toString("latin1");
  return text.slice(0, text.indexOf("\r\n\r\n") + 4);
}

Deno.test("requestHead() writes host first, the lines as given, the length last", () => {
  strictEqual(
    requestHead(PARTS, "api.example:8443"),
    "POST /v1/messages?beta=true HTTP/1.1\r\nHost: api.example:8443\r\n" +
      "b: 2\r\nA: 1\r\nb: 3\r\nContent-Length: 5\r\n\r\n",
  );
});

Deno.test("requestHead() states a length only where there is a body to expect", () => {
  function lengthOf(method: string, body: Uint8Array | null): string | null {
    const head = requestHead({ ...PARTS, method, body }, "h");
    return /Content-Length: (\d+)/.exec(head)?.[1] ?? null;
  }
  const empty = new Uint8Array(0);
  strictEqual(lengthOf("GET", null), null);
  strictEqual(lengthOf("GET", empty), null);
  strictEqual(lengthOf("DELETE", null), null);
  strictEqual(lengthOf("POST", null), "0");
  strictEqual(lengthOf("POST", empty), "0");
  strictEqual(lengthOf("PUT", null), "0");
  strictEqual(lengthOf("GET", new Uint8Array(7)), "7");
});

Deno.test("requestHead() leaves the target and values byte for byte", () => {
  const target = "/a//b/%7Ex/../c?q=[]|\\^`{}&r=\xe9";
  const value = '  two  spaces\tand \x80\xff; q="x"  ';
  const head = requestHead({ ...PARTS, target, headers: [["x", value]] }, "h");
  strictEqual(head.split("\r\n")[0], `POST ${target} HTTP/1.1`);
  strictEqual(head.split("\r\n")[2], `x: ${value}`);
});

const CONTROLS = [
  ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)),
  "\x7f",
  "\u0100",
  "\u560a", // its low byte is LF
  "\u560d",
  "😀",
];

Deno.test("requestHead() refuses every control character, wherever it is", () => {
  for (const control of CONTROLS) {
    const label = JSON.stringify(control);
    const name = [[`x${control}y`, "1"]] as const;
    throws(() => requestHead({ ...PARTS, headers: name }, "h"), RequestError);
    if (control !== "\t") {
      for (const value of [`${control}x`, `x${control}y`, `x${control}`]) {
        const headers = [["x", value]] as const;
        throws(
          () => requestHead({ ...PARTS, headers }, "h"),
          RequestError,
          label,
        );
      }
    }
    const target = `/a${control}b`;
    throws(() => requestHead({ ...PARTS, target }, "h"), RequestError, label);
    const method = `GE${control}T`;
    throws(() => requestHead({ ...PARTS, method }, "h"), RequestError, label);
  }
});

Deno.test("requestHead() refuses invalid names, methods and targets", () => {
  for (const name of ["", "a b", "a:", ":a", "a\xe9", "a(b)", "a,b"]) {
    const headers = [[name, "1"]] as const;
    throws(() => requestHead({ ...PARTS, headers }, "h"), RequestError, name);
  }
  for (const method of ["", "GET ", "GE T", "GET/", "é"]) {
    throws(() => requestHead({ ...PARTS, method }, "h"), RequestError, method);
  }
  for (
    const target of ["", "v1", "*", "http://evil.example/", "/a b", "//\u2028"]
  ) {
    throws(() => requestHead({ ...PARTS, target }, "h"), RequestError, target);
  }
});

Deno.test("requestHead() refuses lines that would say another end or host", () => {
  for (
    const name of [
      "Host",
      "content-length",
      "Content-Length",
      "TRANSFER-ENCODING",
      "connection",
      "Upgrade",
    ]
  ) {
    const headers = [[name, "1"]] as const;
    throws(() => requestHead({ ...PARTS, headers }, "h"), RequestError, name);
  }
});

Deno.test("requestHead() never puts a header's value into an error", () => {
  const headers = [["authorization", "Bearer sk-ant-oat01-FAKE\n"]] as const;
  throws(() => requestHead({ ...PARTS, headers }, "h"), (error: Error) => {
    strictEqual(error.message.includes("FAKE"), false);
    strictEqual(error.message.includes("authorization"), true);
    return true;
  });
});
