/**
 * What one line of a transcript says about an answer.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { PLAIN_TERMS, type PriceTerms } from "../../core/pricing.ts";
import type { TranscriptAnswer } from "../../core/transcript.ts";
import { contextTokens, type TokenUsage } from "../../core/usage.ts";
import { asObject, asText, asTime } from "../claude_file.ts";

type Fields = Readonly<Record<string, unknown>>;

/** The client's own errors name this model. */
const NO_MODEL = "<synthetic>";

/** What the lines before say about the request. */
export interface LineFrame {
  readonly path: string;
  /** The session that the file is named after. */
  readonly session: string;
  /** When the request before this answer was sent; null is unknown. */
  readonly askedAt: number | null;
  readonly isPrompt: boolean;
  readonly isCompacted: boolean;
  /** Returns the repository that a folder belongs to. */
  readonly projectOf: (folder: string) => string;
}

/** Longer paths are not taken for folders. */
const PATH_LENGTH_MAX = 4_096;

function projectIn(entry: Fields, { projectOf }: LineFrame): string | null {
  const folder = asText(entry["cwd"]);
  return folder === null || folder.length > PATH_LENGTH_MAX
    ? null
    : projectOf(folder);
}

/**
 * Returns a line with one character for each byte (Latin-1). The names that are
 * searched for are ASCII, and decoding each line as UTF-8 costs more.
 */
export function bytesText({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString("latin1");
}

/** Returns the answer that the line states, as bytesText() has it, or null. */
export function answerIn(
  line: string,
  frame: LineFrame,
): TranscriptAnswer | null {
  const entry = parsed(withoutContent(line, line)) ?? parsed(line);
  if (entry === null) return null;
  if (asObject(asObject(entry["message"])?.["usage"]) !== null) {
    return answerOf(entry, entry, frame);
  }
  // A main transcript may repeat a sub-agent's line within its own.
  const inner = asObject(asObject(entry["data"])?.["message"]);
  return inner === null ? null : answerOf(inner, entry, frame);
}

/**
 * Returns a message's line without its content, which is most of it and says
 * nothing about tokens; null if that cannot be told. `head` and `tail` are the
 * line's beginning and end.
 */
export function withoutContent(head: string, tail: string): string | null {
  const start = head.indexOf('"content":[');
  const end = tail.lastIndexOf('],"stop_reason"');
  return start < 0 || end < 0 || head === tail && end < start
    ? null
    : `${head.slice(0, start)}"content":[${tail.slice(end)}`;
}

/**
 * Returns what two lines of one answer share if they state the same of it, so
 * that the second need not be read; null if that cannot be told.
 */
export function repeatKey(line: string): string | null {
  const message = line.indexOf('"message":{');
  const content = line.indexOf('"content":[', message);
  const rest = line.lastIndexOf('],"stop_reason"');
  const request = line.indexOf('"requestId":"', rest);
  if (message < 0 || rest < content || content < 0 || request < 0) return null;
  const isSidechain = line.slice(0, message).includes('"isSidechain":true');
  const end = line.indexOf(",", request);
  return `${isSidechain} ${line.slice(message, content)} ${
    line.slice(rest, end)
  }`;
}

// deno-lint-ignore no-control-regex
const BEYOND_ASCII = /[^\x00-\x7f]/;

/** Returns null for half a line, or one that is not Claude Code's. */
function parsed(line: string | null): Fields | null {
  if (line === null) return null;
  try {
    const text = BEYOND_ASCII.test(line)
      ? Buffer.from(line, "latin1").toString("utf8")
      : line;
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

function answerOf(
  entry: Fields,
  outer: Fields,
  frame: LineFrame,
): TranscriptAnswer | null {
  const message = asObject(entry["message"]);
  const stated = asObject(message?.["usage"]);
  const at = asTime(entry["timestamp"]);
  if (message === null || stated === null || at === null) return null;
  const usage = usageOf(stated);
  const model = asText(message["model"]);
  const isOwn = model === NO_MODEL;
  if (isOwn && contextTokens(usage) + usage.output === 0) return null;
  return {
    messageId: asText(message["id"]) ??
      `line ${asText(entry["uuid"]) ?? `${frame.path} ${at}`}`,
    requestId: asText(entry["requestId"]) ?? "",
    at,
    startedAt: startOf(at, frame.askedAt),
    session: asText(outer["sessionId"]) ?? frame.session,
    agent: asText(outer["agentId"]),
    project: projectIn(outer, frame),
    model: isOwn ? null : model,
    usage,
    terms: termsOf(stated),
    isSidechain: entry["isSidechain"] === true,
    hasSpeed: asText(stated["speed"]) !== null,
    isPrompt: frame.isPrompt,
    isCompacted: frame.isCompacted,
    path: frame.path,
  };
}

/** A request that is older was not sent for this answer. */
const REQUEST_MS_MAX = 600_000;
/** The assumed length of a request whose start no line tells. */
const USUAL_MS = 2_000;

function startOf(at: number, askedAt: number | null): number {
  return askedAt !== null && askedAt <= at && at - askedAt < REQUEST_MS_MAX
    ? askedAt
    : at - USUAL_MS;
}

function usageOf(stated: Fields): TokenUsage {
  const parts = asObject(stated["cache_creation"]);
  const short = count(parts?.["ephemeral_5m_input_tokens"]);
  const long = count(parts?.["ephemeral_1h_input_tokens"]);
  const all = stated["cache_creation_input_tokens"];
  const written = typeof all === "number" ? count(all) : short + long;
  const cacheWrite1h = Math.min(long, written);
  return {
    input: count(stated["input_tokens"]),
    cacheRead: count(stated["cache_read_input_tokens"]),
    cacheWrite5m: written - cacheWrite1h,
    cacheWrite1h,
    output: count(stated["output_tokens"]),
  };
}

function termsOf(stated: Fields): PriceTerms {
  const tools = asObject(stated["server_tool_use"]);
  const webSearches = count(tools?.["web_search_requests"]);
  const isFast = stated["speed"] === "fast";
  const isBatch = stated["service_tier"] === "batch";
  const isUs = stated["inference_geo"] === "us";
  return isFast || isBatch || isUs || webSearches > 0
    ? { isFast, isBatch, isUs, webSearches }
    : PLAIN_TERMS;
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0
    ? value
    : 0;
}
