/**
 * The page's side of the admin API: it is told the status and its changes, as
 * the Deck is, and changes what its buttons change.
 *
 * @module
 */

/// <reference lib="dom" />

import { signal } from "@preact/signals";
import {
  CONTROL,
  PAGE_KEY_HEADER,
  type StatusView,
} from "../control/protocol.ts";
import { patched, type WatchMessage } from "../control/status_patch.ts";
import type { SimulationView } from "../control/history/simulation_view.ts";
import type { QuotaView } from "../control/history/quota_view.ts";
import type { TurnsView } from "../control/history/turns_view.ts";
import type { ReportView } from "../control/history/report_view.ts";

/** What the page knows of its server. */
type Standing =
  | { readonly kind: "waiting" }
  /** The browser has no right any more: it needs a new link. */
  | { readonly kind: "unknown_here" }
  | {
    readonly kind: "known";
    readonly status: StatusView;
    /** When it came, on the browser's clock. */
    readonly at: number;
    /** Why it could not be renewed since then; null if it was. */
    readonly lost: string | null;
  };

const KEY_NAME = "tc-page-key";
/**
 * An open page asks for the status this often. The server forgets a browser that
 * sends no request for twelve hours, and the stream of changes is one request.
 */
const VISIT_MS = 10 * 60_000;
/** The server says something every 15 seconds; after this it is gone. */
const SILENCE_MS = 40_000;
const RETRY_MS = 2_000;

/**
 * Takes the page's key out of the address, so that no history entry has it, and
 * keeps it for this tab and this origin.
 */
export function takeKey(): void {
  const key = location.hash.slice(1);
  if (key === "") return;
  sessionStorage.setItem(KEY_NAME, key);
  history.replaceState(null, "", location.pathname);
}

/** What the page knows, and what its buttons do. */
export class PageModel {
  readonly standing = signal<Standing>({ kind: "waiting" });
  /** Why the last button failed; null if it did not. */
  readonly fault = signal<string | null>(null);

  /** Keeps {@linkcode standing} up to date for as long as the page is open. */
  async follow(): Promise<void> {
    setInterval(() => {
      if (document.visibilityState === "visible") this.#renew();
    }, VISIT_MS);
    for (;;) {
      try {
        await this.#watch();
        this.#lose("the server ended the stream");
      } catch (cause) {
        this.#lose(String(cause));
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /**
   * Returns a report of the ledger; what is null in `query` is left out. Throws
   * an Error that says why not.
   */
  async report(
    query: Readonly<Record<string, string | number | null>>,
  ): Promise<ReportView> {
    const tz = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const words = Object.entries({ ...query, tz }).flatMap(([name, value]) =>
      value === null ? [] : [[name, String(value)]]
    );
    const text = new URLSearchParams(words);
    return await answerOf("GET", `${CONTROL.report}?${text}`);
  }

  /** Returns a session's requests. Throws an Error that says why not. */
  async turns(session: string, days: number): Promise<TurnsView> {
    const query = new URLSearchParams({ session, days: String(days) });
    return await answerOf("GET", `${CONTROL.turns}?${query}`);
  }

  /** Returns the history of windows. Throws an Error that says why not. */
  async quota(days: number): Promise<QuotaView> {
    return await answerOf("GET", `${CONTROL.quota}?days=${days}`);
  }

  /**
   * Starts, looks at or stops a replay. Throws an Error that says why not; a
   * method that changes something sends a body, as the door asks.
   */
  async simulate(
    method: "GET" | "POST" | "DELETE",
    question: unknown,
  ): Promise<SimulationView> {
    return await answerOf(method, CONTROL.simulate, question);
  }

  /** Changes something and shows the result; a refusal is shown as well. */
  async change(
    method: "PUT" | "PATCH",
    path: string,
    body: unknown,
  ): Promise<void> {
    this.fault.value = null;
    try {
      const response = await ask(method, path, body);
      if (!response.ok) {
        const { error } = await response.json();
        this.fault.value = String(
          error?.message ?? `status ${response.status}`,
        );
      }
    } catch (cause) {
      this.fault.value = String(cause);
    }
    await this.#renew();
  }

  /** Shows the status and each change of it, until the stream ends. */
  async #watch(): Promise<void> {
    const response = await ask("GET", CONTROL.watch);
    if (response.status === 401) this.#refused();
    if (!response.ok || response.body === null) return;
    let status: StatusView | null = null;
    for await (const data of eventsOf(response.body)) {
      const message: WatchMessage = JSON.parse(data);
      if (message.kind === "status") status = message.status;
      else if (status !== null) status = patched(status, message.patch);
      if (status !== null) this.#know(status);
    }
  }

  async #renew(): Promise<void> {
    try {
      const response = await ask("GET", CONTROL.status);
      if (response.status === 401) this.#refused();
      else this.#know(await response.json());
    } catch (cause) {
      this.#lose(String(cause));
    }
  }

  #know(status: StatusView): void {
    const at = Date.now();
    this.standing.value = { kind: "known", status, at, lost: null };
  }

  #refused(): void {
    this.standing.value = { kind: "unknown_here" };
  }

  /** Keeps the last figures on the screen, marked as old. */
  #lose(reason: string): void {
    const before = this.standing.value;
    if (before.kind !== "known" || before.lost !== null) return;
    this.standing.value = { ...before, lost: reason };
  }
}

/** Returns the JSON of an answer. Throws an Error with the server's words. */
async function answerOf<View>(
  method: string,
  path: string,
  body: unknown = null,
): Promise<View> {
  const response = await ask(method, path, body);
  const answer = await response.json();
  if (response.ok) return answer;
  throw new Error(answer?.error?.message ?? `status ${response.status}`);
}

async function ask(
  method: string,
  path: string,
  body: unknown = null,
): Promise<Response> {
  const key = sessionStorage.getItem(KEY_NAME) ?? "";
  const headers = { [PAGE_KEY_HEADER]: key };
  return await fetch(
    path,
    body === null ? { method, headers } : {
      method,
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(body),
    },
  );
}

/**
 * Yields the data of each event of the server. Ends with the stream, or when
 * the server has said nothing for so long that it must be gone.
 */
async function* eventsOf(
  body: ReadableStream<Uint8Array>,
): AsyncIterable<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let silence = setTimeout(() => reader.cancel(), SILENCE_MS);
  try {
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(silence);
      silence = setTimeout(() => reader.cancel(), SILENCE_MS);
      rest += decoder.decode(value, { stream: true });
      const events = rest.split("\n\n");
      rest = events.pop() ?? "";
      for (const event of events) {
        if (event.startsWith("data: ")) yield event.slice("data: ".length);
      }
    }
  } finally {
    clearTimeout(silence);
    await reader.cancel();
  }
}
