/**
 * Checks the network: proxies, names, TLS, and the clock against the
 * upstream's. It makes one free request, without a credential.
 *
 * @module
 */

import type { Variables } from "../../claude/launch_variables.ts";
import { trustingClient } from "../../system/authorities.ts";
import { inert } from "../../control/words.ts";
import { ConfigError } from "../../errors.ts";
import {
  type DoctorContext,
  failure,
  type Finding,
  fine,
  warning,
} from "./finding.ts";
import { type PersonShell, setVariable } from "../../shell_words.ts";

const ANSWER_MS = 5_000;
/** With a larger difference token ages and reset times are wrong. */
const SKEW_SEC_MAX = 20;

const PROXY_VARIABLES = [
  "HTTPS_PROXY",
  "https_proxy",
  "HTTP_PROXY",
  "http_proxy",
  "ALL_PROXY",
  "all_proxy",
];

/** Checks whether the proxy variables can be used and exclude this machine. */
export function checkProxies(
  { variables, shell }: DoctorContext,
): Promise<readonly Finding[]> {
  const set = PROXY_VARIABLES.filter((name) => variables[name]);
  const findings = set.filter((name) => !isProxyUrl(variables[name] ?? ""))
    .map((name) =>
      failure(
        "network",
        `${name} is not a proxy URL`,
        setVariable(shell.person, name, null),
      )
    );
  if (set.length > 0 && !leavesLoopbackOut(variables)) {
    findings.push(warning(
      "network",
      `${set[0]} is set and NO_PROXY leaves 127.0.0.1 out`,
      `${
        setVariable(shell.person, "NO_PROXY", "127.0.0.1,localhost")
      } (tc run does this by itself)`,
    ));
  }
  return Promise.resolve(findings);
}

/** Checks the files of certificate authorities that variables name. */
export function checkAuthorities(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  return Promise.resolve(
    shell.authorities.sources.flatMap(({ file, variable, trouble }) =>
      trouble === null ? [] : [warning(
        "network",
        `${variable ?? "the system's store"} names ${inert(file)}: ${
          inert(trouble)
        }`,
        variable === null
          ? "update-ca-certificates"
          : setVariable(shell.person, variable, null),
      )]
    ),
  );
}

function isProxyUrl(text: string): boolean {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  return url !== null && /^(https?|socks5h?):$/.test(url.protocol) &&
    url.hostname !== "";
}

function leavesLoopbackOut(variables: Variables): boolean {
  const list = (variables["NO_PROXY"] ?? variables["no_proxy"] ?? "")
    .split(",").map((name) => name.trim());
  return list.some((name) =>
    name === "*" || name === "127.0.0.1" || name === "127.0.0.0/8"
  );
}

/**
 * Checks whether the upstream can be reached, and compares its clock with this
 * one.
 */
export async function checkUpstream(
  { shell }: DoctorContext,
): Promise<readonly Finding[]> {
  const upstream = upstreamOf(shell);
  if (upstream === null) return [];
  const { host } = new URL(upstream);
  const startedMs = performance.now();
  using client = trustingClient(shell.authorities);
  try {
    const response = await fetch(upstream, {
      method: "HEAD",
      redirect: "manual",
      client,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    await response.body?.cancel();
    const tookMs = Math.round(performance.now() - startedMs);
    const words = upstream.startsWith("https:") ? ", TLS fine" : "";
    return [
      fine("network", `${host} reached in ${tookMs} ms${words}`),
      ...clockFindings(response.headers.get("date")),
    ];
  } catch (cause) {
    return [unreachable(host, cause, shell.person)];
  }
}

/**
 * Returns the upstream; null if the config is broken, which another check
 * reports.
 */
function upstreamOf(shell: DoctorContext["shell"]): string | null {
  try {
    return shell.config.settings.upstream;
  } catch (cause) {
    if (cause instanceof ConfigError) return null;
    throw cause;
  }
}

/** Whether `reason` says that a name has no address, in each system's words. */
export function isNameFault(reason: string): boolean {
  return /dns|resolve|lookup|name or service|nodename nor servname|such host|os error 1100[1-4]/i
    .test(reason);
}

function unreachable(
  host: string,
  cause: unknown,
  person: PersonShell,
): Finding {
  const reason = cause instanceof Error ? deepest(cause) : String(cause);
  if (isNameFault(reason)) {
    return failure(
      "network",
      `${host} has no address: ${reason}`,
      "look at the network and at upstream: tc config show upstream",
    );
  }
  if (/certificate|tls|ssl|issuer/i.test(reason)) {
    return failure(
      "network",
      `${host} shows a certificate that is not trusted: ${reason}`,
      `${
        setVariable(
          person,
          "NODE_EXTRA_CA_CERTS",
          person.system === "windows"
            ? "C:\\path\\to\\your-company.pem"
            : "/path/to/your-company.pem",
        )
      } where a proxy signs`,
    );
  }
  return failure(
    "network",
    `${host} cannot be reached: ${reason}`,
    "look at the network, at HTTPS_PROXY and at upstream",
  );
}

function deepest(error: Error): string {
  return error.cause instanceof Error ? deepest(error.cause) : error.message;
}

function clockFindings(date: string | null): readonly Finding[] {
  if (date === null) return [];
  const theirs = Date.parse(date);
  if (Number.isNaN(theirs)) return [];
  const skewSec = Math.round((Date.now() - theirs) / 1000);
  if (Math.abs(skewSec) <= SKEW_SEC_MAX) {
    return [fine("clock", `within ${SKEW_SEC_MAX} s of the upstream's`)];
  }
  const side = skewSec > 0 ? "ahead of" : "behind";
  return [
    warning(
      "clock",
      `${Math.abs(skewSec)} s ${side} the upstream's clock`,
      "turn on time synchronisation",
    ),
  ];
}
