// The main job on embedded defaults: installs what the demo needs, and nothing more, and plays it from source.
//   npm run demo [-- --data FILE]
import { spawn } from "node:child_process";
import { bootstrap } from "./bootstrap.mjs";
import { exampleCommand } from "./lib/example.mjs";

const name = "support-desk";
try {
  await bootstrap([`@hebra-examples/${name}...`]);
  const { command, args } = exampleCommand(name);
  // A path among the arguments is meant from where the person stands.
  const cwd = process.env["npm_lifecycle_event"] === "demo" ? process.env["INIT_CWD"] : undefined;
  const child = spawn(command, [...args, ...process.argv.slice(2)], { cwd: cwd ?? process.cwd(), stdio: "inherit" });
  // The terminal sends an interrupt to the demo as well, and the demo ends in its own way.
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
