/**
 * What routing needs to know about a request, read from its headers and, in one
 * walk, from the bytes of its body, which are neither parsed nor changed.
 *
 * @module
 */

import type { SessionId } from "../../core/account.ts";
import { PLAIN_TERMS, type PriceTerms } from "../../core/pricing.ts";
import type { HeaderList } from "../../ports.ts";
import { asIdentifier, headerIdentifier, headerValue } from "../header_list.ts";
import { isHoldTarget } from "./target.ts";
import { BROKEN } from "./byte_walk.ts";
import { JsonSource, type StringWatch } from "./json_source.ts";
import {
  isArrayAt,
  isKey,
  isObjectAt,
  isStringAt,
  memberAt,
  memberValueAt,
  scalarAt,
  shortTextAt,
  skipSpace,
  startsWithAt,
  stringEnd,
  valueEnd,
  walkArray,
  walkObject,
} from "./json.ts";
import { markOf, TextDigest } from "./history_scan.ts";
import {
  beginningWith,
  NO_CONTENT,
  scanContent,
  scanTurns,
  type TextSpan,
  type Turns,
} from "./message_scan.ts";

/** A shorter `data` string is not a picture. */
const MEDIA_BYTES_MIN = 1_024;

/**
 * A cache mark has a few dozen bytes. Without a limit, marks nested in marks
 * would be walked over and over.
 */
const MARK_BYTES_MAX = 512;

/** Notices cache marks and pictures at any depth during a walk. */
class CacheWatch implements StringWatch {
  isHour = false;
  mediaCount = 0;
  mediaBytes = 0;

  string(source: JsonSource, start: number, end: number): void {
    const { bytes } = source;
    const length = end - start;
    if (length === 6 && startsWithAt(bytes, start, '"data"')) {
      this.#data(source, memberValueAt(source, end));
    } else if (length === 15 && startsWithAt(bytes, start, '"cache_control"')) {
      this.#mark(source, memberValueAt(source, end));
    }
  }

  #data(source: JsonSource, at: number): void {
    if (at === BROKEN || !isStringAt(source, at)) return;
    const end = stringEnd(source, at);
    if (end - at < MEDIA_BYTES_MIN) return;
    this.mediaCount++;
    this.mediaBytes += end - at - 2;
  }

  #mark({ bytes }: JsonSource, at: number): void {
    if (at === BROKEN) return;
    const mark = new JsonSource(bytes.subarray(at, at + MARK_BYTES_MAX));
    if (!isObjectAt(mark, 0)) return;
    if (shortTextAt(mark, memberAt(mark, 0, "ttl")) === "1h") {
      this.isHour = true;
    }
  }
}

/** What the body of a request shows. */
interface BodyFacts {
  /** The session id in `metadata.user_id`, in its JSON or its older form. */
  readonly metadataSession: SessionId | null;
  readonly model: string | null;
  /** The model of an `advisor_…` tool, which uses the same account. */
  readonly advisorModel: string | null;
  readonly isStream: boolean;
  readonly maxTokens: number | null;
  /** What it asks for that changes its price. */
  readonly terms: PriceTerms;
  readonly hasTools: boolean;
  /**
   * A single short turn without tools, such as a title or a quota probe. It is
   * too small for a prompt cache, so that any account serves it equally well.
   */
  readonly isSide: boolean;
  /**
   * Digest of the system texts of a conversation without tools: one session may
   * have several of those. Null for side requests and for those with tools.
   */
  readonly systemDigest: string | null;
  /** The last turn is a person's words, not a tool result. */
  readonly isPrompt: boolean;
  /** It asks for the summary of its history. */
  readonly isCompaction: boolean;
  /** Its history begins with such a summary. */
  readonly isCompacted: boolean;
  /** Digest of that summary, else null: a new one means "just compacted". */
  readonly compactionDigest: string | null;
  /** A `continue` refers to a message that only its own account knows. */
  readonly thread: "none" | "create" | "continue";
  /** The message that such a `continue` refers to, or null. */
  readonly previousMessageId: string | null;
  /** The longest cache lifetime that it asks for. */
  readonly cacheTtl: "5m" | "1h";
  /**
   * Digest of the tools, the system texts and the user's first words, for
   * clients that name no session; null for others. Cache marks, which move from
   * turn to turn, do not change it.
   */
  readonly bodyDigest: string | null;
  /** The mark of its whole history; null unless it ends with a turn of the user. */
  readonly mark: string | null;
  /** Estimate by four bytes per token and 1,600 tokens per picture. */
  readonly estimatedTokens: number;
}

/** The facts of a request that is not a message. */
const NO_BODY_FACTS: BodyFacts = {
  metadataSession: null,
  model: null,
  advisorModel: null,
  isStream: false,
  maxTokens: null,
  terms: PLAIN_TERMS,
  hasTools: false,
  isSide: true,
  systemDigest: null,
  isPrompt: false,
  isCompaction: false,
  isCompacted: false,
  compactionDigest: null,
  thread: "none",
  previousMessageId: null,
  cacheTtl: "5m",
  bodyDigest: null,
  mark: null,
  estimatedTokens: 0,
};

const BYTES_PER_TOKEN = 4;
const TOKENS_PER_MEDIA = 1_600;

/** The beginning of the last user text of a compaction (claude-code-client 5). */
const COMPACTION_MARK =
  "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.";
/** The beginning of the history after it; a reminder may precede it. */
const COMPACTED_MARK =
  "This session is being continued from a previous conversation";
const COMPACTED_TEXTS_MAX = 2;

const NO_TURNS: Turns = {
  firstOfUser: null,
  last: null,
  recent: [],
  count: 0,
  end: BROKEN,
};

/** No provider caches a prompt below this many tokens. */
const SIDE_TOKENS_MAX = 4_000;

/** The start of Claude Code's billing line, which changes within a conversation. */
const BILLING_MARK = "x-anthropic-billing-header";

interface Tools {
  readonly at: number;
  readonly end: number;
  readonly count: number;
  readonly advisorModel: string | null;
}

const NO_TOOLS: Tools = {
  at: BROKEN,
  end: BROKEN,
  count: 0,
  advisorModel: null,
};

const TOP_KEYS = [
  "model",
  "stream",
  "max_tokens",
  "speed",
  "inference_geo",
  "metadata",
  "thread",
  "system",
  "tools",
  "messages",
] as const;

interface TurnFacts {
  readonly facts: Pick<
    BodyFacts,
    "isPrompt" | "isCompaction" | "isCompacted" | "compactionDigest"
  >;
  /** Null without a user's turn. */
  readonly firstTexts: readonly TextSpan[] | null;
}

/** Where each part of the body begins, and the parts that were walked. */
interface Layout {
  readonly at: ReadonlyMap<string, number>;
  readonly tools: Tools;
  readonly turns: Turns;
  readonly watch: CacheWatch;
}

/**
 * Walks `body` once. Never throws; what is not found is null or false. Computes
 * the body digest only if neither `session` nor the body names a session.
 */
function scanBody(
  body: JsonSource,
  session: SessionId | null,
): BodyFacts {
  const { at, tools, turns, watch } = layOut(body);
  function of(key: (typeof TOP_KEYS)[number]): number {
    return at.get(key) ?? BROKEN;
  }
  const mediaTokens = watch.mediaCount * TOKENS_PER_MEDIA;
  const { firstTexts, facts } = turnFacts(body, turns);
  const named = metadataSession(body, of("metadata"));
  const digest = { tools, systemAt: of("system"), firstTexts };
  const estimatedTokens = mediaTokens +
    Math.ceil((body.bytes.length - watch.mediaBytes) / BYTES_PER_TOKEN);
  const isSide = tools.count === 0 && turns.count <= 1 &&
    estimatedTokens < SIDE_TOKENS_MAX;
  return {
    ...facts,
    metadataSession: named,
    model: shortTextAt(body, of("model")),
    advisorModel: tools.advisorModel,
    isStream: scalarAt(body, of("stream")) === "true",
    maxTokens: wholeNumber(scalarAt(body, of("max_tokens"))),
    terms: {
      ...PLAIN_TERMS,
      isFast: shortTextAt(body, of("speed")) === "fast",
      isUs: shortTextAt(body, of("inference_geo")) === "us",
    },
    hasTools: tools.count > 0,
    isSide,
    systemDigest: tools.count > 0 || isSide
      ? null
      : systemDigest(body, of("system")),
    thread: threadOf(body, of("thread")),
    previousMessageId: previousOf(body, of("thread")),
    cacheTtl: watch.isHour ? "1h" : "5m",
    bodyDigest: (session ?? named) === null ? bodyDigest(body, digest) : null,
    mark: markFor(body, turns),
    estimatedTokens,
  };
}

function layOut(body: JsonSource): Layout {
  const at = new Map<string, number>();
  const watch = new CacheWatch();
  let tools = NO_TOOLS;
  let turns = NO_TURNS;
  walkObject(body, skipSpace(body.bytes, 0), (keyStart, keyEnd, valueAt) => {
    watch.string(body, keyStart - 1, keyEnd + 1);
    const key = TOP_KEYS.find((name) => isKey(body, [keyStart, keyEnd], name));
    if (key !== undefined) at.set(key, valueAt);
    if (key === "tools") {
      tools = scanTools(body, valueAt, watch);
      if (isArrayAt(body, valueAt)) return tools.end;
    }
    if (key === "messages") {
      turns = NO_TURNS;
      if (isArrayAt(body, valueAt)) {
        turns = scanTurns(body, valueAt, watch);
        return turns.end;
      }
    }
    return valueEnd(body, valueAt, watch);
  });
  return { at, tools, turns, watch };
}

function scanTools(
  source: JsonSource,
  at: number,
  watch: StringWatch,
): Tools {
  let count = 0;
  let advisorModel: string | null = null;
  const end = walkArray(source, at, (itemAt) => {
    count++;
    if (!isObjectAt(source, itemAt)) return valueEnd(source, itemAt, watch);
    let typeAt = BROKEN;
    let modelAt = BROKEN;
    const itemEnd = walkObject(source, itemAt, (keyStart, keyEnd, valueAt) => {
      watch.string(source, keyStart - 1, keyEnd + 1);
      if (isKey(source, [keyStart, keyEnd], "type")) typeAt = valueAt;
      if (isKey(source, [keyStart, keyEnd], "model")) modelAt = valueAt;
      return valueEnd(source, valueAt, watch);
    });
    if (startsWithAt(source.bytes, typeAt, '"advisor_')) {
      advisorModel ??= shortTextAt(source, modelAt);
    }
    return itemEnd;
  });
  return { at, end, count, advisorModel };
}

function turnFacts(
  source: JsonSource,
  { firstOfUser, last }: Turns,
): TurnFacts {
  const first = firstOfUser?.content ?? NO_CONTENT;
  const final = last?.content ?? NO_CONTENT;
  const isUsers = last?.role === "user";
  const opening = first.texts.slice(0, COMPACTED_TEXTS_MAX);
  const summary = beginningWith(source, opening, COMPACTED_MARK);
  return {
    firstTexts: firstOfUser === null ? null : first.texts,
    facts: {
      isPrompt: isUsers && !final.hasToolResult,
      isCompaction: isUsers &&
        beginningWith(source, final.texts, COMPACTION_MARK) !== null,
      isCompacted: summary !== null,
      compactionDigest: summary === null ? null : digestOf(source, [summary]),
    },
  };
}

function metadataSession(source: JsonSource, at: number): SessionId | null {
  if (at === BROKEN || !isObjectAt(source, at)) return null;
  const userId = shortTextAt(source, memberAt(source, at, "user_id"));
  if (userId === null) return null;
  const legacy = /^user_.*_session_([A-Za-z0-9-]+)$/.exec(userId)?.[1];
  const id = asIdentifier(legacy ?? jsonSession(userId));
  return id === null ? null : id as SessionId;
}

/** Reads `{"device_id":…,"account_uuid":…,"session_id":…}`. */
function jsonSession(userId: string): string | null {
  const inner = new JsonSource(new TextEncoder().encode(userId));
  const at = skipSpace(inner.bytes, 0);
  return shortTextAt(inner, memberAt(inner, at, "session_id"));
}

function threadOf(source: JsonSource, at: number): BodyFacts["thread"] {
  if (at === BROKEN || !isObjectAt(source, at)) return "none";
  const type = shortTextAt(source, memberAt(source, at, "type"));
  if (type === "create") return "create";
  const hasPrevious = memberAt(source, at, "previous_message_id") !== BROKEN;
  return type === "continue" || hasPrevious ? "continue" : "none";
}

function previousOf(source: JsonSource, at: number): string | null {
  if (at === BROKEN || !isObjectAt(source, at)) return null;
  return shortTextAt(source, memberAt(source, at, "previous_message_id"));
}

function bodyDigest(
  source: JsonSource,
  { tools, systemAt, firstTexts }: {
    readonly tools: Tools;
    readonly systemAt: number;
    readonly firstTexts: readonly TextSpan[] | null;
  },
): string | null {
  if (firstTexts === null) return null;
  const toolSpans: readonly TextSpan[] = tools.end === BROKEN
    ? []
    : [[tools.at, tools.end]];
  const systemTexts = scanContent(source, systemAt).texts;
  return digestOf(source, [...toolSpans, ...systemTexts, ...firstTexts]);
}

function markFor(
  body: JsonSource,
  { firstOfUser, recent, last }: Turns,
): string | null {
  if (firstOfUser === null || last?.role !== "user") return null;
  return markOf(body, firstOfUser, recent);
}

function systemDigest(source: JsonSource, systemAt: number): string {
  const texts = scanContent(source, systemAt).texts;
  const billing = beginningWith(source, texts.slice(0, 1), BILLING_MARK);
  return digestOf(source, texts.filter((text) => text !== billing));
}

function digestOf(
  source: JsonSource,
  spans: readonly TextSpan[],
): string {
  const digest = new TextDigest();
  for (const [start, end] of spans) digest.add(source.bytes, start, end);
  return digest.hex();
}

function wholeNumber(text: string | null): number | null {
  if (text === null || !/^\d+$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}

/** What a request shows. Everything but the flags may be unknown. */
export interface RequestPeek extends BodyFacts {
  /** By header, Claude Code's first, else by `metadata.user_id`. */
  readonly sessionId: SessionId | null;
  /** The sub-agent that asks, constant for its life; null for the main agent. */
  readonly agentId: string | null;
  readonly parentAgentId: string | null;
  /** The values of `anthropic-beta`, in lower case, comma-separated. */
  readonly betas: string;
  /** The target without its query. */
  readonly path: string;
  /** The client's product by its User-Agent, `claude-cli`; empty if unnamed. */
  readonly client: string;
  /** How often an official SDK has sent this request before, by its own count. */
  readonly retryCount: number;
}

/** Claude Code's own, then those of tc and similar programs for other clients. */
const SESSION_HEADERS = [
  "x-claude-code-session-id",
  "x-tc-session",
  "x-maxpool-session",
  "x-teamclaude-session",
  // opencode
  "x-session-affinity",
  "x-session-id",
];

/**
 * Returns what a request shows. Only the body of `/v1/messages…` is walked.
 * Never throws: bytes that are not JSON give nulls and false. Of a repeated key
 * the last counts, as for JSON.parse; of an incomplete body what is there.
 */
export function peek(
  headers: HeaderList,
  target: string,
  body: Uint8Array,
): RequestPeek {
  const session = headerSession(headers);
  const facts = isHoldTarget(target)
    ? scanBody(new JsonSource(body), session)
    : NO_BODY_FACTS;
  return {
    ...facts,
    sessionId: session ?? facts.metadataSession,
    agentId: headerIdentifier(headers, "x-claude-code-agent-id"),
    parentAgentId: headerIdentifier(headers, "x-claude-code-parent-agent-id"),
    betas: headerValue(headers, "anthropic-beta")?.toLowerCase() ?? "",
    path: target.split("?", 1)[0] ?? target,
    client: productOf(headerValue(headers, "user-agent")),
    retryCount: retryCountOf(headerValue(headers, "x-stainless-retry-count")),
  };
}

const PRODUCT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}/;

function productOf(agent: string | null): string {
  return PRODUCT.exec(agent ?? "")?.[0].toLowerCase() ?? "";
}

function retryCountOf(text: string | null): number {
  return text !== null && /^\d{1,4}$/.test(text) ? Number(text) : 0;
}

function headerSession(headers: HeaderList): SessionId | null {
  for (const name of SESSION_HEADERS) {
    const id = headerIdentifier(headers, name);
    if (id !== null) return id as SessionId;
  }
  return null;
}
