import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serveAdmin, type AdminServer } from "../admin/admin.fixture.ts";
import { FLAG } from "../rollout/rollout-world.fixture.ts";
import { runLine } from "./cli.fixture.ts";
import { commands, rolloutVerbs } from "./command-table.ts";
import { fromEnvironment, type CliIo } from "./io.ts";

let admin: AdminServer;
beforeAll(async () => void (admin = await serveAdmin()));
afterAll(() => admin.close());
const run = (line: string, who: Parameters<typeof runLine>[2] = "ana", more: Partial<CliIo> = {}) =>
  runLine(admin.url, line, who, more);

describe("the help", () => {
  it("tells of every command, every verb and every option, with an example", async () => {
    const all = await run("--help");
    expect(all.code).toBe(0);
    expect(await run("")).toMatchObject({ code: 2, out: all.out });
    expect(await run("help")).toMatchObject({ code: 0, out: all.out });
    for (const [name, { options }] of Object.entries(commands)) {
      expect(all.out).toContain(`  ${name} `);
      const own = await run(`${name} --help`);
      expect(own).toMatchObject({ code: 0, err: "" });
      expect(own.out).toMatch(/Usage: hebra-flags [\s\S]*Examples?:\n {2}hebra-flags/);
      for (const option of options) if (name !== "rollout") expect(own.out).toContain(`--${option}`);
      expect(await run(`help ${name}`)).toEqual(own);
    }
    const verbs = await run("rollout --help");
    for (const [verb, { options }] of Object.entries(rolloutVerbs)) {
      expect(verbs.out).toContain(`  ${verb} `);
      const own = await run(`rollout ${verb} --help`);
      for (const option of options) expect(own.out).toContain(`--${option} `);
      expect(own.out.includes("--reason"), verb).toBe(!["status", "postmortem"].includes(verb));
    }
  });

  it("fits a terminal of 100 columns", async () => {
    for (const name of ["", ...Object.keys(commands), ...Object.keys(rolloutVerbs).map((verb) => `rollout ${verb}`)]) {
      for (const line of (await run(`${name} --help`)).out.split("\n"))
        if (!line.startsWith("  hebra-flags")) expect(line.length, line).toBeLessThanOrEqual(100);
    }
  });
});

describe("what is not understood", () => {
  it.each([
    ["wach x", "INVALID_OPTIONS: There is no command `wach`. Did you mean `watch`?"],
    ["help wach", "Did you mean `watch`?"],
    ["rollout", "needs a verb"],
    ["rollout advnace x --reason y", "no rollout verb `advnace`. Did you mean `advance`?"],
    ["kill x --raeson y", "`kill` takes no option `--raeson`. Did you mean `--reason`?"],
    ["list --reason y", "`list` takes no option `--reason`"],
    ["rollout start x --file plan.json --reason y", "`rollout start` takes no option `--file`"],
    ["kill x", "Say why: --reason TEXT"],
    ["kill x --reason", "`--reason` needs a value"],
    ["kill --reason y", "`kill` needs a flag"],
    ["kill x y --reason z", "`y` is one word too many"],
    ["rollout advance --reason y", "needs a flag"],
    ["rollout start x --reason y", "--plan is missing"],
    ["rollout attest x --reason y", "--item is missing"],
    ["get", "`get` needs a flag"],
    ["watch x --every soon", "--every must be a number from 0.5 on"],
    ["watch x --every 0", "--every must be a number from 0.5 on"],
    ["incidents --limit none", "--limit must be a number from 1 on"],
    ["simulate --errors many", "--errors must be a number"],
    ["simulate --url http://x", "`simulate` takes no option `--url`"],
    ["set x --file nowhere.json --reason y", "PARSE_ERROR: nowhere.json cannot be read (ENOENT)"],
    ["--json list", "A command comes first"],
    ["list --url nonsense", "no http or https URL"],
  ])("%s", async (line, said) => {
    const { code, err, out } = await run(line);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(said);
    expect(err).not.toContain("at async");
  });

  it("is told as JSON where JSON was asked for, also by what the admin does not understand", async () => {
    expect(JSON.parse((await run("kill x --json")).err)).toMatchObject({
      code: "INVALID_OPTIONS",
      detail: expect.stringContaining("--reason") as string,
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
      code: 3,
      err: expect.stringContaining("UNAUTHENTICATED") as string,
    });
    expect(await run(`kill ${FLAG} --reason x`, "reader")).toMatchObject({
      code: 3,
      err: expect.stringContaining("FORBIDDEN") as string,
    });
    expect(await run("list --url http://127.0.0.1:1")).toMatchObject({
      code: 3,
      err: "UNREACHABLE: The admin at 127.0.0.1:1 did not answer: bad port.\n",
    });
    expect(await run("list --url http://127.0.0.1:2")).toMatchObject({
      code: 3,
      err: "UNREACHABLE: The admin at 127.0.0.1:2 did not answer: ECONNREFUSED.\n",
    });
    expect(await run("list", "ana", { url: undefined })).toMatchObject({
      code: 2,
      err: expect.stringContaining("HEBRA_FLAGS_URL") as string,
    });
    expect(await run("get absent --json")).toMatchObject({
      code: 1,
      err: expect.stringContaining('"status":404') as string,
    });
    const other = createServer((_, response) => response.end("<html>hello</html>")).listen(0, "127.0.0.1");
    await once(other, "listening");
    expect(await run(`list --url http://127.0.0.1:${(other.address() as AddressInfo).port}`)).toMatchObject({
      code: 3,
      err: expect.stringContaining("is no admin of @hebra/flags") as string,
    });
    other.close();
  });

  it("reads the environment in one place", () => {
    expect(fromEnvironment({ HEBRA_FLAGS_URL: "u", HEBRA_FLAGS_TOKEN: "t", NO_COLOR: "1" })).toEqual({
      url: "u",
      token: "t",
      plain: true,
    });
    expect(fromEnvironment({ TERM: "xterm" })).toEqual({ url: undefined, token: undefined, plain: false });
  });
});
