import { defineConfig } from "vitest/config";

// `import` and `default` are always on; naming `import` would also reach `require()` inside CommonJS packages such as
// pg. Not `module` either:
// Node does not know it, and what @opentelemetry/api offers under it is for bundlers alone.
const conditions = ["@hebra/source", "node"];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
};

/** Projects inherit nothing from the root; a busy machine must not fail a test by its default of five seconds. */
const common = {
  testTimeout: 20_000,
  hookTimeout: 30_000,
  setupFiles: ["test/support/workers/own-databases.ts"],
};

/** Most tests wait for processes and servers, so there are more workers than cores. */
const WORKERS = 3;

/** Files that measure wall-clock time. They run one at a time, beside nothing else. */
const timed = [
  "packages/lock/src/redis-chaos.test.ts",
  "packages/lock/src/redis.test.ts",
  "packages/lock/src/leader.test.ts",
  "packages/flags/src/shadow/latency.test.ts",
  "packages/flags/src/cli/kill-propagation.test.ts",
];

/** Three worker processes, fifty users and their faults: it loads the whole machine. */
const chaos = ["test/chaos/chaos.test.ts"];

/** What pages and comments show is what the sources say, and it compiles. */
const docs = ["test/{snippets,code-blocks,errors-doc,metrics-doc}.test.ts"];
const ship = ["scripts/ship/**/*.test.ts"];
const migration = ["packages/migrate/src/**/*.test.ts"];

/** The stages of `npm test` run these projects; `vitest run` runs them all. */
const project = (name: string, include: string[], more: object = {}) => ({
  ...shared,
  test: { ...common, name, include, ...more },
});

/** Tests run from source: the private export condition points every package at its `src`. */
export default defineConfig({
  test: {
    maxWorkers: WORKERS,
    globalSetup: ["test/support/workers/seed.ts", "test/support/workers/create-databases.ts"],
    projects: [
      project("packages", ["packages/*/src/**/*.test.{ts,tsx}"], { exclude: [...migration, ...timed] }),
      project("workspace", ["test/**/*.test.ts", "examples/*/src/**/*.test.ts", "scripts/**/*.test.{mjs,ts}"], {
        exclude: ["**/node_modules/**", ...docs, ...ship, ...chaos],
      }),
      project("migration", migration),
      project("docs", docs),
      project("ship", ship),
      project("timed", timed, { fileParallelism: false, sequence: { groupOrder: 1 } }),
      project("chaos", chaos, { fileParallelism: false, sequence: { groupOrder: 2 } }),
    ],
  },
});
