import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** What an application with one engine, one definition and one store imports. */
const application = `
export { createEngine, defineThread } from "@hebra/thread";
export { memoryStore } from "@hebra/thread/store/memory";
`;

/**
 * What is read of a build's result.
 *
 * @typedef {object} Built
 * @property {{ path: string, contents: Uint8Array }[]} outputFiles
 * @property {{ outputs: Record<string, Output> }} metafile
 *
 * @typedef {object} Output
 * @property {string} [entryPoint]
 * @property {{ path: string, kind: string, external?: boolean }[]} imports
 */

/**
 * The esbuild that tsx brings along.
 *
 * @param {string} root the repository's
 * @returns {{ build(options: object): Promise<Built> }}
 */
export function loadEsbuild(root) {
  const tsx = createRequire(join(root, "package.json")).resolve("tsx");
  return createRequire(tsx)("esbuild");
}

/**
 * Bundles and minifies the smallest application, and counts what is loaded before anything is called.
 *
 * @param {string} root the repository's
 * @param {{ zod?: boolean }} [options] zod: whether the bundle holds it; an application that uses zod has it anyway
 * @returns {Promise<{ minified: number, gzip: number }>} bytes
 */
export async function smallestApplication(root, { zod = true } = {}) {
  const { build } = loadEsbuild(root);
  const { outputFiles, metafile } = await build({
    stdin: { contents: application, resolveDir: join(root, "test") },
    outdir: join(root, "out"),
    absWorkingDir: root,
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    minify: true,
    platform: "node",
    format: "esm",
    target: "node20",
    conditions: ["@hebra/source"],
    external: ["ai", "@opentelemetry/api", ...(zod ? [] : ["zod"])],
    logLevel: "error",
  });
  const { outputs } = metafile;
  const loaded = new Set(Object.keys(outputs).filter((path) => outputs[path]?.entryPoint === "<stdin>"));
  for (const path of loaded)
    for (const { path: next, kind, external } of outputs[path]?.imports ?? [])
      if (kind === "import-statement" && external !== true) loaded.add(next);
  const files = outputFiles.filter(({ path }) => loaded.has(path.slice(root.length + 1)));
  if (files.length !== loaded.size) throw new Error("The bundle's files are not those that its report names.");
  return {
    minified: files.reduce((sum, { contents }) => sum + contents.length, 0),
    gzip: files.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0),
  };
}
