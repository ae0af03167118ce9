/**
 * The admin API. The door has checked Host, Origin and key before. Routes that
 * change something take a JSON body, never a form.
 *
 * @module
 */

import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { TurnsView } from "./history/turns_view.ts";
import { PLAN_PRICE_MAX } from "../core/plans.ts";
import { spendLimit } from "../core/quota/spending.ts";
import { hintOf, TcError } from "../errors.ts";
import type { CurvesView } from "./protocol.ts";
import type { ExplainView } from "./explain_view.ts";
import type { QuotaView } from "./history/quota_view.ts";
import { METRICS_TYPE } from "./metrics_text.ts";
import {
  SIMULATION_QUESTION,
  type SimulationQuestion,
  type SimulationView,
} from "./history/simulation_view.ts";
import type { ReportView } from "./history/report_view.ts";
import {
  badQuery,
  daysOf,
  pathWord,
  type ReportQuestion,
  reportQuestion,
  WINDOW_DAYS_MAX,
} from "./report_query.ts";
import {
  type AccountsView,
  type CapacityView,
  CONTROL,
  type ErrorView,
  type GlanceView,
  type HealthView,
  type LinkView,
  type StatusView,
} from "./protocol.ts";
import type { PersonShell } from "../shell_words.ts";

/** What the admin API needs from the server. */
export interface ControlHost {
  /** The shell for which hints are written. */
  readonly person: PersonShell;
  health(): HealthView;
  status(): StatusView;
  curves(): CurvesView;
  /** Returns the pool as the session with this id sees it. */
  glance(session: string | null): GlanceView;
  capacity(): CapacityView;
  /**
   * Explains the conversation of a session or request; null is the last one
   * used.
   */
  explain(wanted: string | null): ExplainView;
  accounts(): Promise<AccountsView>;
  /** Changes the user's settings of the account called `wanted`. */
  changeAccount(wanted: string, change: ChangedAccount): Promise<void>;
  /** Removes an account; while it has open requests, only with force. */
  removeAccount(
    wanted: string,
    how: { readonly isForced: boolean },
  ): Promise<void>;
  /** Reads config and vault again. Resolves to what changed, in words. */
  reload(): Promise<readonly string[]>;
  /** Pins the account with this name or id; null removes the pin. */
  pin(account: string | null): void;
  setPolicy(name: string): void;
  /** Makes one API call with an account's credential. */
  callApi(call: ApiCall): Promise<ApiCallView>;
  /** Takes note of a Claude Code hook: a session begins, a compaction comes. */
  hook(hook: HookCall): void;
  /** Draws a report of the ledger. */
  report(question: ReportQuestion): Promise<ReportView>;
  /** Returns the requests of a session, within the last days. */
  turns(session: string, days: number): Promise<TurnsView>;
  /** Returns how full the windows were in the last days. */
  quota(days: number): Promise<QuotaView>;
  /** Starts a replay of the history, in place of one that runs. */
  startSimulation(question: SimulationQuestion): Promise<SimulationView>;
  /** Returns how the last replay stands. */
  simulation(): Promise<SimulationView>;
  stopSimulation(): Promise<SimulationView>;
  /** Returns a new link to the page. */
  link(): LinkView;
  /** Returns a file of the page by its name, such as `page.js`; null if none. */
  pageFile(name: string): PageFile | null;
  /** Returns the metrics in the Prometheus text format. */
  metrics(): string;
  /** `isNow`: without waiting for open requests. */
  stop(how: { readonly isNow: boolean }): void;
  /** Starts the next server. Rejects with TcError if that fails. */
  restart(): Promise<void>;
  /** Returns lines of JSON, one per event, until `signal` aborts. */
  events(signal: AbortSignal): ReadableStream<Uint8Array>;
  /** Returns the status, then what changes of it, until `signal` aborts. */
  watch(signal: AbortSignal): ReadableStream<Uint8Array>;
}

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly text: string;
}

/** What may be changed about an account; fields that are left out stay. */
export interface ChangedAccount {
  readonly name?: string;
  readonly enabled?: boolean;
  readonly priority?: number;
  readonly leasesMax?: number | null;
  readonly capUtilization?: number | null;
  /** Dollars a day, week or month: `20/day`. */
  readonly maxCost?: string | null;
  /** What its plan costs, in dollars a month; null: nothing is stated. */
  readonly planPrice?: number | null;
}

/** Fields of a hook's input; null where it does not say. */
export interface HookCall {
  readonly hook: string;
  readonly session: string | null;
  readonly source: string | null;
  readonly error: string | null;
  readonly trigger: string | null;
  /** The repository in which the session works. */
  readonly project: string | null;
}

export interface ApiCall {
  readonly account: string | null;
  readonly method: string;
  /** Path and query; never a whole URL. */
  readonly path: string;
  readonly body: string | null;
}

export interface ApiCallView {
  readonly schema: "tc.call/v1";
  readonly account: string;
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** The body that changes an account. */
export const CHANGE = v.strictObject({
  name: v.optional(v.string()),
  enabled: v.optional(v.boolean()),
  priority: v.optional(v.pipe(v.number(), v.finite())),
  leasesMax: v.optional(
    v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))),
  ),
  capUtilization: v.optional(
    v.nullable(v.pipe(v.number(), v.gtValue(0), v.maxValue(1))),
  ),
  maxCost: v.optional(
    v.nullable(
      v.pipe(v.string(), v.check((text) => spendLimit(text) !== null)),
    ),
  ),
  planPrice: v.optional(
    v.nullable(v.pipe(v.number(), v.minValue(0), v.maxValue(PLAN_PRICE_MAX))),
  ),
});

const BODY_BYTES_MAX = 1024 * 1024;

/** Returns whether `target` belongs to the control plane. */
export function isControlTarget(target: string): boolean {
  const path = target.split("?", 1)[0] ?? "";
  return path === CONTROL.health || path === CONTROL.capacity ||
    path === CONTROL.capacityAlias || path === CONTROL.metrics ||
    path.startsWith("/tc/") ||
    path === "/ui" ||
    path.startsWith("/ui/");
}

/** Returns the admin API as one function from request to response. */
export function controlRoutes(
  host: ControlHost,
): (request: Request) => Promise<Response> {
  const app = new Hono();
  app.get(CONTROL.health, (c) => c.json(host.health()));
  app.get(CONTROL.capacity, (c) => c.json(host.capacity()));
  app.get(CONTROL.capacityAlias, (c) => c.json(host.capacity()));
  app.get(CONTROL.status, (c) => c.json(host.status()));
  app.get(CONTROL.curves, (c) => c.json(host.curves()));
  app.get(
    CONTROL.glance,
    (c) => c.json(host.glance(c.req.query("session") ?? null)),
  );
  app.get(
    CONTROL.explain,
    (c) => c.json(host.explain(c.req.query("of") ?? null)),
  );
  pageRoutes(app, host);
  app.get(
    CONTROL.metrics,
    (c) => c.body(host.metrics(), 200, { "content-type": METRICS_TYPE }),
  );
  streamRoutes(app, host);
  app.post(CONTROL.reload, async (c) => {
    return c.json({ schema: "tc.reload/v1", changes: await host.reload() });
  });
  app.post(CONTROL.stop, (c) => {
    host.stop({ isNow: c.req.query("now") === "1" });
    return c.json({ schema: "tc.stop/v1" });
  });
  app.post(CONTROL.restart, async (c) => {
    await host.restart();
    return c.json({ schema: "tc.restart/v1" });
  });
  app.put(CONTROL.pin, async (c) => {
    const { account } = await jsonBody(c);
    host.pin(typeof account === "string" ? account : null);
    return c.json(host.status());
  });
  app.put(CONTROL.policy, async (c) => {
    const { policy } = await jsonBody(c);
    host.setPolicy(String(policy));
    return c.json(host.status());
  });
  accountRoutes(app, host);
  app.post(
    CONTROL.call,
    async (c) => c.json(await host.callApi(apiCall(await jsonBody(c)))),
  );
  app.post(CONTROL.hook, async (c) => {
    const body = await jsonBody(c);
    host.hook({
      hook: hookWord(body["hook"]) ?? "unknown",
      session: hookWord(body["session"]),
      source: hookWord(body["source"]),
      error: hookWord(body["error"]),
      trigger: hookWord(body["trigger"]),
      project: pathWord(body["project"]),
    });
    return c.json({ schema: "tc.hook/v1" });
  });
  app.notFound((c) =>
    c.json(errorView("not_found", `There is no ${c.req.path} here`, null), 404)
  );
  app.onError((cause, c) => failed(cause, host, c));
  return async (request) => await app.fetch(request);
}

function failed(cause: Error, host: ControlHost, c: Context): Response {
  const known = cause instanceof TcError ? cause : null;
  const status = known === null ? 500 : known.source === "user" ? 400 : 502;
  const message = known?.message ?? "The server failed: see its log";
  const hint = hintOf(cause, host.person);
  return c.json(
    errorView(known?.code ?? "unexpected", message, hint),
    status,
  );
}

/** The page, how a browser is let in, and the reports that it shows. */
function pageRoutes(app: Hono, host: ControlHost): void {
  app.get(
    CONTROL.report,
    async (c) => c.json(await host.report(reportQuestion(c))),
  );
  app.get(CONTROL.turns, async (c) => {
    const session = pathWord(c.req.query("session"));
    if (session === null) throw badQuery("session", ["the id of a session"]);
    return c.json(await host.turns(session, daysOf(c)));
  });
  app.get(
    CONTROL.quota,
    async (c) => c.json(await host.quota(daysOf(c, WINDOW_DAYS_MAX))),
  );
  simulationRoutes(app, host);
  app.post(CONTROL.link, (c) => c.json(host.link()));
  app.get(CONTROL.page, (c) => pageFile(c, host, "page.html"));
  app.get(
    `${CONTROL.page}/:name`,
    (c) => pageFile(c, host, c.req.param("name")),
  );
}

/** A replay of the history as a job: start it, look at it, stop it. */
function simulationRoutes(app: Hono, host: ControlHost): void {
  app.get(CONTROL.simulate, async (c) => c.json(await host.simulation()));
  app.post(CONTROL.simulate, async (c) => {
    const body = v.safeParse(SIMULATION_QUESTION, await jsonBody(c));
    if (!body.success) throw badField("simulate", body.issues);
    return c.json(await host.startSimulation(body.output));
  });
  app.delete(
    CONTROL.simulate,
    async (c) => c.json(await host.stopSimulation()),
  );
}

/** Returns the error that names the first field of a body which is wrong. */
function badField(
  what: string,
  [issue]: readonly v.BaseIssue<unknown>[],
): TcError {
  const field = String(issue?.path?.[0]?.key ?? "body");
  return new TcError(`Cannot ${what}: ${field} is not usable`, {
    code: "bad_request",
    source: "user",
  });
}

function accountRoutes(app: Hono, host: ControlHost): void {
  const one = `${CONTROL.accounts}/:account` as const;
  app.get(CONTROL.accounts, async (c) => c.json(await host.accounts()));
  app.patch(one, async (c) => {
    const change = accountChange(await jsonBody(c));
    await host.changeAccount(c.req.param("account"), change);
    return c.json(await host.accounts());
  });
  app.delete(one, async (c) => {
    const { force } = await jsonBody(c);
    await host.removeAccount(c.req.param("account"), {
      isForced: force === true,
    });
    return c.json(await host.accounts());
  });
}

function errorView(
  code: string,
  message: string,
  hint: string | null,
): ErrorView {
  return { error: { code, message, hint } };
}

/**
 * Reads a JSON object; other content types could come from a foreign page's
 * form.
 */
async function jsonBody(c: Context): Promise<Record<string, unknown>> {
  const type = c.req.header("content-type") ?? "";
  const length = Number(c.req.header("content-length") ?? "0");
  const isUsable = type.startsWith("application/json") &&
    length <= BODY_BYTES_MAX;
  const value: unknown = isUsable ? await c.req.json().catch(() => null) : null;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new TcError("Cannot read the request: it must be a JSON object", {
    code: "bad_request",
    source: "user",
  });
}

function accountChange(body: Record<string, unknown>): ChangedAccount {
  const result = v.safeParse(CHANGE, body);
  if (result.success) return defined(result.output);
  throw badField("change the account", result.issues);
}

/** Returns `change` without undefined keys. */
function defined(change: v.InferOutput<typeof CHANGE>): ChangedAccount {
  return Object.fromEntries(
    Object.entries(change).filter(([, value]) => value !== undefined),
  );
}

function apiCall(body: Record<string, unknown>): ApiCall {
  const { account, method, path, data } = body;
  if (typeof path !== "string" || !/^\/(?!\/)/.test(path)) {
    throw new TcError("Cannot call the API: the path must begin with one /", {
      code: "bad_path",
      source: "user",
    });
  }
  return {
    account: typeof account === "string" ? account : null,
    method: typeof method === "string" ? method : "GET",
    path,
    body: typeof data === "string" ? data : null,
  };
}

function hookWord(value: unknown): string | null {
  return typeof value === "string" && /^[\w.:-]{1,128}$/.test(value)
    ? value
    : null;
}

/**
 * What a browser may do with the page: load its own files and ask its own
 * server, nothing else. No script is run but the page's own.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

function pageFile(c: Context, host: ControlHost, name: string): Response {
  const file = host.pageFile(name);
  if (file === null) return c.notFound() as Response;
  return c.body(file.text, 200, {
    "content-type": file.type,
    "content-security-policy": PAGE_POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
  });
}

function streamRoutes(app: Hono, host: ControlHost): void {
  app.get(
    CONTROL.events,
    (c) => eventStream(host.events(c.req.raw.signal)),
  );
  app.get(CONTROL.watch, (c) => eventStream(host.watch(c.req.raw.signal)));
}

function eventStream(events: ReadableStream<Uint8Array>): Response {
  return new Response(events, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
    },
  });
}
