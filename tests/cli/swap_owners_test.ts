/** What a swap knows of the other programs that hold an account's login. */

import { RefreshToken } from "../../src/ports.ts";
import { ok, strictEqual } from "node:assert/strict";
import { Shell } from "../../src/cli/shell.ts";
import { openSwap } from "../../src/cli/swap/swapping.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

Deno.test("openSwap() sees a login that its original tool has renewed", async () => {
  await using home = new TempFolder();
  const file = home.join("teamclaude.json");
  await Deno.writeTextFile(
    file,
    JSON.stringify({
      accounts: [{
        name: "ada",
        accessToken: "sk-ant-oat01-FAKE-2",
        refreshToken: "sk-ant-ort01-FAKE-2",
        expiresAt: 2_000_000_000_000,
      }],
    }),
  );
  using swap = await openSwap(
    new Shell(
      { environment: { HOME: home.path }, system: Deno.build.os },
      {},
    ),
    {
      policy: null,
      threshold: null,
    },
  );
  const { owners } = swap.ports;
  const family = { tool: "teamclaude", location: `${file}#ada` } as const;
  const read = async () => (await owners?.hold(family))?.read();
  const found = await read();
  ok(found?.kind === "login");
  strictEqual(
    RefreshToken.toStore(found.credential.refreshToken),
    "sk-ant-ort01-FAKE-2",
  );

  // Whoever has taken the tool off the machine can still renew.
  await Deno.remove(file);
  strictEqual((await read())?.kind, "none");
});
