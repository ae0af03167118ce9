/**
 * Rules by project: which accounts may serve a repository, and how they are
 * chosen. The first rule that fits a request decides; without one the whole
 * pool serves it.
 *
 * @module
 */

import type { Account } from "../account.ts";
import { nearest } from "../nearest.ts";
import type { PolicyName } from "../settings.ts";

/** One rule of the setting `routes`. */
export interface ProjectRoute {
  /**
   * The name of a repository, its path or a folder above it, or `*` for every
   * request, also those of which no project is known.
   */
  readonly project: string;
  /** Names or ids of the only accounts that may serve; null: every account. */
  readonly accounts: readonly string[] | null;
  /** How they are chosen; null: as the pool does. */
  readonly policy: PolicyName | null;
}

/** The rule for every request. */
const ANY_PROJECT = "*";

/** Returns the rule for requests of `project`, or null if none fits. */
export function routeOf(
  routes: readonly ProjectRoute[],
  project: string | null,
): ProjectRoute | null {
  if (routes.length === 0) return null;
  return routes.find((rule) => isOfProject(rule.project, project)) ?? null;
}

/** Returns whether the rule lets `account` serve. */
export function admits(
  { accounts }: ProjectRoute,
  { id, label }: Pick<Account, "id" | "label">,
): boolean {
  return accounts === null || accounts.includes(label) || accounts.includes(id);
}

/** A rule that names an account which the pool does not have. */
interface RouteFault {
  readonly text: string;
  /** Whether none of its accounts is there, so that it refuses everything. */
  readonly isDead: boolean;
}

/** Returns the rules that name accounts which are not among `accounts`. */
export function routeFaults(
  routes: readonly ProjectRoute[],
  accounts: readonly Pick<Account, "id" | "label">[],
): readonly RouteFault[] {
  return routes.flatMap((rule, index) => {
    const missing = (rule.accounts ?? []).filter((name) =>
      !accounts.some((account) =>
        admits({ ...rule, accounts: [name] }, account)
      )
    );
    if (missing.length === 0) return [];
    const isDead = missing.length === rule.accounts?.length;
    const labels = accounts.map(({ label }) => label);
    const names = missing.map((name) => named(name, labels)).join(", ");
    const what = `routes[${index}] (project ${rule.project}) names ${names}`;
    return [{
      isDead,
      text: isDead
        ? `${what}: there is no such account, so its requests are refused`
        : `${what}: there is no such account; the others serve it`,
    }];
  });
}

/** Returns the name, with the account that was probably meant. */
function named(name: string, labels: readonly string[]): string {
  const near = nearest(name, labels);
  return near === null ? name : `${name} (did you mean ${near}?)`;
}

/**
 * Whether `wanted` means the project: its name, the path of its folder, or a
 * folder above it; `*` means any.
 */
export function isOfProject(wanted: string, project: string | null): boolean {
  if (wanted === ANY_PROJECT) return true;
  if (project === null) return false;
  const path = plainPath(project);
  if (!/[\\/]/.test(wanted)) return projectName(project) === wanted;
  const folder = plainPath(wanted);
  return path === folder || path.startsWith(`${folder}/`);
}

/** Returns the name of a project: the last folder of its path. */
export function projectName(project: string): string {
  const parts = project.split(/[\\/]/).filter((part) => part !== "");
  return parts.at(-1) ?? project;
}

/** Windows writes one path in several ways. */
function plainPath(path: string): string {
  const slashed = path.replaceAll("\\", "/").replace(/(?<=.)\/+$/, "");
  return /^[A-Za-z]:/.test(slashed) ? slashed.toLowerCase() : slashed;
}
