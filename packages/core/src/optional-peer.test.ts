import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertPeer, loadPeer } from "./optional-peer.ts";

// Real packages on disk: `broken` is installed, but a package that it imports is not.
let directory: string;
let from: string;
const request = (name: string) => ({ name, range: "^1.0.0", neededBy: "@hebra/bus/redis" });
const load = async (name: string): Promise<unknown> =>
  import(/* @vite-ignore */ pathToFileURL(join(directory, `load-${name}.mjs`)).href);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "hebra-peer-"));
  from = pathToFileURL(join(directory, "index.mjs")).href;
  const install = (name: string, code: string) => {
    mkdirSync(join(directory, "node_modules", name), { recursive: true });
    writeFileSync(
      join(directory, "node_modules", name, "package.json"),
      JSON.stringify({ name, version: "1.0.0", exports: { import: "./index.mjs" } }),
    );
    writeFileSync(join(directory, "node_modules", name, "index.mjs"), code);
  };
  install("peer-good", "export const answer = 42;");
  install("peer-broken", "import 'peer-broken-helper'; export const answer = 0;");
  install("peer-throwing", "throw new Error('no licence');");
  for (const name of ["peer-good", "peer-broken", "peer-throwing", "peer-absent"]) {
    writeFileSync(join(directory, `load-${name}.mjs`), `export * from "${name}";`);
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("loadPeer", () => {
  test("gives the module", async () => {
    await expect(loadPeer(request("peer-good"), () => load("peer-good"))).resolves.toMatchObject({ answer: 42 });
  });

  test("says what to install when the peer is missing", async () => {
    const error = await loadPeer(request("peer-absent"), () => load("peer-absent")).catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "PEER_MISSING",
      message: '@hebra/bus/redis needs peer-absent. Install it: npm install "peer-absent@^1.0.0"',
      details: { peer: "peer-absent", range: "^1.0.0", neededBy: "@hebra/bus/redis" },
    });
  });

  test("lets a peer that is installed but broken speak for itself", async () => {
    await expect(loadPeer(request("peer-broken"), () => load("peer-broken"))).rejects.toThrow("peer-broken-helper");
    await expect(loadPeer(request("peer-broken"), () => load("peer-broken"))).rejects.not.toMatchObject({
      code: "PEER_MISSING",
    });
    await expect(loadPeer(request("peer-throwing"), () => load("peer-throwing"))).rejects.toThrow("no licence");
    await expect(loadPeer(request("x"), () => Promise.reject(null as unknown as Error))).rejects.toBeNull();
  });
});

describe("assertPeer", () => {
  test("looks without loading, also at packages for import alone", () => {
    expect(() => assertPeer(request("peer-throwing"), from)).not.toThrow();
    expect(() => assertPeer(request("peer-absent"), from)).toThrow(expect.objectContaining({ code: "PEER_MISSING" }));
  });
});
