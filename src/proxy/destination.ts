/**
 * The data plane: where a request goes, by the account that serves it.
 *
 * @module
 */

import type { Authorization } from "../ports.ts";
import type { Proxy } from "./proxy.ts";

/** Where a request goes: scheme, host and port, and the path and query there. */
export interface Destination {
  readonly origin: string;
  readonly target: string;
}

/** A backend has its own address, which may end in a path, as the upstream's. */
export function destinationOf(
  { origin }: Authorization,
  target: string,
  proxy: Proxy,
): Destination {
  if (origin === null) {
    return { origin: proxy.origin, target: `${proxy.basePath}${target}` };
  }
  const url = URL.parse(origin);
  // What is no URL is told of by who would connect to it.
  if (url === null) return { origin, target };
  return { origin: url.origin, target: `${basePathOf(url)}${target}` };
}

/** The path that targets are below, without a slash at its end; may be empty. */
export function basePathOf({ pathname }: URL): string {
  return pathname.replace(/\/+$/, "");
}
