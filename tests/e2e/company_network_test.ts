/** A company's proxy and certificate authority stand between tc and the API. */

import { match, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { ProviderHosts } from "../fixtures/provider_hosts.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { hasOpenssl } from "../fixtures/test_certificates.ts";

const REAL_HOSTS = {
  upstream: "https://api.anthropic.com",
  oauth: {},
  usage: { poll: false },
};

/** Starts a server in `env`, asks it one message, and stops it. */
async function askOnce(
  pool: TcPool,
  env: Readonly<Record<string, string>>,
): Promise<Response> {
  const started = await pool.tc(["env", "--shell", "sh"], env);
  strictEqual(started.code, 0, started.stderr);
  return await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 50,
      messages: [{ role: "user", content: "demo:say hello" }],
    }),
  });
}

function renewals(api: ScriptedApi): number {
  return api.requests("/v1/oauth/token").length;
}

Deno.test({
  name: "data plane, renewals and commands trust the company's authority",
  ignore: !hasOpenssl(),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using hosts = await ProviderHosts.of(api);
    const { HTTPS_PROXY = "", NODE_EXTRA_CA_CERTS: file = "" } =
      hosts.variables;
    for (const variable of ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"]) {
      await using pool = await TcPool.of(api, REAL_HOSTS);
      const env = { HTTPS_PROXY, [variable]: file };
      // The token of the pool is refused: it is renewed at its own host.
      const before = renewals(api);
      api.account("work").expire();
      const answer = await askOnce(pool, env);
      const text = await answer.text();
      strictEqual(answer.status, 200, `${variable}: ${text}`);
      match(text, /hello/);
      strictEqual(renewals(api), before + 1, variable);
      const usage = await pool.tc(["swap", "list"], env);
      strictEqual(usage.code, 0, usage.stderr);
      const doctor = await pool.tc(["doctor"], env);
      match(doctor.stdout, /api\.anthropic\.com reached .*TLS fine/);
    }
  },
});

Deno.test({
  name: "without the authority tc says that the certificate is not trusted",
  ignore: !hasOpenssl(),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using hosts = await ProviderHosts.of(api);
    await using pool = await TcPool.of(api, REAL_HOSTS);
    const env = {
      HTTPS_PROXY: hosts.variables["HTTPS_PROXY"] ?? "",
      NODE_EXTRA_CA_CERTS: pool.folder.join("absent.pem"),
    };
    const answer = await askOnce(pool, env);
    ok(answer.status >= 500, String(answer.status));
    await answer.body?.cancel();
    const { stdout } = await pool.tc(["doctor"], env);
    match(stdout, /certificate that is not trusted/);
    match(
      stdout,
      /NODE_EXTRA_CA_CERTS names .*absent\.pem: it is not a regular file/,
    );
    ok(!stdout.includes("DENO_"), stdout);
  },
});
