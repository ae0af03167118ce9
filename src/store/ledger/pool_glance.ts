/**
 * Reads the pool's state for a status line from the state database while no
 * server answers. It is as old as the last save.
 *
 * @module
 */

import type { GlanceWindow, PoolGlance } from "../../core/quota/glance.ts";
import { databasePath, openDatabase } from "./database.ts";

type Fields = Readonly<Record<string, unknown>>;

const KEYS = ["5h", "7d"];

/** Returns the glance, or null if there is nothing to show. Never throws. */
export function storedGlance(
  stateFolder: string,
  session: string | null,
  nowMs: number,
): PoolGlance | null {
  try {
    const database = openDatabase(databasePath(stateFolder), "read_only");
    try {
      const rows = database.prepare(
        "SELECT name, saved_at, value FROM memories WHERE name IN ('pool', 'labels')",
      ).all();
      const value = (name: string) =>
        rows.find((row) => row["name"] === name) ?? null;
      const pool = value("pool");
      if (pool === null) return null;
      return glanceOf(
        fields(JSON.parse(String(pool["value"]))),
        fields(JSON.parse(String(value("labels")?.["value"] ?? "{}"))),
        { session, nowMs, at: Number(pool["saved_at"]) },
      );
    } finally {
      database.close();
    }
  } catch {
    return null;
  }
}

interface Frame {
  readonly session: string | null;
  readonly nowMs: number;
  readonly at: number;
}

function glanceOf(
  pool: Fields,
  labels: Fields,
  { session, nowMs, at }: Frame,
): PoolGlance | null {
  const bound = list(pool["bindings"]).map(fields).find((binding) =>
    session !== null && binding["conversation"] === session
  );
  const id = bound?.["accountId"] ?? pool["pin"] ?? pool["primary"];
  const account = list(pool["accounts"]).map(fields)
    .find((candidate) => candidate["id"] === id);
  if (account === undefined) return null;
  const label = labels[String(id)];
  return {
    at,
    account: typeof label === "string" ? label : null,
    signInEndsAt: null,
    windows: list(account["windows"]).map(fields)
      .flatMap((window) => glanceWindow(window, nowMs)),
    capacity: null,
  };
}

/** A window past its reset says nothing any more. */
function glanceWindow(window: Fields, nowMs: number): readonly GlanceWindow[] {
  const { key, utilization, resetsAt, observedAt } = window;
  if (typeof key !== "string" || !KEYS.includes(key)) return [];
  if (typeof utilization !== "number" || typeof observedAt !== "number") {
    return [];
  }
  const end = typeof resetsAt === "number" ? resetsAt : null;
  if (end !== null && end <= nowMs) return [];
  return [{ key, utilization, resetsAt: end, observedAt }];
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? value as Fields : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
