/**
 * One HTTP exchange at the fake provider: the request, its record, and the ways
 * to answer it.
 *
 * @module
 */

import type { HeaderList } from "../../ports.ts";
import {
  encodeWhole,
  type Encoding,
  encodingHeaders,
  negotiate,
} from "../answer/encoding.ts";
import { parseJson } from "../json.ts";
import type { Ending, OpenRequest } from "./records.ts";
import { type Refusal, refusalBody } from "./refusal.ts";
import type { World } from "./world.ts";

interface ExchangeParts {
  readonly world: World;
  readonly request: Request;
  readonly record: OpenRequest;
  readonly body: Uint8Array;
}

export class Exchange {
  readonly world: World;
  readonly request: Request;
  readonly record: OpenRequest;
  readonly url: URL;
  readonly requestId: string;
  readonly #body: Uint8Array;

  constructor(parts: ExchangeParts) {
    this.world = parts.world;
    this.request = parts.request;
    this.record = parts.record;
    this.#body = parts.body;
    this.url = new URL(parts.request.url);
    this.requestId = parts.world.requestId();
  }

  header(name: string): string | null {
    return this.request.headers.get(name);
  }

  /** Returns the body as JSON, or null if it is not JSON. */
  json(): unknown {
    return parseJson(new TextDecoder().decode(this.#body));
  }

  /** Waits on the demo's clock; rejects if the client leaves. */
  async wait(ms: number): Promise<void> {
    if (ms <= 0) return;
    const stop = new AbortController();
    const { signal } = this.request;
    const leave = () => stop.abort(signal.reason);
    this.world.openAnswers.add(stop);
    signal.addEventListener("abort", leave);
    try {
      if (signal.aborted) leave();
      await this.world.clock.sleep(ms, stop.signal);
    } finally {
      signal.removeEventListener("abort", leave);
      this.world.openAnswers.delete(stop);
    }
  }

  /** Answers with a whole body and books the request as complete. */
  async send(
    status: number,
    body: string,
    headers: HeaderList,
  ): Promise<Response> {
    const bytes = new TextEncoder().encode(body);
    const encoding = this.encoding();
    const isEncoded = encoding !== null && bytes.length > 0;
    const sent = isEncoded ? await encodeWhole(encoding, bytes) : bytes;
    const hasBody = status !== 204 && status !== 304;
    this.begin(status);
    this.end("complete");
    return new Response(hasBody ? sent : null, {
      status,
      headers: this.headers([
        ...headers,
        ...(isEncoded ? encodingHeaders(encoding) : []),
      ]),
    });
  }

  sendJson(value: unknown, headers: HeaderList = []): Promise<Response> {
    return this.send(200, JSON.stringify(value), [
      ["content-type", "application/json"],
      ...headers,
    ]);
  }

  sendPage(status: number, html: string): Promise<Response> {
    return this.send(status, html, [
      ["content-type", "text/html; charset=utf-8"],
    ]);
  }

  refuse(refusal: Refusal, headers: HeaderList = []): Promise<Response> {
    return this.send(refusal.status, refusalBody(refusal, this.requestId), [
      ["content-type", "application/json"],
      ...headers,
    ]);
  }

  /** Returns the compression of the answer, or null. */
  encoding(): Encoding | null {
    const { forcedEncoding, encodings } = this.world.settings;
    return forcedEncoding ??
      negotiate(this.header("accept-encoding"), encodings);
  }

  /**
   * Returns the lines that every answer has, then `headers`; a later name
   * replaces an earlier one.
   */
  headers(headers: HeaderList): Headers {
    const all = new Headers([
      ["date", new Date(this.world.clock.now()).toUTCString()],
      ["request-id", this.requestId],
      ["server", "cloudflare"],
      ["x-robots-tag", "none"],
    ]);
    const account = this.world.accounts.get(this.record.account ?? "");
    if (account !== undefined) {
      all.set("anthropic-organization-id", account.identity.organizationUuid);
    }
    for (const [name, value] of headers) all.set(name, value);
    return all;
  }

  begin(status: number): void {
    this.record.status = status;
  }

  /** Books the end and returns true; only the first call counts. */
  end(ending: Ending): boolean {
    const { records, clock } = this.world;
    return records.close(this.record, ending, clock.now());
  }
}
