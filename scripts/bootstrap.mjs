// Brings pnpm and the dependencies. Needs Node.js and npm alone.
//   node scripts/bootstrap.mjs [--filter SELECTOR]...
import { fileURLToPath } from "node:url";
import { requireNode } from "./lib/node-version.mjs";

requireNode();

/**
 * @param {readonly string[]} [filter] pnpm's selectors; empty for everything
 */
export async function bootstrap(filter = []) {
  const { bringPnpm } = await import("./lib/pnpm.mjs");
  const { install } = await import("./lib/install.mjs");
  const { seconds } = await import("./lib/log.mjs");
  const start = performance.now();
  const version = await bringPnpm();
  const outcome = await install(filter);
  const what =
    outcome === "current"
      ? "dependencies are current"
      : `dependencies installed in ${seconds(performance.now() - start)}`;
  console.log(`bootstrap: Node.js ${process.versions.node}, pnpm ${version}, ${what}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { argumentsOf } = await import("./lib/arguments.mjs");
  const { values } = argumentsOf({ options: { filter: { type: "string", multiple: true } } });
  try {
    await bootstrap(values.filter ?? []);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
