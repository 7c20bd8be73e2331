import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withoutRedisServer } from "@hebra/test-servers/redis";
import { afterAll, describe, expect, it } from "vitest";
import type { Bar } from "./bars.ts";
import type { PhaseReport } from "./records.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "hebra-chaos-test-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Many processes on a machine that may be busy. In milliseconds. */
const PATIENCE = 300_000;

/** Runs the command as `pnpm chaos` does. */
function chaos(args: readonly string[]): Promise<{ code: number; said: string }> {
  const command = ["--conditions=@hebra/source", "--import", "tsx", "test/chaos/main.ts", ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: root, timeout: PATIENCE }, (error, out, complaint) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), said: out + complaint }),
    );
  });
}

describe("pnpm chaos", () => {
  it.skipIf(withoutRedisServer !== undefined)(
    "loses, doubles and mixes up nothing while a worker is killed and another stopped in mid-turn",
    { timeout: PATIENCE },
    async () => {
      const json = join(directory, "verdict.json");
      const { code, said } = await chaos(["--quick", "--only", "worker-killed,worker-paused", "--json", json]);
      expect(code, said).toBe(0);
      const { phases, verdict } = JSON.parse(readFileSync(json, "utf8")) as {
        phases: PhaseReport[];
        verdict: Record<string, Bar>;
      };
      expect(phases.map(({ phase }) => phase)).toEqual(["worker-killed", "worker-paused"]);
      for (const { messages, settled } of phases) expect([messages >= 150, settled]).toEqual([true, true]);
      const none = [
        "order-violations",
        "overlaps",
        "lost",
        "double-commits",
        "mixed-conversations",
        "unwitnessed",
        "unsettled",
        "dead-letters",
        "keys-left",
      ];
      for (const name of none) expect(verdict[name], name).toMatchObject({ value: 0, ok: true });
      for (const name of ["turns-cut-off", "turns-taken-over", "writes-fenced-off"])
        expect(verdict[name], name).toMatchObject({ bound: 1, ok: true });
    },
  );

  it.skipIf(withoutRedisServer !== undefined)(
    "leaves a demoted Redis with all that uses it, and keeps publishing beside deep backlogs and without a replica",
    { timeout: PATIENCE },
    async () => {
      const json = join(directory, "outages.json");
      const { code, said } = await chaos([
        "--quick",
        "--only",
        "switch-over,deep-backlog,replica-gone",
        "--json",
        json,
      ]);
      expect(code, said).toBe(0);
      const { phases, verdict } = JSON.parse(readFileSync(json, "utf8")) as {
        phases: PhaseReport[];
        verdict: Record<string, Bar>;
      };
      expect(phases.map(({ phase, settled }) => [phase, settled])).toEqual([["switch-over", true]]);
      const none = ["lost", "double-commits", "order-violations", "backlog-miscounted", "durability-policy-broken"];
      for (const name of none) expect(verdict[name], name).toMatchObject({ value: 0, ok: true });
      for (const [name, bound] of Object.entries({
        "switch-over": 2_000,
        "publish-p99-beside-stats": 2,
        "publishes-without-replica": 1_000,
      }))
        expect(verdict[name], name).toMatchObject({ bound });
    },
  );

  it("refuses a part that there is not, and says which there are", { timeout: PATIENCE }, async () => {
    const { code, said } = await chaos(["--only", "calm,clam"]);
    expect(code).toBe(2);
    expect(said).toMatch(/no part clam\. Parts: model, calm, worker-killed/);
  });
});
