// Installs the packed packages in empty projects and imports every entry: once with the declared peers, once without
// the
// optional ones, where the factories that need one must say what to install.
//   tsx scripts/packed/main.ts --tarballs DIRECTORY [--project DIRECTORY] [--tally FILE]
// --project keeps the project with the peers there.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { peerFactories } from "../../test/peer-factories.ts";
import { argumentsOf } from "../lib/arguments.mjs";
import { removeDirectory, temporaryDirectory } from "../lib/guard.mjs";
import { packedEntries, readTarballs } from "../ship/tarball.ts";
import { judgeFactory, judgeImport } from "./judge.ts";
import { factoryProbe, importProbe, runProbes } from "./probe.ts";
import { createProject, peersOf } from "./project.ts";

const { values } = argumentsOf({
  options: { tarballs: { type: "string" }, project: { type: "string" }, tally: { type: "string" } },
});
if (values.tarballs === undefined) throw new Error("--tarballs DIRECTORY is needed");

const tarballs = readTarballs(values.tarballs);
const entries = tarballs.flatMap(({ manifest }) =>
  packedEntries(manifest).map((entry) => ({ ...entry, package: manifest.name })),
);
const imports = entries.map(({ specifier }) => importProbe(specifier));
const exported = (row: { package: string; subpath: string }): boolean =>
  entries.some((entry) => entry.package === row.package && entry.subpath === row.subpath);
const rows = peerFactories.filter(exported);

/** Entries that are of no use without their peer, and import it at the top. */
const needPeer = new Set(["@hebra/thread/react"]);

const tally = { passed: 0, failed: 0, skipped: peerFactories.length - rows.length };
function note(title: string, problem: string | undefined): void {
  tally[problem === undefined ? "passed" : "failed"] += 1;
  if (problem !== undefined) console.log(`FAILED ${title}: ${problem}`);
}

const scratch = temporaryDirectory("packed");
try {
  const withPeers = values.project ?? join(scratch, "with-peers");
  const peers = peersOf(tarballs, { optional: true });
  await createProject(withPeers, tarballs, peers);
  const complete = await runProbes(withPeers, imports);
  imports.forEach((probe, index) => note(`${probe.title} with peers`, judgeImport(complete[index])));

  const withoutPeers = join(scratch, "without-peers");
  await createProject(withoutPeers, tarballs, peersOf(tarballs, { optional: false }));
  const bare = await runProbes(withoutPeers, [...imports, ...rows.map(factoryProbe)]);
  imports.forEach((probe, index) => {
    if (!needPeer.has(entries[index]!.specifier)) note(`${probe.title} without peers`, judgeImport(bare[index]));
  });
  rows.forEach((row, index) => note(factoryProbe(row).title, judgeFactory(row, bare[imports.length + index])));
  console.log(
    `${entries.length} entries of ${tarballs.length} packages on Node.js ${process.versions.node}, with ${Object.keys(peers).length} peers and without; ${rows.length} factories without their peer`,
  );
} finally {
  removeDirectory(scratch);
}
for (const row of peerFactories)
  if (!exported(row)) console.log(`skipped ${row.factory}: ${row.package} exports no ${row.subpath} yet`);
if (values.tally !== undefined) writeFileSync(values.tally, JSON.stringify(tally));
process.exitCode = tally.failed > 0 ? 1 : 0;
