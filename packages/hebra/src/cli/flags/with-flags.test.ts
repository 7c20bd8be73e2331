import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, test } from "vitest";
import { loadConfigFile } from "../app.ts";
import { withFlags } from "./with-flags.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-flags-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const flags = { key: "engine-v2", providers: [{ backend: "redis", url: "${HEBRA_TEST_FLAGS}" }] };

test("a move to local keeps the flags, and no secret gets into the file", async () => {
  const path = join(directory, "before.json");
  writeFileSync(path, JSON.stringify({ bus: { backend: "local" }, flags }));
  assert.deepEqual(await withFlags({ workers: 1 }, path), { workers: 1, flags });
  writeFileSync(path, JSON.stringify({ bus: { backend: "local" } }));
  assert.deepEqual(await withFlags({ workers: 1 }, path), { workers: 1 });
});

test("the flags of a configuration are read beside the runtime's, with values of the environment", async () => {
  const path = join(directory, "hebra.json");
  writeFileSync(path, JSON.stringify({ store: { backend: "memory" }, flags }));
  process.env["HEBRA_TEST_FLAGS"] = "redis://one";
  try {
    assert.deepEqual(await loadConfigFile(path), {
      runtime: { store: { backend: "memory" } },
      flags: { key: "engine-v2", providers: [{ backend: "redis", url: "redis://one" }] },
    });
  } finally {
    delete process.env["HEBRA_TEST_FLAGS"];
  }
});
