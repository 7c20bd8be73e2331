import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";

const directory = mkdtempSync(join(tmpdir(), "hebra-shared-"));
mkdirSync(join(directory, "suites"));
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => {
  vi.resetModules();
  vi.stubEnv("HEBRA_SHARED", directory);
});
afterEach(() => vi.unstubAllEnvs());

const find = async (name: string) => (await import("@hebra/test-servers/shared")).shared(name);

test("what is beside the repository is found, and what is not is reported absent", async () => {
  vi.stubEnv("HEBRA_REQUIRE_SHARED", undefined);
  expect(await find("suites")).toEqual({ path: join(directory, "suites"), present: true });
  expect(await find("data")).toEqual({ path: join(directory, "data"), present: false });
});

test("absent data is a failure under HEBRA_REQUIRE_SHARED=1, which says where it was looked for", async () => {
  vi.stubEnv("HEBRA_REQUIRE_SHARED", "1");
  expect(await find("suites")).toMatchObject({ present: true });
  await expect(find("data")).rejects.toThrow(`There is no ${join(directory, "data")}`);
});
