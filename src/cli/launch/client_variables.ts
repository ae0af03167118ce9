/**
 * The variables by which clients other than Claude Code find a server and its
 * key (docs/clients.md).
 *
 * @module
 */

/** Clients that read their settings from variables. */
export const ENV_CLIENTS = [
  "claude",
  "sdk",
  "agent-sdk",
  "ai-sdk",
  "langchain",
  "openai",
] as const;

export type EnvClient = typeof ENV_CLIENTS[number];

/** Returns what `client` reads; `origin` is the server's, without a path. */
export function clientVariables(
  client: Exclude<EnvClient, "claude">,
  { origin, key }: { readonly origin: string; readonly key: string },
): Readonly<Record<string, string>> {
  switch (client) {
    case "sdk":
    case "langchain":
      return { ANTHROPIC_BASE_URL: origin, ANTHROPIC_API_KEY: key };
    case "agent-sdk":
      return { ANTHROPIC_BASE_URL: origin, ANTHROPIC_AUTH_TOKEN: key };
    case "ai-sdk":
      return { ANTHROPIC_BASE_URL: `${origin}/v1`, ANTHROPIC_API_KEY: key };
    case "openai":
      return { OPENAI_BASE_URL: `${origin}/v1`, OPENAI_API_KEY: key };
  }
}
