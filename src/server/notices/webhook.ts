/**
 * Sends a notice to the user's webhook: a POST with JSON, signed if a secret is
 * set.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import { SECOND_MS } from "../../core/time.ts";
import type { Upstream } from "../../ports.ts";
import type { NoticeEvent } from "./conditions.ts";

/** The header that shows that tc sent the body: `sha256=` and its HMAC in hex. */
const SIGNATURE_HEADER = "x-tc-signature";

/** A webhook that takes longer has not taken the notice. */
const ANSWER_MS_MAX = 10 * SECOND_MS;

interface WebhookOptions {
  readonly url: string;
  /** Signs the body; empty means unsigned. */
  readonly secret: string;
  readonly upstream: Upstream;
}

/** Sends `event`; rejects if the webhook did not answer with a 2xx. */
export async function sendToWebhook(
  event: NoticeEvent,
  signal: AbortSignal,
  { url, secret, upstream }: WebhookOptions,
): Promise<void> {
  const { origin, pathname, search } = new URL(url);
  const body = new TextEncoder().encode(JSON.stringify(event));
  const headers: (readonly [string, string])[] = [
    ["content-type", "application/json"],
    ["user-agent", "tc"],
  ];
  if (secret !== "") headers.push([SIGNATURE_HEADER, signed(body, secret)]);
  const late = AbortSignal.timeout(ANSWER_MS_MAX);
  const response = await upstream.send({
    origin,
    method: "POST",
    target: `${pathname}${search}`,
    headers,
    body,
    signal: AbortSignal.any([signal, late]),
  });
  response.body.cancel();
  const { status } = response;
  if (status < 200 || status > 299) {
    // Not the URL: it often holds a secret.
    throw new Error(`the webhook answers with status ${status}`);
  }
}

function signed(body: Uint8Array, secret: string): string {
  const digest = createHmac("sha256", secret).update(body).digest("hex");
  return `sha256=${digest}`;
}
