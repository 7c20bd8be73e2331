import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { loadConfig } from "./app.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-config-"));
const path = join(directory, "hebra.json");
writeFileSync(
  path,
  JSON.stringify({
    bus: { backend: "redis", url: "${HEBRA_TEST_REDIS}" },
    locks: { backend: "redis", url: "${HEBRA_TEST_REDIS}" },
  }),
);
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => {
  delete process.env["HEBRA_TEST_REDIS"];
  delete process.env["HEBRA_TEST_REDIS_FILE"];
});

describe("values of a configuration that are the environment's", () => {
  it("come from the variable, which goes before its file", async () => {
    process.env["HEBRA_TEST_REDIS"] = "redis://one";
    process.env["HEBRA_TEST_REDIS_FILE"] = join(directory, "missing");
    expect((await loadConfig(path)).bus?.url).toBe("redis://one");
  });

  it("come from the file that NAME_FILE names, without the line's end", async () => {
    const secret = join(directory, "secret");
    writeFileSync(secret, "redis://user:pw@two\n");
    process.env["HEBRA_TEST_REDIS_FILE"] = secret;
    const config = await loadConfig(path);
    expect([config.bus?.url, config.locks?.url]).toEqual(["redis://user:pw@two", "redis://user:pw@two"]);
  });

  it("are missed with the names of both, and a file that cannot be read is told", async () => {
    await expect(loadConfig(path)).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
      message: expect.stringMatching(/HEBRA_TEST_REDIS, .*HEBRA_TEST_REDIS_FILE/),
    });
    process.env["HEBRA_TEST_REDIS_FILE"] = join(directory, "missing");
    await expect(loadConfig(path)).rejects.toMatchObject({
      code: "INVALID_OPTIONS",
      message: expect.stringMatching(/^HEBRA_TEST_REDIS_FILE names a file that cannot be read/),
    });
  });
});
