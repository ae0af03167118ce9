/**
 * What an orchestrator of agents keeps beside Claude Code: the registry of
 * sessions, the issue that each is pinned to, and whether a tool runs. All of
 * it is optional and written by other programs.
 *
 * @module
 */

import { join } from "node:path";
import {
  asObject,
  asText,
  asTime,
  readJson,
  readText,
} from "../claude_file.ts";

/** One row of `state/sessions.json`. */
interface RegistryRow {
  /** As written: `cc-<uuid>`. It also names the folder of its pin. */
  readonly sid: string;
  /** The id that the session sends with its requests. */
  readonly sessionId: string;
  readonly emoji: string | null;
  readonly intent: string | null;
  readonly pinnedIssue: string | null;
  readonly startedAt: number | null;
}

/** `state/sessions/<sid>/pin.json`. */
export interface Pin {
  readonly identifier: string | null;
  readonly issueId: string | null;
  readonly parentId: string | null;
  readonly title: string | null;
  readonly status: string | null;
  readonly assigneeUserId: string | null;
}

/** A session's id ends its name in the registry. */
const UUID_AT_END =
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A name that leads out of the folder is not a session's. */
const SID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

const ROWS_MAX = 2_000;

/** How long a tool's mark counts. */
const TOOL_FRESH_MS = 120_000;

/** Reads the registry; empty if there is none. */
export async function readRegistry(
  claudeFolder: string,
): Promise<readonly RegistryRow[]> {
  const value = await readJson(join(claudeFolder, "state", "sessions.json"));
  const list = Array.isArray(value) ? value : asObject(value)?.["sessions"];
  if (!Array.isArray(list)) return [];
  const rows: RegistryRow[] = [];
  for (const item of list.slice(0, ROWS_MAX)) {
    const row = registryRow(item);
    if (row !== null) rows.push(row);
  }
  return rows;
}

function registryRow(value: unknown): RegistryRow | null {
  const row = asObject(value);
  const sid = asText(row?.["sid"]);
  if (row === null || sid === null || !SID.test(sid)) return null;
  return {
    sid,
    sessionId: UUID_AT_END.exec(sid)?.[0] ?? sid.replace(/^cc-/, ""),
    emoji: asText(row["emoji"]),
    intent: asText(row["intent"]),
    pinnedIssue: asText(row["pinned_issue"]),
    startedAt: asTime(row["started"]),
  };
}

/** Returns where each session of the registry may have its own folder. */
export function stateFolder(claudeFolder: string): string {
  return join(claudeFolder, "state", "sessions");
}

/** Returns the session's pinned issue, or null. */
export async function readPin(
  claudeFolder: string,
  sid: string,
): Promise<Pin | null> {
  const file = join(stateFolder(claudeFolder), sid, "pin.json");
  const pin = asObject(await readJson(file));
  if (pin === null) return null;
  return {
    identifier: asText(pin["identifier"]),
    issueId: asText(pin["issueId"]),
    parentId: asText(pin["parentId"]),
    title: asText(pin["title"]),
    status: asText(pin["status"]),
    assigneeUserId: asText(pin["assigneeUserId"]),
  };
}

/** Returns when the tool that runs now was started; null if none runs. */
export async function readToolMark(
  claudeFolder: string,
  sid: string,
): Promise<number | null> {
  const file = join(stateFolder(claudeFolder), sid, "tool-inflight");
  const [first = ""] = (await readText(file) ?? "").trim().split(/\s+/);
  return /^\d+(\.\d+)?$/.test(first) ? Number(first) * 1_000 : null;
}

/** Returns whether a mark of `startedAt` says that a tool runs at `now`. */
export function isToolRunning(startedAt: number | null, now: number): boolean {
  return startedAt !== null && now - startedAt < TOOL_FRESH_MS;
}
