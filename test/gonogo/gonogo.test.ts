import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runGoNoGo } from "@hebra/thread/testing";
import { test } from "vitest";
import { localHost } from "./local-host.ts";

test("the host of this machine passes what it can be measured by; what it has no spans for is no pass", { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "hebra-gonogo-"));
  const host = await localHost(join(directory, "desk.db"));
  try {
    const { verdict } = await runGoNoGo({ host });
    const failing = Object.entries(verdict).filter(([, { ok }]) => !ok);
    // The engine leaves no spans yet. When it does, the local host shows them, and this list is empty.
    assert.deepEqual(failing.map(([name, { value }]) => [name, value]), [["spans-correlated", null]]);
  } finally {
    await host.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
