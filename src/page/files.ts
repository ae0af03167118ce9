/**
 * The files of the page, as the server sends them. The script and the style are
 * built by `deno task ui`; the executable holds them.
 *
 * @module
 */

import { PAGE_SCRIPT, PAGE_STYLE } from "./built.ts";

const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>tc</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/ui/page.css">
</head>
<body>
<div id="app"></div>
<script type="module" src="/ui/page.js"></script>
</body>
</html>
`;

/** Returns a file of the page by its name; null if there is none. */
export function pageFile(
  name: string,
): { readonly type: string; readonly text: string } | null {
  switch (name) {
    case "page.html":
      return { type: "text/html; charset=utf-8", text: HTML };
    case "page.js":
      return { type: "text/javascript; charset=utf-8", text: PAGE_SCRIPT };
    case "page.css":
      return { type: "text/css; charset=utf-8", text: PAGE_STYLE };
    default:
      return null;
  }
}
