/**
 * The pages that the callback listener answers with. They hold no script, load
 * nothing, and show nothing that came with the request.
 *
 * @module
 */

/** What a visitor of the listener is told. */
export type CallbackPage =
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

/** The answer with `page`; it closes its connection. */
export function pageResponse(page: CallbackPage): Response {
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
