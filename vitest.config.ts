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
const patience = { testTimeout: 20_000, hookTimeout: 30_000 };

/** Tests run from source: the private export condition points every package at its `src`. */
export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          ...patience,
          name: "packages",
          include: ["packages/*/src/**/*.test.ts", "packages/*/src/**/*.test.tsx"],
          typecheck: { enabled: false },
        },
      },
      {
        ...shared,
        test: {
          ...patience,
          name: "workspace",
          include: ["test/**/*.test.ts", "examples/*/src/**/*.test.ts", "scripts/**/*.test.{mjs,ts}"],
        },
      },
    ],
  },
});
