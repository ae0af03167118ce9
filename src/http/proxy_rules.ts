/**
 * The rules of `HTTPS_PROXY` and `NO_PROXY`: through which corporate proxy, if
 * any, an origin is reached.
 *
 * @module
 */

import { EXIT, TcError } from "../errors.ts";
import { setVariable } from "../shell_words.ts";

/** Returns the proxy for an origin such as `https://api.anthropic.com`, or null. */
export type ProxyFor = (origin: string) => URL | null;

interface ProxySettings {
  /** For https origins: `http://user:password@proxy.example:3128`. */
  readonly httpsProxy: string | null;
  /** For plain http origins. */
  readonly httpProxy: string | null;
  /** Hosts that are reached directly, separated by commas or spaces; `*` is all. */
  readonly noProxy: string | null;
}

interface Bypass {
  readonly host: string;
  readonly port: string | null;
}

/**
 * Returns the rules that `settings` make. As in curl and Go, an entry of
 * `noProxy` covers a host and its subdomains, with or without a leading dot,
 * and only one port if it names one; loopback is always direct. A proxy without
 * a scheme is `http:`. Throws TcError `bad_proxy` if a proxy is not a URL.
 */
export function proxyRules(settings: ProxySettings): ProxyFor {
  const httpsProxy = parseProxy(settings.httpsProxy);
  const httpProxy = parseProxy(settings.httpProxy);
  const bypasses = parseNoProxy(settings.noProxy ?? "");
  return (origin) => {
    const url = new URL(origin);
    const proxy = url.protocol === "https:" ? httpsProxy : httpProxy;
    if (proxy === null || isLoopback(url.hostname)) return null;
    return bypasses.some((bypass) => covers(bypass, url)) ? null : proxy;
  };
}

/** Returns the proxy that `text` names, or null. Throws TcError `bad_proxy`. */
export function parseProxy(text: string | null): URL | null {
  const trimmed = text?.trim() ?? "";
  if (trimmed === "") return null;
  const url = URL.parse(
    trimmed.includes("://") ? trimmed : `http://${trimmed}`,
  );
  if (url !== null) return url;
  // The value may hold a password, so it is not repeated.
  throw new TcError(
    "Cannot use the corporate proxy: upstreamProxy or HTTPS_PROXY is not a URL",
    {
      code: "bad_proxy",
      source: "user",
      exitCode: EXIT.badConfig,
      hint: (person) =>
        `${setVariable(person, "HTTPS_PROXY", null)}, ` +
        "or write it as http://proxy.example:3128",
    },
  );
}

function parseNoProxy(text: string): readonly Bypass[] {
  return text.split(/[\s,]+/).map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== "").map(parseBypass);
}

function parseBypass(entry: string): Bypass {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry);
  // An IPv6 address without brackets has colons but no port.
  const host = match?.[1] ?? `[${entry}]`;
  return { host: host.replace(/^\*?\.+/, ""), port: match?.[2] ?? null };
}

function covers({ host, port }: Bypass, url: URL): boolean {
  if (host === "*") return true;
  const urlPort = url.port || (url.protocol === "https:" ? "443" : "80");
  if (port !== null && port !== urlPort) return false;
  const name = url.hostname.replace(/\.$/, "");
  return name === host || (host !== "" && name.endsWith(`.${host}`));
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname.endsWith(".localhost") ||
    hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}
