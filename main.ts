import { start } from "./src/cli/start.ts";

// A read of the terminal that nobody waits for any more must not hold the end.
Deno.exit(await start(Deno.args, Deno.build.os));
