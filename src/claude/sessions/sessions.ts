/**
 * The sessions on this machine, as the Deck shows them: Claude Code's list of
 * running clients and an orchestrator's registry, with pins, tool marks and
 * last turns. It tolerates any file content, and reads a bounded amount.
 *
 * @module
 */

import { join } from "node:path";
import {
  asObject,
  asText,
  asTime,
  readJson,
  readNames,
} from "../claude_file.ts";
import {
  isToolRunning,
  type Pin,
  readPin,
  readRegistry,
  readToolMark,
  stateFolder,
} from "./orchestration.ts";
import {
  type LastTurn,
  transcriptPaths,
  TranscriptReader,
} from "./transcript.ts";
import { MINUTE_MS, SECOND_MS } from "../../core/time.ts";

/** A session that is present by {@linkcode isPresent}. */
export interface LocalSession {
  readonly sessionId: string;
  readonly emoji: string | null;
  readonly intent: string | null;
  /** The name that Claude Code gave it, or its folder's name. */
  readonly name: string | null;
  readonly issue: string | null;
  readonly pin: Pin | null;
  readonly isToolRunning: boolean;
  readonly lastTurnAt: number | null;
}

/** Most clients read; no machine runs more sessions at once. */
const CLIENTS_MAX = 500;

interface Candidate {
  /** Name of its state folder; null without an orchestrator. */
  readonly sid: string | null;
  readonly sessionId: string;
  readonly emoji: string | null;
  readonly intent: string | null;
  readonly name: string | null;
  readonly pinnedIssue: string | null;
  readonly startedAt: number | null;
}

/** Reads the sessions repeatedly, and keeps what has not changed. */
export class SessionReader {
  readonly #folder: string;
  readonly #transcripts = new TranscriptReader();

  /** `claudeFolder` is `~/.claude`, or the folder in CLAUDE_CONFIG_DIR. */
  constructor(claudeFolder: string) {
    this.#folder = claudeFolder;
  }

  /** Returns the sessions that are present at `now`. */
  async read(now: number): Promise<readonly LocalSession[]> {
    const candidates = await this.#candidates();
    if (candidates.length === 0) return [];
    const paths = await transcriptPaths(this.#folder);
    const folders = new Set(await readNames(stateFolder(this.#folder)));
    const present: LocalSession[] = [];
    const used = new Set<string>();
    for (const candidate of candidates) {
      const own = paths.get(candidate.sessionId) ?? [];
      for (const path of own) used.add(path);
      const lastTurn = await this.#transcripts.lastTurn(own);
      // Most past sessions have no folder, so none of their files is searched.
      const { sid } = candidate;
      const known = sid !== null && folders.has(sid)
        ? candidate
        : { ...candidate, sid: null };
      const session = await this.#session(known, { lastTurn, now });
      if (session !== null) present.push(session);
    }
    this.#transcripts.keep(used);
    return present;
  }

  async #session(
    candidate: Candidate,
    { lastTurn, now }: { readonly lastTurn: LastTurn; readonly now: number },
  ): Promise<LocalSession | null> {
    const { sid, startedAt, emoji, intent, name, sessionId } = candidate;
    const mark = sid === null ? null : await readToolMark(this.#folder, sid);
    const hasTool = isToolRunning(mark, now);
    if (!isPresent({ isToolRunning: hasTool, lastTurn, startedAt }, now)) {
      return null;
    }
    const pin = sid === null ? null : await readPin(this.#folder, sid);
    return {
      sessionId,
      emoji,
      intent,
      name,
      issue: candidate.pinnedIssue ?? pin?.identifier ?? null,
      pin,
      isToolRunning: hasTool,
      lastTurnAt: lastTurn.kind === "unknown" ? null : lastTurn.at,
    };
  }

  /** The registry first; running clients add sessions that it does not know. */
  async #candidates(): Promise<readonly Candidate[]> {
    const found = new Map<string, Candidate>();
    for (const row of await readRegistry(this.#folder)) {
      found.set(row.sessionId, { ...row, name: null });
    }
    for (const client of await readClients(this.#folder)) {
      const known = found.get(client.sessionId);
      found.set(
        client.sessionId,
        known === undefined ? client : { ...known, name: client.name },
      );
    }
    return [...found.values()];
  }
}

/** Reads `sessions/<pid>.json` of the clients that run now. */
async function readClients(
  claudeFolder: string,
): Promise<readonly Candidate[]> {
  const folder = join(claudeFolder, "sessions");
  const names = (await readNames(folder))
    .filter((name) => /^\d+\.json$/.test(name))
    .slice(0, CLIENTS_MAX);
  const clients: Candidate[] = [];
  for (const name of names) {
    const client = asObject(await readJson(join(folder, name)));
    const sessionId = asText(client?.["sessionId"]);
    if (client === null || sessionId === null) continue;
    clients.push({
      sid: null,
      sessionId,
      emoji: null,
      intent: null,
      name: asText(client["name"]) ?? lastPart(asText(client["cwd"])),
      pinnedIssue: null,
      startedAt: asTime(client["startedAt"]),
    });
  }
  return clients;
}

function lastPart(path: string | null): string | null {
  return path?.split(/[\\/]/).findLast((part) => part !== "") ?? null;
}

/** A session without a turn for longer disappears from the Deck. */
const PRESENT_MS = 30 * MINUTE_MS;

/** How long a new session may be without a transcript. */
const NEW_MS = 120 * SECOND_MS;

interface PresenceFacts {
  readonly isToolRunning: boolean;
  readonly lastTurn: LastTurn;
  readonly startedAt: number | null;
}

/**
 * Returns whether a session is present, by the seed's rule: a tool runs now, or
 * the last real turn was within 30 minutes, or no turn is known and it was
 * started within 120 seconds. Process ids do not count, because the system
 * reuses them.
 */
export function isPresent(facts: PresenceFacts, now: number): boolean {
  if (facts.isToolRunning) return true;
  if (facts.lastTurn.kind !== "unknown") {
    return now - facts.lastTurn.at <= PRESENT_MS;
  }
  return facts.startedAt !== null && now - facts.startedAt <= NEW_MS;
}
