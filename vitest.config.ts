import { defineConfig } from "vitest/config";

// `import` and `default` are always on; naming `import` would also reach `require()` inside CommonJS packages such as pg. Not `module` either:
// Node does not know it, and what @opentelemetry/api offers under it is for bundlers alone.
const conditions = ["@hebra/source", "node"];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
};

/** Tests run from source: the private export condition points every package at its `src`. */
export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      {
        ...shared,
        test: {
          name: "packages",
          include: ["packages/*/src/**/*.test.ts", "packages/*/src/**/*.test.tsx"],
          typecheck: { enabled: false },
        },
      },
      {
        ...shared,
        test: { name: "workspace", include: ["test/**/*.test.ts", "examples/*/src/**/*.test.ts", "scripts/**/*.test.{mjs,ts}"] },
      },
    ],
  },
});
