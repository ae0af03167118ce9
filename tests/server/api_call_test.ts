import { deepStrictEqual } from "node:assert/strict";
import { callApi } from "../../src/server/worker/api_call.ts";
import { type Authorization, Secret } from "../../src/ports.ts";
import { accountId } from "../fixtures/pool.ts";
import { ProxyKit } from "../fixtures/proxy_kit.ts";
import { startScriptedOrigin } from "../fixtures/scripted_origin.ts";

Deno.test("callApi() asks a backend below its own path", async () => {
  await using backend = startScriptedOrigin();
  await using kit = new ProxyKit({ origin: `${backend.url}/gateway` });
  const own: Authorization = {
    accountId: accountId("b"),
    scheme: "bearer",
    token: new Secret("sk-ant-oat01-FAKE-backend"),
    origin: `${backend.url}/anthropic/`,
    modelMap: null,
  };
  const credentials = {
    authorization: (id: string) =>
      id === "b"
        ? Promise.resolve(own)
        : kit.credentials.authorization(accountId(id)),
    renew: () => Promise.resolve(null),
  };
  const proxy = { ...kit.proxy, credentials };
  const call = { method: "get", path: "/v1/models", account: null, body: null };
  await callApi(call, accountId("a"), proxy);
  await callApi(call, accountId("b"), proxy);
  deepStrictEqual(backend.requests().map(({ target }) => target), [
    "/gateway/v1/models",
    "/anthropic/v1/models",
  ]);
});
