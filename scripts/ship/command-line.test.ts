import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, test } from "vitest";
import { sourceCommand } from "../lib/example.mjs";
import { root } from "../lib/paths.mjs";
import { packFiles, pathOf, soundFiles } from "./fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-ship-"));
afterAll(() => rmSync(directory, { recursive: true }));
const sound = join(directory, "sound");
const planted = join(directory, "planted");
packFiles(sound, "hebra-planted-1.2.3", soundFiles());
packFiles(planted, "hebra-planted-1.2.3", {
  ...soundFiles(),
  "dist/index.js": `export const from = "${pathOf("home", "ada", "hebra")}";\n`,
});

function command(file: string, ...rest: string[]): { status: number | null; stdout: string; stderr: string } {
  const { command: program, args } = sourceCommand(join(root, "scripts", "ship", file), join(root, "package.json"));
  return spawnSync(program, [...args, ...rest], { cwd: root, encoding: "utf8" });
}

test("preflight passes sound tarballs and stops a planted path", () => {
  assert.equal(command("preflight.ts", "--tarballs", sound).status, 0);
  const stopped = command("preflight.ts", "--tarballs", planted, "--json");
  assert.equal(stopped.status, 1);
  const report = JSON.parse(stopped.stdout) as { ok: boolean; problems: { check: string; where: string }[] };
  assert.equal(report.ok, false);
  assert.deepEqual(
    report.problems.map(({ check, where }) => `${check} ${where}`),
    ["path dist/index.js:1"],
  );
});

test("shipping without --dry-run refuses and says what to run", () => {
  const refused = command("ship.ts", "minor");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /Publishing is not there yet.*pnpm ship:minor --dry-run/);
});

test("a rehearsal prints the plan, the findings and the steps, and touches nothing", () => {
  const status = (): string =>
    execFileSync("git", ["status", "--porcelain", "--", ".changeset", "packages/core/package.json"], {
      cwd: root,
      encoding: "utf8",
    });
  const before = status();
  const rehearsed = command("ship.ts", "major", "--dry-run", "--json", "--tarballs", sound);
  const report = JSON.parse(rehearsed.stdout) as {
    ok: boolean;
    reason?: string;
    plan?: { packages: { to: string }[] };
    steps?: unknown[];
  };
  assert.equal(status(), before);
  // Just after a release no changeset is left, and then there is nothing to plan.
  if (report.reason !== undefined) assert.match(report.reason, /nothing to release/);
  else {
    assert.equal(new Set(report.plan?.packages.map(({ to }) => to)).size, 1);
    assert.ok((report.steps?.length ?? 0) > 10);
  }
});

test("what is not understood is said in a line, without a stack", () => {
  for (const file of ["ship.ts", "preflight.ts"]) {
    const { status, stdout, stderr } = command(file, "--dry-runn");
    assert.deepEqual([status, stdout, stderr], [2, "", "Unknown option '--dry-runn'. See --help.\n"]);
  }
  assert.equal(command("ship.ts", "huge", "--dry-run").status, 1);
});

test("a rehearsal says what of the tree would stop a release", () => {
  const rehearsed = command("ship.ts", "major", "--dry-run", "--json", "--tarballs", sound);
  const { obstacles, reason } = JSON.parse(rehearsed.stdout) as { obstacles?: string[]; reason?: string };
  const dirty = execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" }).trim() !== "";
  if (reason === undefined && dirty) assert.match(obstacles!.join(), /files are not committed/);
  if (reason === undefined)
    assert.equal(rehearsed.stderr.includes("Shipping would stop at step 1"), obstacles!.length > 0);
});

test("both have a help", () => {
  assert.match(command("preflight.ts", "--help").stdout, /pnpm preflight/);
  assert.match(command("ship.ts", "patch", "--help").stdout, /pnpm ship:patch --dry-run/);
});
