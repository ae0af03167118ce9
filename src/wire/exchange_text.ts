/**
 * A whole exchange as text for a person who looks for a fault. Credentials are
 * masked whole; bodies are there only if they were asked for.
 *
 * @module
 */

import { inert } from "../core/plain_text.ts";
import type { AccountId } from "../core/account.ts";
import type { ExchangeRecord, HeaderList, Secret } from "../ports.ts";
import { headerValue } from "./header_list.ts";

/** The first line of each file: what lacks it is not ours to delete. */
export const EXCHANGE_MARK = "tc exchange v1";

export interface ExchangeTextOptions {
  readonly hasBodies: boolean;
  readonly bodyBytesMax: number;
  /** The local key: a client may show it in any header. */
  readonly localKey: Secret;
  /** The name of an account by its id. */
  readonly labelOf: (id: AccountId) => string;
}

/** Lines whose value may be a secret, whatever the value looks like. */
const SECRET_NAME =
  /auth|cookie|token|secret|password|(?:api|session|tc)-?key/i;
/** Counts and times that only sound like secrets. */
const PLAIN_NAME = /^anthropic-(ratelimit|fast|input|output)-|^x-ratelimit-/i;
const SECRET_QUERY = /([?&][^=&]*(?:key|token|secret|code|auth)[^=&]*=)[^&]*/gi;
/** A key or token that stands in a value where none should be. */
const SECRET_VALUE = /\b(sk-ant-[A-Za-z0-9_-]{6})[A-Za-z0-9_-]+/g;

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

/** One line, and no key in it. */
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
