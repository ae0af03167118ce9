/**
 * `route()`: a snapshot and a query in, a decision with its reasons out.
 *
 * @module
 */

import type { Account } from "../account.ts";
import type { RouteDecision, RouteQuery } from "./decision.ts";
import type { Bar } from "./eligible.ts";
import { explained } from "./explain.ts";
import { lastResort } from "./last_resort.ts";
import { opening, placing } from "./placing.ts";
import { Question } from "./question.ts";
import { survey } from "./scene.ts";
import type { PoolSnapshot } from "../pool/state.ts";
import { awaitingHome, named, staying } from "./staying.ts";

export type {
  Considered,
  RefuseReason,
  RouteDecision,
  RouteQuery,
  UseReason,
} from "./decision.ts";
export type { WaitReason } from "../pool/state.ts";

/** Where the request goes now, or why it must wait or cannot go at all. */
export function route(
  snapshot: PoolSnapshot,
  query: RouteQuery,
): RouteDecision {
  const scene = survey(snapshot, query);
  if (scene.views.length === 0) {
    return { kind: "refuse", reason: "no_account", considered: [] };
  }
  const question = new Question(scene);
  const outcome = named(question) ?? staying(question) ??
    awaitingHome(question) ?? opening(question) ?? placing(question) ??
    lastResort(question);
  return explained(question, outcome);
}

/**
 * The reason against `account` for the query, as {@linkcode route} sees it, or
 * null where there is none. A trial of a closed account has its reason still.
 */
export function ineligibility(
  snapshot: PoolSnapshot,
  account: Account,
  query: RouteQuery,
): Bar | null {
  const { considered } = route(snapshot, query);
  const found = considered.find(({ accountId }) => accountId === account.id);
  return found === undefined || found.ineligible === null
    ? null
    : { reason: found.ineligible, until: found.until };
}
