import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execFileSync } from "node:child_process";

/** A package that has nothing wrong with it. */
export const soundFiles = (name = "@hebra/planted", version = "1.2.3"): Record<string, string> => ({
  "package.json": JSON.stringify({
    name,
    version,
    license: "Apache-2.0",
    type: "module",
    exports: {
      ".": { "@hebra/source": "./src/index.ts", types: "./dist/index.d.ts", default: "./dist/index.js" },
      "./package.json": "./package.json",
    },
    dependencies: { zod: "4.6.7" },
  }),
  LICENSE: "Apache License",
  "README.md": "# planted\n",
  "src/index.ts": "export const x = 1;\n",
  "dist/index.js": "export const x = 1;\n",
  "dist/index.d.ts": "export declare const x = 1;\n",
});

/** Packs files with the system's tar, as a published package is laid out. Gives the tarball's path. */
export function packFiles(directory: string, name: string, files: Record<string, string>): string {
  const staging = mkdtempSync(join(tmpdir(), "hebra-fixture-"));
  for (const [path, text] of Object.entries(files)) {
    const file = join(staging, "package", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  mkdirSync(directory, { recursive: true });
  const tarball = join(directory, `${name}.tgz`);
  execFileSync("tar", ["--format=pax", "-czf", tarball, "-C", staging, "package"]);
  rmSync(staging, { recursive: true });
  return tarball;
}

/** The files with the manifest changed. */
export function withManifest(files: Record<string, string>, change: Record<string, unknown>): Record<string, string> {
  const manifest = JSON.parse(files["package.json"] ?? "{}") as Record<string, unknown>;
  return { ...files, "package.json": JSON.stringify({ ...manifest, ...change }) };
}

/** A path, in pieces, so that this file holds none itself. */
export const pathOf = (...parts: string[]): string => `/${parts.join("/")}`;
