import { posix } from "node:path";
import { composers, confined, exempt, libraries, mayImport, ports } from "./import-table.mjs";

/**
 * Says what is wrong with an import.
 *
 * @param {string} file path relative to the repository's root, with forward slashes
 * @param {string} specifier as written
 * @returns {string | undefined}
 */
export function importProblem(file, specifier) {
  const place = /^packages\/([^/]+)\/src\/(.+)$/.exec(file);
  if (place === null) return undefined;
  const [, owner = "", path = ""] = place;
  const relative = specifier.startsWith(".");
  const target = relative ? posix.join(posix.dirname(path), specifier) : specifier;
  if (relative && target.startsWith(".."))
    return `${specifier} leaves the package. Import another package by its name.`;
  if (exempt.test(path)) return undefined;
  return (
    packageProblem(owner, specifier) ??
    libraryProblem(path, specifier) ??
    folderProblem(owner, path, target) ??
    (relative ? adapterProblem(owner, path, target) : undefined)
  );
}

/** @param {string} owner @param {string} specifier */
function packageProblem(owner, specifier) {
  const other = /^@hebra\/([^/]+)/.exec(specifier)?.[1];
  if (other === undefined || composers.includes(owner)) return undefined;
  if (other === owner) return `@hebra/${owner} must not import itself by name. Use a relative path.`;
  const allowed = mayImport[owner];
  if (allowed === undefined)
    return `packages/${owner} is not in scripts/eslint/import-table.mjs. Add it there with the packages it may import.`;
  if (allowed.includes(other)) return undefined;
  const list =
    allowed.length === 0 ? "no other Hebra package" : `only ${allowed.map((name) => `@hebra/${name}`).join(", ")}`;
  return `@hebra/${owner} may import ${list}, not ${specifier}. Declare the port here and let the host pass it in.`;
}

/** @param {string} path @param {string} specifier */
function libraryProblem(path, specifier) {
  const library = libraries.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
  if (library === undefined || library.within.test(path)) return undefined;
  return library.why === undefined
    ? `${specifier} is an optional peer: only its own adapter may import it.`
    : `${specifier} is out of reach here: ${library.why}.`;
}

/** @param {string} owner @param {string} path @param {string} target */
function folderProblem(owner, path, target) {
  for (const rule of confined) {
    if (rule.package !== owner || !path.startsWith(`${rule.folder}/`) || rule.except?.test(path)) continue;
    if (rule.forbids.some((pattern) => pattern.test(target))) return `${rule.why}: ${target} is out of its reach.`;
  }
  return undefined;
}

/** @param {string} owner @param {string} path @param {string} target */
function adapterProblem(owner, path, target) {
  for (const port of ports) {
    if (port.package !== owner) continue;
    const [from, to] = [adapterOf(port, path), adapterOf(port, target)];
    if (from !== undefined && to !== undefined && from !== to)
      return `The ${from} adapter must not import the ${to} adapter. Move what they share beside the port.`;
  }
  return undefined;
}

/** @param {typeof ports[number]} port @param {string} path */
function adapterOf(port, path) {
  const rest =
    port.folder === "" ? path : path.startsWith(`${port.folder}/`) ? path.slice(port.folder.length + 1) : undefined;
  return rest === undefined ? undefined : port.adapters.find((name) => new RegExp(`^${name}([./-]|$)`).test(rest));
}

/** @type {import("eslint").Rule.RuleModule} */
export const importDirection = {
  meta: {
    type: "problem",
    schema: [],
    docs: { description: "Hold the direction of dependencies between packages and folders." },
  },
  create(context) {
    const file = posix.relative(context.cwd.replaceAll("\\", "/"), context.filename.replaceAll("\\", "/"));
    /** @param {import("eslint").Rule.Node} node @param {unknown} source */
    const check = (node, source) => {
      if (typeof source !== "string") return;
      const message = importProblem(file, source);
      if (message !== undefined) context.report({ node, message });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source.value),
      ExportNamedDeclaration: (node) => check(node, node.source?.value),
      ExportAllDeclaration: (node) => check(node, node.source.value),
      ImportExpression: (node) => check(node, node.source.type === "Literal" ? node.source.value : undefined),
      /** @param {{ argument?: { type?: string, literal?: { value?: unknown } }, source?: { value?: unknown } }} node */
      TSImportType: (node) =>
        check(
          /** @type {import("eslint").Rule.Node} */ (/** @type {unknown} */ (node)),
          node.source?.value ?? node.argument?.literal?.value,
        ),
    };
  },
};
