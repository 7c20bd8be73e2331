import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "@hebra/test-servers/eventually";
import { afterAll, describe, expect, test } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import { countingClock } from "../testing/counting-clock.fixture.ts";
import { fileProvider } from "./file.ts";
import { firstDocument, providerContract, type ProviderContractHarness } from "./provider.contract.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function source(pollMs = 5_000) {
  const folder = mkdtempSync(join(tmpdir(), "hebra-flags-file-"));
  folders.push(folder);
  const path = join(folder, "flags.json");
  const write = (text: string) => {
    writeFileSync(`${path}.next`, text);
    renameSync(`${path}.next`, path);
  };
  write(JSON.stringify(firstDocument));
  return { path, write, pollMs };
}

function harness(pollMs?: number): ProviderContractHarness {
  const { path, write } = source();
  const clock = countingClock();
  return {
    connect: () => fileProvider({ path, clock, pollMs: pollMs ?? 5_000 }),
    publish: async (document) => write(JSON.stringify(document)),
    corrupt: async () => write('{ "flags": {'),
    cutOff: async () => renameSync(path, `${path}.away`),
    restore: async () => renameSync(`${path}.away`, path),
    elapse: () => pause(15),
    timers: () => clock.pending(),
  };
}

describe("fileProvider fulfils the contract", () => {
  for (const [title, clause] of Object.entries(providerContract)) test(title, () => clause(harness()));
});

describe("fileProvider", () => {
  test("polls where the file system tells nothing: the folder comes into being later", async () => {
    const { path, write } = source();
    rmSync(join(path, ".."), { recursive: true });
    const flags = createFlags({ provider: fileProvider({ path, pollMs: 30 }), logger: { warn() {} } });
    await expect(flags.ready()).rejects.toMatchObject({
      code: "UNREACHABLE",
      message: expect.not.stringContaining(tmpdir()) as string,
    });
    const { mkdirSync } = await import("node:fs");
    mkdirSync(join(path, ".."));
    write(JSON.stringify(firstDocument));
    await eventually(() => flags.status().ready, "the flags");
    expect(flags.status().stale).toBe(false);
    await flags.close();
  });

  test("a corrupt file leaves the last good flags in force, with a warning", async () => {
    const { path, write } = source();
    const warnings: string[] = [];
    const flags = createFlags({
      provider: fileProvider({ path }),
      logger: { warn: (message) => void warnings.push(message) },
    });
    await flags.ready();
    const before = flags.decide("contract", { session: "s" });
    write("not json");
    await eventually(() => warnings.length > 0, "the warning");
    expect(flags.decide("contract", { session: "s" })).toEqual(before);
    expect(flags.status()).toMatchObject({ ready: true, providers: [{ error: { code: "PARSE_ERROR" } }] });
    write(JSON.stringify({ flags: {}, rollouts: { contract: { version: 2, canary: { percent: 100 } } } }));
    await eventually(() => flags.decide("contract", { session: "s" }).mode === "new", "the good file");
    expect(flags.status().providers[0]?.error).toBeUndefined();
    await flags.close();
  });

  test("a writer that does not rename is not taken at half a document", async () => {
    const { path } = source();
    const warnings: string[] = [];
    const flags = createFlags({
      provider: fileProvider({ path }),
      logger: { warn: (message) => void warnings.push(message) },
    });
    await flags.ready();
    const text = JSON.stringify({ flags: {}, rollouts: { contract: { version: 2, canary: { percent: 100 } } } });
    writeFileSync(path, text.slice(0, 20));
    await pause(10);
    writeFileSync(path, text);
    await eventually(() => flags.decide("contract", { session: "s" }).mode === "new", "the whole file");
    expect(warnings).toEqual([]);
    await flags.close();
  });
});

test("one bad flag takes no other along, and targeting is flagd's to judge [FL-14]", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hebra-flags-bad-"));
  folders.push(directory);
  const path = join(directory, "flags.json");
  const variants = { legacy: "legacy", new: "new" };
  const flag = (targeting: object) => ({ state: "ENABLED", variants, defaultVariant: "legacy", targeting });
  const odd = {
    prefixed: flag({ if: [{ sem_ver: [{ var: "v" }, ">=", "v1.0.0"] }, "new", "legacy"] }),
    short: flag({ if: [{ sem_ver: [{ var: "v" }, ">=", "1.0"] }, "new", "legacy"] }),
    more: flag({ if: [{ "==": [1, 1, 1] }, "new", "legacy"] }),
    negative: flag({
      fractional: [
        ["new", -1],
        ["legacy", 100],
      ],
    }),
  };
  const good = { version: 1, canary: { percent: 100 } };
  const write = (flags: object, rollouts: object) => writeFileSync(path, JSON.stringify({ flags, rollouts }));
  write({ ...odd, broken: { state: "MAYBE", variants: {} } }, { good, bad: { version: 1, canary: { percent: 101 } } });
  const warnings: string[] = [];
  const provider = fileProvider({ path });
  const flags = createFlags({ provider, logger: { warn: (message) => void warnings.push(message) } });
  await flags.ready();
  const mode = (key: string) => flags.decide(key, { session: "s", attributes: { v: "1.2.3" } }).mode;
  expect(mode("good")).toBe("new");
  expect([mode("bad"), mode("broken")]).toEqual(["legacy", "legacy"]);
  expect([mode("prefixed"), mode("short"), mode("more"), mode("negative")]).toEqual(["new", "new", "new", "legacy"]);
  expect(warnings.filter((one) => /The flag (bad|broken) is not valid, it is legacy/.test(one))).toHaveLength(2);
  await flags.close();
});
