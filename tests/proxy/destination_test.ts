import { deepStrictEqual } from "node:assert/strict";
import type { AccountId } from "../../src/core/account.ts";
import type { Authorization } from "../../src/ports.ts";
import { ask } from "../fixtures/proxy_client.ts";
import { FakeCredentials } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";

/** Every account is a backend at that address. */
class BackendCredentials extends FakeCredentials {
  address = "";

  override async authorization(id: AccountId): Promise<Authorization> {
    const made = await super.authorization(id);
    return { ...made, scheme: "bearer", origin: this.address };
  }
}

Deno.test("a backend's address may end in a path, as the upstream's", async () => {
  const credentials = new BackendCredentials("bearer");
  await using scene = new Scene({ credentials });
  const { kit, origin } = scene;
  for (const path of ["", "/", "/anthropic", "/api/anthropic/"]) {
    credentials.address = `${origin.url}${path}`;
    await (await ask(kit)).text();
  }
  deepStrictEqual(origin.requests().map(({ target }) => target), [
    "/v1/messages?beta=true",
    "/v1/messages?beta=true",
    "/anthropic/v1/messages?beta=true",
    "/api/anthropic/v1/messages?beta=true",
  ]);
});
