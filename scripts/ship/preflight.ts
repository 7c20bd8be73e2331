// Checks what the packed packages hold. See --help.
import { writeFileSync } from "node:fs";
import { argumentsOf } from "../lib/arguments.mjs";
import { removeDirectory, temporaryDirectory } from "../lib/guard.mjs";
import { describePreflight, preflight } from "./check-all.ts";
import { buildAndPack } from "./pack.ts";

const help = `Builds and packs every package, and checks what the tarballs hold: no dependency outside the registry, no path of one
machine in a manifest or a file, every promised file present, one version, a licence, no secret. Publishes nothing.

  pnpm preflight [--json] [--tarballs DIRECTORY]

  --json        the findings as one JSON document on stdout
  --tarballs    check the tarballs of this directory instead of building and packing
  --help        this text`;

const { values } = argumentsOf({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    json: { type: "boolean" },
    tarballs: { type: "string" },
    tally: { type: "string" },
    help: { type: "boolean" },
  },
});

if (values.help) console.log(help);
else {
  const scratch = values.tarballs === undefined ? temporaryDirectory("preflight") : undefined;
  try {
    if (scratch !== undefined) await buildAndPack(scratch, (line) => console.error(line));
    const found = preflight(values.tarballs ?? scratch ?? "");
    const ok = found.problems.length === 0;
    console.log(values.json ? JSON.stringify({ ok, ...found }, null, 2) : describePreflight(found).join("\n"));
    if (values.tally !== undefined) {
      const bad = new Set(found.problems.map((problem) => problem.package)).size;
      writeFileSync(values.tally, JSON.stringify({ passed: found.tarballs.length - bad, failed: bad, skipped: 0 }));
    }
    process.exitCode = ok ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  } finally {
    if (scratch !== undefined) removeDirectory(scratch);
  }
}
