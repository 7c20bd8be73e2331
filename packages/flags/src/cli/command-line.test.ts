import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serveAdmin, type AdminServer } from "../admin/admin.fixture.ts";
import { FLAG } from "../rollout/rollout-world.fixture.ts";
import type { Io } from "@hebra/cli-kit";
import { runLine } from "./cli.fixture.ts";
import { flagEntries, rolloutEntries, type Entry } from "./command-table.ts";

let admin: AdminServer;
beforeAll(async () => void (admin = await serveAdmin()));
afterAll(() => admin.close());
const run = (line: string, who: Parameters<typeof runLine>[2] = "ana", more: Partial<Io> = {}) =>
  runLine(admin.url, line, who, more);

describe("the help", () => {
  it("tells of every command and every option, with an example", async () => {
    const all = await run("--help");
    expect(all.code).toBe(0);
    expect(await run("")).toMatchObject({ code: 2, out: all.out });
    expect(await run("help")).toMatchObject({ code: 0, out: all.out });
    for (const [name, { options }] of Object.entries<Entry>(flagEntries)) {
      expect(all.out).toContain(`  ${name} `);
      const own = await run(`${name} --help`);
      expect(own).toMatchObject({ code: 0, err: "" });
      expect(own.out).toMatch(/Usage: hebra-flags [\s\S]*Examples?:\n {2}hebra-flags/);
      for (const option of options) expect(own.out).toContain(`--${option}`);
      expect(await run(`help ${name}`)).toEqual(own);
    }
    const verbs = await run("rollout --help");
    for (const [verb, { options, local }] of Object.entries(rolloutEntries)) {
      expect(verbs.out).toContain(`  ${verb} `);
      const own = await run(`help rollout ${verb}`);
      expect(own.out).toContain(`hebra-flags rollout ${verb} ${local === true ? "" : "<flag> "}[options]`);
      for (const option of options) expect(own.out).toContain(`--${option} `);
      expect(own.out.includes("--reason"), verb).toBe(!["status", "postmortem", "simulate"].includes(verb));
    }
  });

  it("fits a terminal of 100 columns", async () => {
    const names = ["", ...Object.keys(flagEntries), ...Object.keys(rolloutEntries).map((verb) => `rollout ${verb}`)];
    for (const name of names) {
      for (const line of (await run(`${name} --help`)).out.split("\n"))
        if (!line.startsWith("  hebra-flags")) expect(line.length, line).toBeLessThanOrEqual(100);
    }
  });
});

describe("what is not understood", () => {
  it.each([
    ["wach x", "INVALID_OPTIONS: There is no command `hebra-flags wach`. Did you mean `hebra-flags watch`?"],
    ["help wach", "Did you mean `hebra-flags watch`?"],
    ["rollout", "`hebra-flags rollout` needs a command: start"],
    [
      "rollout advnace x --reason y",
      "There is no command `hebra-flags rollout advnace`. Did you mean `hebra-flags rollout advance`?",
    ],
    ["kill x --raeson y", "Unknown option '--raeson'. Did you mean --reason? See `hebra-flags kill --help`."],
    ["list --reason y", "Unknown option '--reason'"],
    ["rollout start x --file plan.json --reason y", "Unknown option '--file'"],
    ["kill x", "Say why: --reason TEXT"],
    ["kill x --reason", "Option '--reason <TEXT>' argument missing"],
    ["kill x --reason --key k", "--reason needs a value"],
    ["kill --reason y", "Missing required argument 'flag'"],
    ["kill x y --reason z", "`y` is one word too many"],
    ["rollout advance --reason y", "Missing required argument 'flag'"],
    ["rollout start x --reason y", "--plan is missing"],
    ["rollout attest x --reason y", "--item is missing"],
    ["get", "Missing required argument 'flag'"],
    ["watch x --every soon", "--every must be a number from 0.5 on"],
    ["watch x --every 0", "--every must be a number from 0.5 on"],
    ["incidents list --limit none", "--limit must be a number from 1 on"],
    ["simulate --errors many", "--errors must be a number"],
    ["simulate --url http://x", "Unknown option '--url'"],
    ["rollout simulate", "--scenario is missing"],
    ["rollout simulate --scenario errors-10", "There is no scenario errors-10; did you mean errors-10x?"],
    ["rollout simulate --scenario ./nowhere.json", "PARSE_ERROR: ./nowhere.json cannot be read (ENOENT)"],
    ["rollout simulate --scenario base --runs none", "--runs must be a number from 1 on"],
    ["set x --file nowhere.json --reason y", "PARSE_ERROR: nowhere.json cannot be read (ENOENT)"],
    ["--jsn list", "A command comes first"],
    ["list --url nonsense", "no http or https URL"],
  ])("%s", async (line, said) => {
    const { code, err, out } = await run(line);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(said);
    expect(err).not.toContain("at async");
  });

  it("is told as JSON where JSON was asked for, also by what the admin does not understand", async () => {
    expect(JSON.parse((await run("kill x --json")).out)).toMatchObject({
      code: "INVALID_OPTIONS",
      ok: false,
      message: expect.stringContaining("--reason") as string,
    });
    const directory = await mkdtemp(join(tmpdir(), "cli-"));
    const file = join(directory, "bad.json");
    await writeFile(file, '{"canary":{"percnt":25}}');
    expect(await run(`set ${FLAG} --file ${file} --reason x`)).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        "`rollouts.engine-v2.canary.percnt`; did you mean `rollouts.engine-v2.canary.percent`?",
      ) as string,
    });
    await writeFile(file, "{bad");
    expect(await run(`set ${FLAG} --file ${file} --reason x`)).toMatchObject({
      code: 2,
      err: expect.stringContaining("is not JSON") as string,
    });
    await rm(directory, { recursive: true });
  });

  it("is not the same as not being reached, let in, or told no", async () => {
    expect(await run("list", "nobody")).toMatchObject({
      code: 2,
      err: expect.stringContaining("UNAUTHENTICATED") as string,
    });
    expect(await run(`kill ${FLAG} --reason x`, "reader")).toMatchObject({
      code: 3,
      err: expect.stringContaining("FORBIDDEN") as string,
    });
    expect(await run("list --url http://127.0.0.1:1")).toMatchObject({
      code: 8,
      err: "UNREACHABLE: The admin at 127.0.0.1:1 did not answer: bad port.\n",
    });
    expect(await run("list --url http://127.0.0.1:2")).toMatchObject({
      code: 8,
      err: "UNREACHABLE: The admin at 127.0.0.1:2 did not answer: ECONNREFUSED.\n",
    });
    expect(await run("list", "ana", { env: {} })).toMatchObject({
      code: 2,
      err: expect.stringContaining("HEBRA_FLAGS_URL") as string,
    });
    expect(await run("get absent --json")).toMatchObject({
      code: 2,
      out: expect.stringContaining('"status":404') as string,
    });
    const other = createServer((_, response) => response.end("<html>hello</html>")).listen(0, "127.0.0.1");
    await once(other, "listening");
    expect(await run(`list --url http://127.0.0.1:${(other.address() as AddressInfo).port}`)).toMatchObject({
      code: 8,
      err: expect.stringContaining("is no admin of @hebra/flags") as string,
    });
    other.close();
  });
});
