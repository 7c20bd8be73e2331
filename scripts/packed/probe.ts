import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PeerFactory } from "../../test/peer-factories.ts";
import { run } from "../lib/run.mjs";

/** What became of one import or one call. */
export type ProbeResult = { ok: true; value: unknown } | { ok: false; code: string; message: string };

/** Something to evaluate in a project of packed packages. */
export interface Probe {
  title: string;
  /** A JavaScript expression; it is awaited. */
  expression: string;
}

/** Imports an entry and names what it exports. */
export function importProbe(specifier: string): Probe {
  return { title: `import ${specifier}`, expression: `Object.keys(await import(${JSON.stringify(specifier)}))` };
}

/** Calls a factory whose peer is missing. */
export function factoryProbe(row: PeerFactory): Probe {
  const specifier = row.package + row.subpath.slice(1);
  return {
    title: `${row.factory} of ${specifier} without ${row.peer}`,
    expression: `(async () => { const module = await import(${JSON.stringify(specifier)}); if (typeof module[${JSON.stringify(row.factory)}] !== "function") throw new Error("there is no export ${row.factory}"); return await (${row.call}); })()`,
  };
}

/** Evaluates every probe in one process of the project. @param node - the program. @defaultValue this Node.js */
export async function runProbes(
  directory: string,
  probes: readonly Probe[],
  node = process.execPath,
): Promise<ProbeResult[]> {
  const cases = probes.map(({ expression }) => `  async () => ${expression},`).join("\n");
  const program = `import { writeFileSync } from "node:fs";
const cases = [
${cases}
];
const results = [];
for (const evaluate of cases) {
  try {
    results.push({ ok: true, value: (await evaluate()) ?? null });
  } catch (error) {
    results.push({ ok: false, code: String(error?.code), message: String(error?.message) });
  }
}
writeFileSync("results.json", JSON.stringify(results));
process.exit(0);
`;
  writeFileSync(join(directory, "probe.mjs"), program);
  const ran = await run(node, ["probe.mjs"], {
    cwd: directory,
    output: "quiet",
    env: { PATH: process.env["PATH"] },
  });
  if (!ran.ok) throw new Error("The probe ended early.");
  return JSON.parse(readFileSync(join(directory, "results.json"), "utf8")) as ProbeResult[];
}
