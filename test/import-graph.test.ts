import assert from "node:assert/strict";
import { relative } from "node:path";
import { test } from "vitest";
import { publishedPackages } from "../scripts/lib/packages.mjs";
import { root } from "../scripts/lib/paths.mjs";
import { peerFactories } from "./peer-factories.ts";
import { entries, packageName, staticGraph } from "./support/module-graph.ts";
import { moduleImports } from "./support/module-imports.ts";

/** What the default configuration must not bring along. */
const heavy = [
  "react",
  "react-dom",
  "ioredis",
  "pg",
  "libsql",
  "better-sqlite3",
  "ai",
  "@electric-sql/pglite",
  "hono",
  "zod-to-json-schema",
];

/** Peers whose absence is no error: what needs them does nothing instead. */
const silentPeers = new Set(["@opentelemetry/api"]);

/** Peers that an entry of their own imports outright. Their name is a verb of the engine too. */
const outrightPeers = new Set(["react"]);
const outrightEntries = new Set(["@hebra/thread/react"]);

const manifests = new Map(publishedPackages().map(({ manifest }) => [manifest.name, manifest]));
const thread = entries.find(({ specifier }) => specifier === "@hebra/thread")!;

test("the root entry of @hebra/thread reaches no React, Redis, Postgres, SQLite or model SDK, statically or later", () => {
  const graph = staticGraph(thread.file);
  assert.ok(graph.files.length > 0);
  for (const name of heavy) assert.equal(graph.externals.get(name)?.join(" -> "), undefined);
  for (const file of graph.files) {
    const later = moduleImports(file)
      .dynamic.map(packageName)
      .filter((name) => heavy.includes(name));
    assert.deepEqual(later, [], relative(root, file));
  }
});

/**
 * What runs on the default configuration. Their adapters for servers are entries of their own, or loaded when a
 * configuration names one.
 */
const local = entries.filter(({ specifier }) =>
  ["@hebra/lock", "@hebra/bus", "@hebra/thread/runtime"].includes(specifier),
);
test.each(local)("$specifier reaches no client of a server", ({ file }) => {
  const { externals, files } = staticGraph(file);
  assert.ok(files.length > 0);
  for (const name of heavy) assert.equal(externals.get(name)?.join(" -> "), undefined);
});

test("the entries of the default configuration are all there", () => {
  assert.equal(local.length, 3);
});

test.each(entries)(
  "$specifier loads with what its package depends on, and no optional peer",
  ({ package: name, file, specifier: entry }) => {
    const manifest = manifests.get(name)!;
    const optional = Object.keys(manifest.peerDependenciesMeta ?? {});
    const required = Object.keys(manifest.peerDependencies ?? {}).filter((peer) => !optional.includes(peer));
    const ownFiles = staticGraph(file).files.filter((path) =>
      path.startsWith(`${entries.find((entry) => entry.package === name)!.directory}/`),
    );
    const declared = new Set([...Object.keys(manifest.dependencies ?? {}), ...required]);
    for (const path of ownFiles) {
      for (const specifier of moduleImports(path).static) {
        if (specifier.startsWith(".") || specifier.startsWith("node:")) continue;
        if (outrightEntries.has(entry) && outrightPeers.has(specifier)) continue;
        assert.ok(
          declared.has(packageName(specifier)),
          `${relative(root, path)} imports ${specifier}, which ${name} does not depend on`,
        );
      }
    }
  },
);

test("every file that loads an optional peer is reached from an entry with a row in peer-factories.ts", () => {
  const missing = new Set<string>();
  for (const [name, manifest] of manifests) {
    const own = entries
      .filter((entry) => entry.package === name)
      .map((entry) => ({
        ...entry,
        files: staticGraph(entry.file).files.filter((path) => path.startsWith(`${entry.directory}/`)),
      }));
    const peers = Object.keys(manifest.peerDependenciesMeta ?? {}).filter(
      (peer) => !silentPeers.has(peer) && !outrightPeers.has(peer),
    );
    for (const path of new Set(own.flatMap(({ files }) => files))) {
      // A peer is loaded by `import()`, or its name is handed to a loader.
      const named = [...moduleImports(path).dynamic.map(packageName), ...moduleImports(path).strings];
      for (const peer of peers.filter((candidate) => named.includes(candidate))) {
        const proved = own.some(
          ({ subpath, files }) =>
            files.includes(path) &&
            peerFactories.some((row) => row.package === name && row.subpath === subpath && row.peer === peer),
        );
        if (!proved) missing.add(`${relative(root, path)} loads ${peer}`);
      }
    }
  }
  assert.deepEqual([...missing], []);
});

test("a row of peer-factories.ts names a package that there is, and a peer that it declares optional", () => {
  for (const row of peerFactories) {
    const manifest = manifests.get(row.package);
    assert.ok(manifest !== undefined, row.package);
    if (manifest.exports[row.subpath] !== undefined)
      assert.ok(
        manifest.peerDependenciesMeta?.[row.peer]?.optional,
        `${row.package} does not declare ${row.peer} as an optional peer`,
      );
  }
});

const react = entries.filter(({ specifier }) => specifier === "@hebra/thread/react");
test.each(react)("$specifier reaches no node: module and no store", ({ file }) => {
  const { externals, files } = staticGraph(file);
  assert.deepEqual(
    [...externals.keys()].filter((name) => name.startsWith("node:")),
    [],
  );
  assert.deepEqual(
    files.map((path) => relative(root, path)).filter((path) => path.includes("/store/")),
    [],
  );
});
