/**
 * Idle five-hour windows: a clock that runs while nobody works is lost, one
 * that stands when work begins is lost too. A small request starts it.
 *
 * @module
 */

import { tierWeight } from "../account.ts";
import type { Question } from "./question.ts";
import type { Scene, View } from "./scene.ts";
import { MINUTE_MS } from "../time.ts";

/** A request up to this size costs nothing worth counting. */
const SMALL_TOKENS = 8_000;

/** A person is at work if a prompt came within this time. */
const AT_WORK_MS = 10 * MINUTE_MS;

/** An account asked this lately has been opened, whatever its figures say yet. */
const JUST_USED_MS = 10 * MINUTE_MS;

/**
 * The idle account whose clock this small request should start, or null. Only
 * real requests are used, and only while a person is at work.
 */
export function toOpen(question: Question): View | null {
  const { scene } = question;
  const { query, settings, snapshot, at } = scene;
  if (settings.openWindows === "off") return null;
  if (!query.isSide || !query.isMetered) return null;
  if (query.contextTokens > SMALL_TOKENS) return null;
  if (snapshot.pin !== null || query.only !== null) return null;
  const isAtWork = query.isPrompt || snapshot.lastPromptAt !== null &&
      at - snapshot.lastPromptAt <= AT_WORK_MS;
  if (!isAtWork) return null;
  let chosen: View | null = null;
  for (const view of scene.open) {
    if (!isIdle(view, scene) || question.roomOf(view).cold < 1) continue;
    if (chosen === null || worth(view) > worth(chosen)) chosen = view;
    else if (worth(view) === worth(chosen) && view.id < chosen.id) {
      chosen = view;
    }
  }
  return chosen;
}

function isIdle({ state, rank, fiveHour }: View, { at }: Scene): boolean {
  const isLately = state.lastUsedAt !== null &&
    at - state.lastUsedAt < JUST_USED_MS;
  return rank === 0 && fiveHour === null && state.leases === 0 && !isLately;
}

/** What an open window of it would hold, against the others. */
function worth({ state, weekUsed }: View): number {
  return tierWeight(state.account.tier) * (1 - weekUsed);
}
