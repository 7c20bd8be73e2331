import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCaptured } from "@hebra/cli-kit/testing";
import { digest } from "@hebra/core";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { afterEach, beforeEach } from "vitest";
import { program } from "../cli/program.ts";

/** A folder with old rows in `old`, and the command line over it. Each test has its own. */
export interface WholeRun {
  folder(): string;
  /** Arguments that name the old rows, a target and a folder for artifacts. */
  options(target: string, out?: string): string[];
  /** Runs a command of the command line in this process. */
  cli(command: string, target?: string, out?: string): Promise<Record<string, unknown>>;
  /** A digest of everything in a target. */
  contents(target: string): Promise<string>;
}

export function wholeRun(): WholeRun {
  let folder = "";
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "hebra-migrate-"))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const options = (target: string, out?: string) => [
    "--source",
    join(folder, "old"),
    "--target",
    join(folder, target),
    ...(out === undefined ? [] : ["--out", join(folder, out)]),
  ];
  return {
    folder: () => folder,
    options,
    async cli(command, target = "desk.sqlite", out = "artifacts") {
      const args = [command, "--json", ...options(target, command === "verify" ? undefined : out)];
      const { code, out: text } = await runCaptured(program, args);
      return { exit: code, ...(JSON.parse(text) as object) };
    },
    async contents(target) {
      const store = await sqliteStore({ path: join(folder, target) });
      let rolled = "";
      for await (const { bundle } of store.system().export()) rolled = digest([rolled, bundle as never]);
      await store.close();
      return rolled;
    },
  };
}
