import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { exempt } from "../../scripts/eslint/import-table.mjs";

/** The relative imports of a source file, those of types alone included. */
function relativeImports(file: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const named =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
            ? node.arguments[0]
            : undefined;
    if (named !== undefined && ts.isStringLiteral(named) && named.text.startsWith(".")) found.push(named.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true));
  return found.map((specifier) => join(dirname(file), specifier));
}

/**
 * Groups of files that import each other in a circle, types included. Tests, fixtures and command lines are left out.
 *
 * Tarjan, R. (1972), "Depth-first search and linear graph algorithms", SIAM Journal on Computing 1 (2).
 *
 * @param directory - of the sources, absolute
 * @returns paths relative to it
 */
export function importCircles(directory: string): string[][] {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !exempt.test(relative(directory, file)));
  const known = new Set(files);
  const next = new Map(files.map((file) => [file, relativeImports(file).filter((target) => known.has(target))]));
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): void => {
    const own = index.size;
    index.set(file, own);
    low.set(file, own);
    stack.push(file);
    for (const target of next.get(file)!) {
      if (!index.has(target)) visit(target);
      if (stack.includes(target)) low.set(file, Math.min(low.get(file)!, low.get(target)!));
    }
    if (low.get(file) !== own) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1 || next.get(file)!.includes(file)) circles.push(circle.map((it) => relative(directory, it)));
  };
  for (const file of files) if (!index.has(file)) visit(file);
  return circles;
}
