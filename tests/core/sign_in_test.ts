/** When sign-ins end, and what that does to the forecast. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { signInText } from "../../src/control/status_view.ts";
import { forecast } from "../../src/core/quota/forecast.ts";
import { signInOf } from "../../src/core/account.ts";
import { after, DAY_MS, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import { account, NOW, poolOf } from "../fixtures/pool.ts";
import { snapshot } from "../../src/core/pool/pool.ts";

Deno.test("signInOf() goes by the days that are left", () => {
  const table: readonly (readonly [number | null, string])[] = [
    [null, "lasts"],
    [30 * DAY_MS, "lasts"],
    [7 * DAY_MS + 1, "lasts"],
    [7 * DAY_MS, "due"],
    [3 * DAY_MS + 1, "due"],
    [3 * DAY_MS, "ends_soon"],
    [1, "ends_soon"],
    [0, "ended"],
    [-40 * DAY_MS, "ended"],
  ];
  for (const [leftMs, kind] of table) {
    const signInEndsAt = leftMs === null ? null : after(NOW, leftMs);
    strictEqual(signInOf({ signInEndsAt }, NOW).kind, kind, String(leftMs));
  }
});

Deno.test("signInText() says the day, and what ended by its time was not refused", () => {
  const at = instantFromMs(Date.UTC(2026, 11, 26, 12));
  const endsAt = (ms: number) => ({
    ...account("ada"),
    signInEndsAt: instantFromMs(ms),
  });
  const soon = signInText(endsAt(Date.UTC(2026, 11, 28, 12)), at);
  ok(
    soon?.startsWith("the sign-in of ada ends 28 December, in 2d"),
    String(soon),
  );
  strictEqual(
    signInText(endsAt(Date.UTC(2026, 11, 26, 11)), at),
    "the sign-in of ada ended 30 days after its login",
  );
  strictEqual(signInText(account("ada"), at), null);
});

Deno.test("forecast() counts on no account beyond the end of its sign-in", () => {
  const burn = Array.from({ length: 12 }, (_, index) => ({
    at: after(NOW, -index * 5 * 60_000),
    tokens: 50_000,
  }));
  const lastsUntil = (signInEndsAt: ReturnType<typeof after> | null) => {
    const pool = poolOf([{
      account: { ...account("ada"), signInEndsAt },
    }]);
    const state = pool.accounts.get(account("ada").id);
    ok(state !== undefined);
    const accounts = new Map(pool.accounts);
    accounts.set(state.account.id, { ...state, burn });
    return forecast(snapshot({ ...pool, accounts }, NOW)).lastsUntil;
  };
  const endsAt = after(NOW, HOUR_MS);
  const until = lastsUntil(endsAt);
  ok(until !== null && until <= endsAt, String(until));
  const free = lastsUntil(null);
  ok(free === null || free > endsAt);
  deepStrictEqual(lastsUntil(after(NOW, -1)), NOW);
});
