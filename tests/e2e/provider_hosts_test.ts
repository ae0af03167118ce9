/** The tests' provider, as the real client meets it at its own host names. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { testEachClaude } from "../fixtures/claude_code.ts";
import { loginText } from "../fixtures/swap_kit.ts";
import { SwapStage } from "../fixtures/swap_stage.ts";

const MONTH_MS = 30 * 86_400_000;

testEachClaude(
  "the client logs in, renews and logs out at the tests' provider",
  async (version) => {
    await using stage = await SwapStage.open(["work"], undefined, {
      version,
      hasHosts: true,
    });
    await stage.signIn("work");
    const first = await stage.login();
    const { identity } = stage.api.account("work");
    strictEqual(first?.["accountUuid"], identity.accountUuid);
    strictEqual(first?.["organizationUuid"], identity.organizationUuid);
    const leftMs = Number(first?.["refreshTokenExpiresAt"]) - Date.now();
    ok(Math.abs(leftMs - MONTH_MS) < 120_000, String(leftMs));

    // The access token is over by the client's own note and the provider's.
    stage.api.account("work").expire();
    await Deno.writeTextFile(
      `${stage.home}/.claude/.credentials.json`,
      JSON.stringify({
        claudeAiOauth: { ...first, expiresAt: Date.now() - 1 },
      }),
    );
    const turn = await stage.turn(["demo:say one"]);
    match(turn.stdout, /^one/, turn.stderr);
    const second = await stage.login();
    ok(
      second?.["refreshToken"] !== first?.["refreshToken"],
      "it was not renewed",
    );
    strictEqual(
      second?.["refreshTokenExpiresAt"],
      first?.["refreshTokenExpiresAt"],
      "a renewal moves no sign-in's end",
    );

    const logout = await stage.run("auth", "logout");
    strictEqual(logout.code, 0, logout.stderr);
    strictEqual(await stage.login(), null);
    strictEqual(stage.api.requests("/v1/oauth/token/revoke").length, 1);
    deepStrictEqual(stage.api.families(), {
      // The pool's own login lives on beside the one that was logged out.
      minted: 2,
      rotations: 1,
      reuses: 0,
      killed: 1,
    });
  },
);

testEachClaude(
  "a client that shows a spent refresh token kills its login",
  async (version) => {
    await using stage = await SwapStage.open([], undefined, {
      version,
      hasHosts: true,
    });
    const account = stage.api.account("work");
    const stored = JSON.parse(loginText(account)).claudeAiOauth;
    await fetch(stage.api.endpoints.token, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        grant_type: "refresh_token",
        refresh_token: stored.refreshToken,
        client_id: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
      }),
    }).then((answer) => answer.body?.cancel());
    await Deno.mkdir(`${stage.home}/.claude`);
    await Deno.writeTextFile(
      `${stage.home}/.claude/.credentials.json`,
      JSON.stringify({
        claudeAiOauth: { ...stored, expiresAt: Date.now() - 1 },
      }),
    );
    const turn = await stage.turn(["demo:say one"]);
    strictEqual(turn.code, 1);
    match(turn.stdout, /OAuth session expired and could not be refreshed/);
    strictEqual(stage.api.families().killed, 1);
    strictEqual((await stage.login())?.["refreshToken"], "");
  },
);
