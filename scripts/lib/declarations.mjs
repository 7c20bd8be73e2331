import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { root } from "./paths.mjs";
import { run } from "./run.mjs";

/** A relative module specifier of a declaration file, as `tsc` keeps them from this source: it ends in `.ts`. */
const specifier = /((?:\bfrom|\bimport)\s*\(?\s*")(\.\.?\/[^"]+)\.ts(")/g;

/**
 * Writes the declarations that the entries of a package reach into its `dist`, a file a module, as the project build of
 * TypeScript emits them. Tests and what no entry mentions stay behind.
 *
 * @param {string} directory of the package
 * @param {Record<string, string>} entries names in `dist`, and sources: `{ rollout: "./src/rollout/index.ts" }`
 */
export async function writeDeclarations(directory, entries) {
  const compiler = join(root, "node_modules/typescript-7/bin/tsc");
  const { ok } = await run(process.execPath, [compiler, "-b", directory], { output: "quiet" });
  if (!ok) throw new Error(`The declarations of ${basename(directory)} do not compile: run \`pnpm typecheck\`.`);
  const dist = join(directory, "dist");
  const modules = Object.entries(entries).map(([name, source]) => ({ name, module: source.slice(6, -3) }));
  const written = writeReachable(
    join(root, ".tsc", basename(directory)),
    dist,
    modules.map(({ module }) => module),
  );
  for (const { name, module } of modules)
    if (!written.has(name)) writeDeclaration(dist, name, `export * from "./${module}.js";\n`);
}

/** @param {string} from @param {string} dist @param {string[]} waiting modules, with no suffix */
function writeReachable(from, dist, waiting) {
  const written = new Set();
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (written.has(name)) continue;
    written.add(name);
    const text = readFileSync(join(from, `${name}.d.ts`), "utf8");
    for (const [, , target = ""] of text.matchAll(specifier)) waiting.push(normalize(join(dirname(name), target)));
    writeDeclaration(dist, name, text.replaceAll(specifier, "$1$2.js$3"));
  }
  return written;
}

/** @param {string} dist @param {string} name @param {string} text */
function writeDeclaration(dist, name, text) {
  const file = join(dist, `${name}.d.ts`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
