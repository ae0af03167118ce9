/**
 * What one line of a transcript says about an answer.
 *
 * @module
 */

import { PLAIN_TERMS, type PriceTerms } from "../../core/pricing.ts";
import type { TranscriptAnswer } from "../../core/transcript.ts";
import { contextTokens, type TokenUsage } from "../../core/usage.ts";
import { asObject, asText, asTime } from "../claude_file.ts";
import { Needle } from "./byte_search.ts";

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

const DECODER = new TextDecoder();

/**
 * Returns bytes of a transcript as text. This decoder is fast in every runtime;
 * that of Latin-1 took five times as long in Deno 2.7, on which some executables
 * are built.
 */
export function bytesText(bytes: Uint8Array): string {
  return DECODER.decode(bytes);
}

const MESSAGE = new Needle('"message":{');
const CONTENT = new Needle('"content":[');
const REST = new Needle('],"stop_reason"');
const REQUEST = new Needle('"requestId":"');
const SIDECHAIN = new Needle('"isSidechain":true');
const COMMA = 44;

/** Where a message's line has what is wanted; the content is passed over. */
export interface LineParts {
  readonly isSidechain: boolean;
  /** The message up to its content. */
  readonly message: number;
  readonly content: number;
  /** What follows the content. */
  readonly rest: number;
  /** Up to here, lines of one answer that state the same of it are equal. */
  readonly end: number;
}

/** Returns null if the line is not built as Claude Code builds those of answers. */
export function linePartsOf(line: Uint8Array): LineParts | null {
  const message = MESSAGE.first(line);
  if (message < 0) return null;
  const content = CONTENT.first(line, message);
  if (content < 0) return null;
  const rest = REST.last(line, content);
  if (rest < 0) return null;
  const request = REQUEST.first(line, rest);
  const isSidechain = SIDECHAIN.first(line.subarray(0, message)) >= 0;
  const end = request < 0 ? -1 : line.indexOf(COMMA, request);
  return { isSidechain, message, content, rest, end };
}

/** Returns a line without its content, which is most of it and not decoded. */
export function slimLine(line: Uint8Array, parts: LineParts): string {
  const head = bytesText(line.subarray(0, parts.content));
  return `${head}"content":[${bytesText(line.subarray(parts.rest))}`;
}

/** Returns the answer that the line states, or null. */
export function answerIn(
  line: string,
  frame: LineFrame,
): TranscriptAnswer | null {
  const entry = parsed(line);
  if (entry === null) return null;
  if (asObject(asObject(entry["message"])?.["usage"]) !== null) {
    return answerOf(entry, entry, frame);
  }
  // A main transcript may repeat a sub-agent's line within its own.
  const inner = asObject(asObject(entry["data"])?.["message"]);
  return inner === null ? null : answerOf(inner, entry, frame);
}

/**
 * Returns a long line without its content, from its beginning and its end; null
 * if that cannot be told.
 */
export function withoutContent(head: string, tail: string): string | null {
  const start = head.indexOf('"content":[');
  const end = tail.lastIndexOf('],"stop_reason"');
  return start < 0 || end < 0
    ? null
    : `${head.slice(0, start)}"content":[${tail.slice(end)}`;
}

/** Returns null for half a line, or one that is not Claude Code's. */
function parsed(line: string): Fields | null {
  try {
    return asObject(JSON.parse(line));
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
