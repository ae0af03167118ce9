import { start } from "./src/cli/start.ts";

Deno.exitCode = await start(Deno.args);
