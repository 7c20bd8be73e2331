import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, test } from "vitest";
import { checkAlignment, checkTarball } from "./check-tarball.ts";
import { packFiles, pathOf, soundFiles, withManifest } from "./fixture.ts";
import { packedEntries, readTarball } from "./tarball.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-tarballs-"));
afterAll(() => rmSync(directory, { recursive: true }));

let count = 0;
const pack = (files: Record<string, string>) => readTarball(packFiles(directory, `fixture-${(count += 1)}`, files));
const problems = (files: Record<string, string>): string[] =>
  checkTarball(pack(files)).map(({ check, where }) => `${check} ${where}`);

test("a sound package has no problem, and is read as it was packed", () => {
  const tarball = pack(soundFiles());
  assert.deepEqual(checkTarball(tarball), []);
  assert.deepEqual(packedEntries(tarball.manifest), [{ subpath: ".", specifier: "@hebra/planted" }]);
  assert.equal(tarball.files.get("dist/index.js")?.toString(), "export const x = 1;\n");
});

test("paths longer than a plain header holds are read whole", () => {
  const path = `dist/${"a-long-folder-name/".repeat(14)}file.js`;
  assert.ok(path.length > 256);
  assert.equal(
    pack({ ...soundFiles(), [path]: "1" })
      .files.get(path)
      ?.toString(),
    "1",
  );
});

test("a planted path of one machine is found, with its line", () => {
  const planted = [
    pathOf("home", "ada", "hebra"),
    pathOf("Users", "ada", "hebra"),
    pathOf("root", "hebra"),
    pathOf("work", "main"),
    `~${pathOf("hebra")}`,
    ["C:", "Users", "ada"].join("\\"),
    `file://${pathOf("home", "ada")}`,
  ];
  for (const path of planted) {
    const found = problems({
      ...soundFiles(),
      "dist/index.js": `export const x = 1;\nexport const from = ${JSON.stringify(path)};\n`,
    });
    assert.ok(
      found.length > 0 && found.every((line) => line === "path dist/index.js:2"),
      `${path}: ${found.join(", ")}`,
    );
  }
});

test("what only looks like a path is let through", () => {
  const harmless = [
    "./home/x",
    "../../root/x",
    "https://example.com/home/x",
    "@hebra/work/x",
    "a/work/b",
    "packages/home/x",
    "/api/threads",
    "/",
    "https://example.com/~ada",
    "**/work/x",
  ];
  for (const text of harmless)
    assert.deepEqual(
      problems({ ...soundFiles(), "dist/index.js": `export const x = ${JSON.stringify(text)};` }),
      [],
      text,
    );
});

test("no field of the manifest may hold a path of one machine", () => {
  assert.deepEqual(problems(withManifest(soundFiles(), { config: { cache: [pathOf("var", "cache")] } })), [
    "path package.json config.cache.0",
  ]);
  assert.deepEqual(
    problems(withManifest(soundFiles(), { repository: { url: `file://${pathOf("home", "ada", "hebra")}` } })),
    ["path package.json repository.url"],
  );
});

test("every dependency comes from the registry", () => {
  for (const range of [
    "file:../core",
    "link:../core",
    "workspace:*",
    "portal:../core",
    "catalog:",
    "git+ssh://host/x",
    "https://host/x.tgz",
  ]) {
    assert.deepEqual(
      problems(withManifest(soundFiles(), { dependencies: { other: range } })),
      ["protocol package.json dependencies.other"],
      range,
    );
  }
});

test("every promised file is there", () => {
  const { "dist/index.d.ts": _types, ...files } = soundFiles();
  assert.deepEqual(problems(files), [`target package.json exports["."].types`]);
  assert.deepEqual(problems(withManifest(soundFiles(), { bin: { planted: "./dist/cli.js" } })), [
    "target package.json bin.planted",
  ]);
});

test("secrets and files that nobody means to publish are found, and the secret is not repeated", () => {
  const token = `npm_${"a1B2".repeat(9)}`;
  const found = checkTarball(
    pack({ ...soundFiles(), "dist/index.js": `const t = "${token}";`, ".env": "A=1", "src/x.test.ts": "" }),
  );
  assert.deepEqual(found.map(({ check, where }) => `${check} ${where}`).sort(), [
    "file .env",
    "file src/x.test.ts",
    "secret dist/index.js:1",
  ]);
  assert.ok(!JSON.stringify(found).includes(token));
});

test("a secret that is obviously made up may be shipped: contracts plant some", () => {
  const key = (body: string): Record<string, string> => ({
    ...soundFiles(),
    "dist/index.js": `const k = "sk-${body}";`,
  });
  assert.deepEqual(problems(key("abcdefghijklmnopqrstuvwxyz0123456789")), []);
  assert.deepEqual(problems(key("q7Zr2Lw9Xc4Vb8Nm1Kj6".repeat(2))), ["secret dist/index.js:1"]);
});

test("the licence is in its place", () => {
  const { LICENSE: _licence, ...files } = soundFiles();
  assert.deepEqual(problems(withManifest(files, { license: "MIT" })), [
    "licence package.json license",
    "licence LICENSE",
  ]);
});

test("packages share one version and name each other by it", () => {
  const core = pack(soundFiles("@hebra/core", "1.2.3"));
  const good = pack(withManifest(soundFiles("@hebra/bus", "1.2.3"), { dependencies: { "@hebra/core": "1.2.3" } }));
  assert.deepEqual(checkAlignment([core, good]), []);
  const late = pack(withManifest(soundFiles("@hebra/bus", "1.2.2"), { dependencies: { "@hebra/core": "1.2.2" } }));
  assert.deepEqual(
    checkAlignment([core, late]).map(({ where }) => where),
    ["package.json version", "package.json dependencies @hebra/core"],
  );
});

test("a package without a page for the registry is found", () => {
  const { "README.md": _page, ...files } = soundFiles();
  assert.deepEqual(problems(files), ["file README.md"]);
});
