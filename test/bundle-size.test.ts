import assert from "node:assert/strict";
import { test } from "vitest";
import { smallestApplication } from "../scripts/lib/bundle-size.mjs";
import { root } from "../scripts/lib/paths.mjs";

test("an engine, a definition and a store are at most 118 kB gzipped with zod, and 88 kB without [NC-4]", async () => {
  const whole = await smallestApplication(root);
  const own = await smallestApplication(root, { zod: false });
  assert.ok(own.gzip > 20_000 && own.gzip < whole.gzip, "both bundles hold the engine");
  assert.ok(whole.gzip <= 118_000, `${whole.gzip} bytes with zod`);
  assert.ok(own.gzip <= 88_000, `${own.gzip} bytes without zod`);
});
