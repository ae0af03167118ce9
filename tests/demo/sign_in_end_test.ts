/** How a sign-in ends at the fake provider: its time, and revocation. */

import { ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";

const MONTH_S = 30 * 86_400;

async function post(
  url: string,
  body: Readonly<Record<string, string>>,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: await answer.json() };
}

function renew(
  api: ScriptedApi,
  token: string,
): ReturnType<typeof post> {
  return post(api.endpoints.token, {
    grant_type: "refresh_token",
    refresh_token: token,
    client_id: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
  });
}

Deno.test("a sign-in ends at its time, whatever is renewed before", async () => {
  await using api = await startScriptedApi();
  const account = api.account("work").endSignInIn(60_000);
  account.tokens();
  account.endSignInIn(60_000);
  const first = await renew(api, account.tokens().refreshToken);
  strictEqual(first.status, 200);
  strictEqual(first.body["refresh_token_expires_in"], undefined);
  account.endSignInIn(0);
  const late = await renew(api, String(first.body["refresh_token"]));
  strictEqual(late.status, 400);
  strictEqual(late.body["error"], "invalid_grant");
  strictEqual(api.families().reuses, 0);
});

Deno.test("a renewal says when the sign-in ends as it is set to", async () => {
  for (
    const [says, low, high] of [["left", 0, 60], [
      "moved",
      MONTH_S - 5,
      MONTH_S,
    ]] as const
  ) {
    await using api = await startScriptedApi({ renewalSaysEnd: says });
    const account = api.account("work");
    account.tokens();
    account.endSignInIn(60_000);
    const { body } = await renew(api, account.tokens().refreshToken);
    const leftS = Number(body["refresh_token_expires_in"]);
    ok(leftS > low && leftS <= high, `${says}: ${leftS}`);
  }
});

Deno.test("revocation kills the family of the token that is shown", async () => {
  await using api = await startScriptedApi();
  const account = api.account("work");
  const first = account.tokens();
  const second = account.login();
  const url = `${api.endpoints.token}/revoke`;
  strictEqual((await post(url, { token: first.refreshToken })).status, 200);
  strictEqual((await post(url, { token: "unknown" })).status, 200);
  strictEqual((await renew(api, first.refreshToken)).status, 400);
  strictEqual((await renew(api, second.refreshToken)).status, 200);
});

Deno.test("a client that leaves a slow renewal has spent nothing", async () => {
  await using api = await startScriptedApi({ renewalMs: 300 });
  const { refreshToken } = api.account("work").tokens();
  const leave = new AbortController();
  const given = fetch(api.endpoints.token, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
    }),
    signal: leave.signal,
  }).catch(() => null);
  await new Promise((wake) => setTimeout(wake, 100));
  leave.abort();
  await given;
  await new Promise((wake) => setTimeout(wake, 400));
  strictEqual((await renew(api, refreshToken)).status, 200);
  strictEqual(api.families().reuses, 0);
});
