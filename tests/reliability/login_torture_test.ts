/** A short run of the torture of logins; `deno task torture:logins` is the long one. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok } from "node:assert/strict";
import { report } from "../fixtures/report.ts";
import { tortureLogins, tortureText } from "../torture/logins.ts";
import { needs } from "../fixtures/skipped.ts";

Deno.test({
  name:
    "logins shared with clients outlive kill -9, slow renewals and odd mounts",
  ignore: needs("signals"),
  fn: async () => {
    const result = await tortureLogins({
      rounds: 20,
      seed: 7,
      renewalMs: [100, 500],
    });
    report(tortureText(result));
    const { familiesLost, loginsLost, spentTwice, turns } = result;
    deepStrictEqual({ familiesLost, loginsLost, spentTwice }, {
      familiesLost: 0,
      loginsLost: 0,
      spentTwice: 0,
    });
    ok((turns["ok"] ?? 0) > 30, JSON.stringify(turns));
    ok(result.rotations > 20, String(result.rotations));
  },
});
