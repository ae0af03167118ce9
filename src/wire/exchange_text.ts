/**
 * A whole exchange as text, for a person who looks for a fault. Credentials are
 * masked completely; bodies are included only on request.
 *
 * @module
 */

import { inert } from "../core/plain_text.ts";
import type { AccountId } from "../core/account.ts";
import type { ExchangeRecord, HeaderList, Secret } from "../ports.ts";
import { headerValue } from "./header_list.ts";

/** The first line of each file; tc deletes no file without it. */
export const EXCHANGE_MARK = "tc exchange v1";

/** What the text includes. */
interface ExchangeTextOptions {
  readonly hasBodies: boolean;
  readonly bodyBytesMax: number;
  /** The local key, which a client may send in any header. */
  readonly localKey: Secret;
  /** Returns the name of an account. */
  readonly labelOf: (id: AccountId) => string;
}

/** Names of lines whose value may be a secret, whatever it looks like. */
const SECRET_NAME =
  /auth|cookie|token|secret|password|(?:api|session|tc)-?key/i;
/** Names of counts and times that only look like secrets. */
const PLAIN_NAME = /^anthropic-(ratelimit|fast|input|output)-|^x-ratelimit-/i;
const SECRET_QUERY = /([?&][^=&]*(?:key|token|secret|code|auth)[^=&]*=)[^&]*/gi;
/** A key or token inside a value that should have none. */
const SECRET_VALUE = /\b(sk-ant-[A-Za-z0-9_-]{6})[A-Za-z0-9_-]+/g;

/** Returns the text of an exchange. */
export function exchangeText(
  exchange: ExchangeRecord,
  options: ExchangeTextOptions,
): string {
  const { record, answer } = exchange;
  const lines = [
    EXCHANGE_MARK,
    `id: ${record.id}`,
    `started: ${new Date(record.startedAt).toISOString()}`,
    `took: ${Math.round(record.durationMs)} ms, waited ${
      Math.round(record.waitedMs)
    } ms, first byte ${
      record.firstByteMs === null ? "-" : Math.round(record.firstByteMs)
    } ms`,
    `end: ${record.end}, status ${record.status}`,
    `account: ${
      record.accountId === null ? "-" : options.labelOf(record.accountId)
    }, reason ${record.reason}, policy ${record.policy}`,
    ...record.attempts.map(({ accountId, verdict, status }) =>
      `attempt: ${options.labelOf(accountId)} ${status ?? "-"} ${verdict}`
    ),
    ...usageLine(exchange),
    "",
    `${record.method} ${exchange.target.replace(SECRET_QUERY, "$1[secret]")}`,
    ...headerLines(exchange.requestHeaders),
    "",
    ...bodyLines(
      [exchange.requestBody],
      headerValue(exchange.requestHeaders, "content-encoding"),
      options,
    ),
  ];
  if (answer === null) lines.push("", "answered by tc itself");
  else {
    lines.push(
      "",
      `answer ${record.status}`,
      ...headerLines(answer.headers),
      "",
      ...bodyLines(
        answer.body ?? [],
        headerValue(answer.headers, "content-encoding"),
        options,
      ),
    );
  }
  return `${lines.join("\n")}\n`
    .replaceAll(options.localKey.reveal(), "[local key]");
}

function usageLine({ record: { usage } }: ExchangeRecord): readonly string[] {
  if (usage === null) return [];
  return [
    `tokens: input ${usage.input}, read ${usage.cacheRead}, written 5m ${usage.cacheWrite5m}, 1h ${usage.cacheWrite1h}, output ${usage.output}`,
  ];
}

function headerLines(headers: HeaderList): readonly string[] {
  return headers.map(([name, value]) => {
    const isSecret = SECRET_NAME.test(name) && !PLAIN_NAME.test(name);
    return `${name}: ${isSecret ? "[secret]" : headerText(value)}`;
  });
}

/** Returns a value as one line without keys. */
function headerText(value: string): string {
  return inert(value, "?").replace(SECRET_VALUE, "$1[secret]");
}

function bodyLines(
  chunks: readonly Uint8Array[],
  encoding: string | null,
  { hasBodies, bodyBytesMax }: ExchangeTextOptions,
): readonly string[] {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  if (!hasBodies) return [];
  if (length === 0) return ["(no body)"];
  const bytes = new Uint8Array(Math.min(length, bodyBytesMax));
  let at = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, bytes.length - at);
    bytes.set(part, at);
    at += part.length;
  }
  const cut = length > bytes.length ? `, the first ${bytes.length}` : "";
  if (encoding !== null && encoding !== "identity") {
    return [`(${length} bytes of ${encoding}${cut}, base64)`, bytes.toBase64()];
  }
  const text = new TextDecoder().decode(bytes);
  return [`(${length} bytes${cut})`, text.replace(SECRET_VALUE, "$1[secret]")];
}
