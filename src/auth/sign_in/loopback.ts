/**
 * The listener that a sign-in returns to: on loopback only, on its own port,
 * open only during one attempt (RFC 8252, section 7.3). Its pages hold no
 * script, load nothing, and show nothing that came with the request.
 *
 * @module
 */

import { LoginError } from "../../errors.ts";

const PATH = "/callback";
const PORT_TRIES_MAX = 20;
/**
 * How long the browser has to fetch the last page before the listener closes.
 */
const LAST_PAGE_MS = 2_000;

/** What to do with a callback: end the wait with a result, or go on waiting. */
export type CallbackDecision<Result> =
  | {
    readonly kind: "end";
    readonly page: CallbackPage;
    readonly result: Result;
  }
  | { readonly kind: "wait"; readonly page: CallbackPage };

interface Loopback<Result> {
  /**
   * The address given to the provider: browsers resolve `localhost` to either
   * address family.
   */
  readonly redirectUri: string;
  /** The result of the callback that ended the wait. */
  readonly result: Promise<Result>;
  /** Stops listening; once it resolves, nothing answers any more. */
  close(): Promise<void>;
}

type Handler = Deno.ServeHandler<Deno.NetAddr>;
type Server = Deno.HttpServer<Deno.NetAddr>;

/**
 * Listens on 127.0.0.1 and, if available, on ::1, and gives the query of each
 * callback to `decide`. Everything but `GET /callback` with our own host is
 * refused.
 */
export function listenForCallback<Result>(
  decide: (query: URLSearchParams) => CallbackDecision<Result>,
): Loopback<Result> {
  const ended = Promise.withResolvers<Result>();
  const stop = new AbortController();
  let hasEnded = false;
  function handle(request: Request): Response {
    const refusal = refusalOf(request, port);
    if (refusal !== null) return pageResponse(refusal);
    if (hasEnded) return pageResponse("not_ours");
    const decision = decide(new URL(request.url).searchParams);
    if (decision.kind === "end") {
      hasEnded = true;
      ended.resolve(decision.result);
    }
    return pageResponse(decision.page);
  }
  const servers = serveLoopback(stop.signal, handle);
  const port = servers[0].addr.port;
  return {
    redirectUri: `http://localhost:${port}${PATH}`,
    result: ended.promise,
    async close(): Promise<void> {
      // The runtime may report an answer complete before the browser has it;
      // only the end of its connection proves it.
      if (hasEnded && await endsInTime(servers)) return;
      stop.abort();
      await Promise.all(servers.map((server) => server.finished));
    },
  };
}

/** Returns why a request is refused, or null if it may be a callback. */
function refusalOf(request: Request, port: number): CallbackPage | null {
  const host = request.headers.get("host") ?? "";
  const hosts = ["localhost", "127.0.0.1", "[::1]"];
  if (!hosts.some((name) => host === `${name}:${port}`)) return "bad_host";
  if (new URL(request.url).pathname !== PATH) return "not_found";
  // Link previews use HEAD and must not use up the code.
  return request.method === "GET" ? null : "bad_method";
}

/**
 * Takes the same free port on both loopback addresses. A stranger who held it
 * on the other address would get the callback, so another port is taken then.
 */
function serveLoopback(
  signal: AbortSignal,
  handler: Handler,
): readonly [Server, ...Server[]] {
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const first = serve({ hostname: "127.0.0.1", port: 0 }, either, handler);
    const { port } = first.addr;
    try {
      return [first, serve({ hostname: "::1", port }, either, handler)];
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) return [first];
      stop.abort();
    }
  }
  throw new LoginError("Cannot listen for the sign-in: no port is free", {
    code: "no_port",
    hint: "tc login --no-browser",
  });
}

function serve(
  address: { readonly hostname: string; readonly port: number },
  signal: AbortSignal,
  handler: Handler,
): Server {
  return Deno.serve({
    ...address,
    signal,
    onListen: () => {},
    onError: () => pageResponse("not_ours"),
  }, handler);
}

/**
 * Returns whether every connection of `servers` ended by itself within the
 * limit.
 */
async function endsInTime(servers: readonly Server[]): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), LAST_PAGE_MS);
  const ended = Promise.all(servers.map((server) => server.shutdown()))
    .then(() => true, () => false);
  const inTime = await Promise.race([ended, late.promise]);
  clearTimeout(timer);
  return inTime;
}

/** What the visitor of the listener reads. */
type CallbackPage =
  | "received"
  | "denied"
  | "not_ours"
  | "not_found"
  | "bad_method"
  | "bad_host";

interface Page {
  readonly status: number;
  readonly title: string;
  readonly text: string;
}

const PAGES: Readonly<Record<CallbackPage, Page>> = {
  received: {
    status: 200,
    title: "tc has your answer",
    text: "You can close this page. The terminal shows how it ended.",
  },
  denied: {
    status: 200,
    title: "Sign-in declined",
    text: "No account was added. You can close this page.",
  },
  not_ours: {
    status: 400,
    title: "Not the answer tc waits for",
    text: "Nothing was changed. Start again with: tc login",
  },
  not_found: {
    status: 404,
    title: "Nothing here",
    text: "tc waits here for one sign-in.",
  },
  bad_method: {
    status: 405,
    title: "Nothing here",
    text: "tc waits here for one sign-in.",
  },
  bad_host: {
    status: 403,
    title: "Nothing here",
    text: "tc answers its own address alone.",
  },
};

/** Returns the answer with `page`; it closes its connection. */
function pageResponse(page: CallbackPage): Response {
  const { status, title, text } = PAGES[page];
  const body = `<!doctype html><html lang="en"><meta charset="utf-8">` +
    `<title>${title}</title><h1>${title}</h1><p>${text}</p></html>`;
  return new Response(body, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy":
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "connection": "close",
    },
  });
}
