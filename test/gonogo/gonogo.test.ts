import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runGoNoGo } from "@hebra/thread/testing";
import { test } from "vitest";
import { localHost } from "./local-host.ts";

test("the host of this machine is a go, on every bar", { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "hebra-gonogo-"));
  const host = await localHost(join(directory, "desk.db"));
  try {
    const { ok, verdict, phases } = await runGoNoGo({ host });
    assert.deepEqual(
      Object.entries(verdict).filter(([, bar]) => !bar.ok),
      [],
    );
    assert.deepEqual(
      phases.map(({ name }) => name),
      ["functional", "legacy", "resume", "traces"],
    );
    assert.equal(ok, true);
  } finally {
    await host.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
