/**
 * The data plane: writes the head of an HTTP/1.1 request. What could end a line
 * early is refused before anything is sent (RFC 9112 11.1).
 *
 * @module
 */

import type { BodyStream, HeaderList } from "../ports.ts";

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** No control character but the tab; one character is one byte. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const TARGET = /^\/[\x21-\x7e\x80-\xff]*$/;
/** Methods whose request says so when it has no body (RFC 9110 8.6). */
const METHODS_WITH_BODY = ["POST", "PUT", "PATCH"];

/** A request that cannot be written as one HTTP/1.1 message. */
export class RequestError extends Error {}

export interface RequestParts {
  readonly method: string;
  /** Path and query, from the slash on. */
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array | null;
  readonly upload?: BodyStream | null;
}

/**
 * The head as text in which one character is one byte, blank line included:
 * `host` first, the headers as given, `content-length` last. Throws
 * RequestError and names the header, never its value.
 */
export function requestHead(parts: RequestParts, host: string): string {
  const { method, target, headers, body, upload = null } = parts;
  if (!TOKEN.test(method)) throw new RequestError("the method is no token");
  if (!TARGET.test(target)) {
    throw new RequestError(
      "the target is not a path, or holds a space or control character",
    );
  }
  let head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n`;
  for (const [name, value] of headers) {
    if (!TOKEN.test(name)) {
      throw new RequestError("a header has no proper name");
    }
    if (!VALUE.test(value)) {
      throw new RequestError(`the value of ${name} holds a control character`);
    }
    if (isFraming(name)) {
      throw new RequestError(`${name} is for the connection to write`);
    }
    head += `${name}: ${value}\r\n`;
  }
  if (upload !== null && upload.statedBytes === null) {
    return `${head}Transfer-Encoding: chunked\r\n\r\n`;
  }
  const bodyBytes = upload?.statedBytes ?? body?.length ?? 0;
  if (bodyBytes > 0 || METHODS_WITH_BODY.includes(method)) {
    head += `Content-Length: ${bodyBytes}\r\n`;
  }
  return head + "\r\n";
}

/** Whether a header named so would change where the message ends or goes. */
function isFraming(name: string): boolean {
  switch (name.length) {
    case "host".length:
      return name.toLowerCase() === "host";
    case "upgrade".length:
      return name.toLowerCase() === "upgrade";
    case "connection".length:
      return name.toLowerCase() === "connection";
    case "content-length".length:
      return name.toLowerCase() === "content-length";
    case "transfer-encoding".length:
      return name.toLowerCase() === "transfer-encoding";
    default:
      return false;
  }
}
