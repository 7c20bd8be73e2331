import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { withoutRedisServer } from "@hebra/test-servers/redis";
import { describe, expect, it } from "vitest";
import { app } from "./testing/spawn.fixture.ts";
import { CHATS, TIME, toLocalBench } from "./testing/to-local.fixture.ts";

describe.skipIf(withoutRedisServer !== undefined)("hebra to-local", () => {
  const { bench, deployment, busy, checkLocal, progressOf } = toLocalBench();

  it(
    "brings a busy deployment back with its processes still up, and prints each step with its time",
    async () => {
      const made = await busy("p");
      const moving = made.toLocal();
      expect(await moving.exit).toEqual({ code: 0, signal: null });
      const lines = progressOf(moving);
      const report = lines.at(-1)!;
      expect(report).toMatchObject({ ok: true, moved: { scheduled: 1, replies: CHATS } });
      expect(report.ms).toBeLessThan(300_000);
      expect(lines.filter(({ state }) => state === "done").map(({ step }) => step)).toEqual([
        "check",
        "pause",
        "drain",
        "stop",
        "move",
        "export",
        "import",
        "switch",
        "verify",
      ]);
      process.stdout.write(
        `to-local: ${report.steps.map(({ step, ms }) => `${step} ${ms}`).join(", ")}; ${report.ms} ms in all\n`,
      );
      // The old gateway has stopped by itself: it is not ready, and takes in nothing.
      made.running.child.kill("SIGTERM");
      expect((await made.running.exit).code).toBe(0);
      const notes = `${made.config}.to-local`;
      expect(statSync(notes).mode & 0o77).toBe(0);
      expect(JSON.parse(readFileSync(join(notes, "config.before.json"), "utf8"))).toMatchObject({
        bus: { backend: "redis", url: "${HEBRA_TEST_REDIS}" },
      });
      expect(moving.out() + moving.err()).not.toContain("s3cr3t-pass");
      await checkLocal(made);
      // A second time there is nothing left to do.
      const again = made.toLocal();
      expect((await again.exit).code).toBe(0);
      expect(progressOf(again).at(-1)).toMatchObject({ ok: true });
    },
    TIME,
  );

  it(
    "says what it needs, leaves a read-only configuration alone, and takes a pause back",
    async () => {
      const made = deployment();
      const without = bench.run(["to-local", "--app", app]);
      expect((await without.exit).code).toBe(2);
      expect(without.err()).toMatch(/^INVALID_OPTIONS: Pass --config/);
      const undone = made.toLocal("--undo");
      expect(await undone.exit).toEqual({ code: 0, signal: null });
      const out = join(bench.directory, "out.json");
      const before = readFileSync(made.config, "utf8");
      expect((await made.toLocal("--out", out).exit).code).toBe(0);
      expect(readFileSync(made.config, "utf8")).toBe(before);
      expect(JSON.parse(readFileSync(out, "utf8"))).toMatchObject({ store: { path: made.path } });
      expect(existsSync(made.path)).toBe(true);
    },
    TIME,
  );
});
