/**
 * One script of a client, run directly against a provider and through tc; what
 * it printed and what the provider saw are compared.
 */

import "../fixtures/clean_environment.ts";
import { join } from "node:path";
import {
  clientFolder,
  type ClientName,
  pythonPath,
} from "../fixtures/client_package.ts";
import type { OriginRequest } from "../fixtures/origin_answer.ts";
import { ROOT } from "../fixtures/paths.ts";
import { LOCAL_KEY, ProxyKit } from "../fixtures/proxy_kit.ts";
import { startScriptedOrigin } from "../fixtures/scripted_origin.ts";
import { clientVariables, type EnvClient } from "../../src/cli/launch/env.ts";
import { scriptedProvider } from "./provider.ts";

/** What one run showed, without what differs from run to run. */
export interface Seen {
  readonly printed: string;
  readonly requests: readonly string[];
}

export interface Compared {
  readonly direct: Seen;
  readonly behind: Seen;
  /** What came through tc, in its order, each attempt of its own. */
  readonly attempts: readonly OriginRequest[];
}

/** Header lines whose value is the run's own, or the connection's. */
const CREDENTIAL = /^(authorization|x-api-key)$/i;
const CREDENTIAL_LINE = "<credential>";
const OWN_VALUES =
  /^(host|content-length|connection|x-claude-code-session-id|x-client-request-id|x-session-(id|affinity)|x-stainless-.*|idempotency-key)$/i;
const LEFT_OUT = /^(connection|keep-alive|transfer-encoding)$/i;
const BOUNDARY =
  /-{4,}[A-Za-z0-9'()+_,./:=?-]{6,}|(?<=--|boundary=)[0-9a-f]{32}(--)?/g;
const DEVICE = /[0-9a-f]{64}/g;
const HOME = /tc-client-home-[A-Za-z0-9]+/g;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** Runs `script` of tests/clients/scripts both ways. */
export async function compared(
  client: ClientName,
  script: string,
  variables: Exclude<EnvClient, "claude"> | null,
): Promise<Compared> {
  const folder = await clientFolder(client);
  await using straight = startScriptedOrigin();
  straight.always(scriptedProvider());
  const direct = await run(folder, script, {
    BASE_URL: straight.url,
    API_KEY: "sk-ant-api03-FAKE-client",
  });
  await using origin = startScriptedOrigin();
  origin.always(scriptedProvider());
  await using kit = new ProxyKit({ origin: origin.url, isKeyed: true });
  // Through tc by the variables that `tc env --for` prints, where it reads any.
  const behind = await run(
    folder,
    script,
    variables === null
      ? { BASE_URL: kit.url, API_KEY: LOCAL_KEY }
      : clientVariables(variables, { origin: kit.url, key: LOCAL_KEY }),
  );
  return {
    direct: { printed: direct, requests: once(straight.requests()) },
    behind: { printed: behind, requests: once(origin.requests()) },
    attempts: origin.requests(),
  };
}

/** Runs a script with nothing but the given environment; returns what it printed. */
export async function run(
  folder: string,
  script: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  // Beside its packages, since a module looks for them from its own folder.
  const isPython = script.endsWith(".py");
  const copy = join(
    folder,
    `${crypto.randomUUID()}${isPython ? ".py" : ".mjs"}`,
  );
  await Deno.copyFile(`${ROOT}tests/clients/scripts/${script}.txt`, copy);
  const home = await Deno.makeTempDir({ prefix: "tc-client-home-" });
  try {
    const { code, stdout, stderr } = await new Deno.Command(
      isPython ? await pythonPath() : "node",
      {
        args: [copy],
        cwd: home,
        clearEnv: true,
        env: { PATH: Deno.env.get("PATH") ?? "", HOME: home, ...environment },
        stdin: "null",
      },
    ).output();
    const decoder = new TextDecoder();
    const printed = decoder.decode(stdout);
    if (code === 0) return printed.replaceAll(UUID, "<uuid>");
    throw new Error(
      `${script} failed (${code}): ${printed}${decoder.decode(stderr)}`,
    );
  } finally {
    await Deno.remove(copy);
    await Deno.remove(home, { recursive: true });
  }
}

/** Without repeats: tc sends again by itself what failed with a 5xx. */
function once(requests: readonly OriginRequest[]): readonly string[] {
  return requests.map(shown)
    .filter((text, index, all) => text !== all[index - 1])
    // Some clients send two at once, in any order.
    .sort();
}

/** A request as text: line, header lines, body. */
function shown({ method, target, headers, body }: OriginRequest): string {
  const lines = headers
    .filter(([name]) => !LEFT_OUT.test(name))
    .map(([name, value]) =>
      CREDENTIAL.test(name)
        ? CREDENTIAL_LINE
        : OWN_VALUES.test(name)
        ? `${name.toLowerCase()}: …`
        : `${name}: ${value.replaceAll(BOUNDARY, "<boundary>")}`
    ).sort()
    // Some clients show their key in two headers; tc shows one credential.
    .filter((line, index, all) =>
      line !== CREDENTIAL_LINE || all[index - 1] !== line
    );
  const text = new TextDecoder().decode(body)
    .replaceAll(BOUNDARY, "<boundary>").replaceAll(UUID, "<uuid>")
    .replaceAll(DEVICE, "<device>").replaceAll(HOME, "<home>");
  return [`${method} ${target}`, ...lines, text].join("\n");
}
