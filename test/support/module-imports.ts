import { readFileSync } from "node:fs";
import ts from "typescript";

/** What a source file asks for by name, as it stands after types are erased. */
export interface ModuleImports {
  /** Loaded with the module. */
  static: string[];
  /** Loaded by `import()` when the code runs. */
  dynamic: string[];
  /** Every other string in the code: a name that is passed to a loader is one of them. */
  strings: string[];
}

const cache = new Map<string, ModuleImports>();

function specifier(node: ts.Expression | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteral(node) ? node.text : undefined;
}

/** Reads a TypeScript file's imports from its syntax. */
export function moduleImports(file: string): ModuleImports {
  const known = cache.get(file);
  if (known !== undefined) return known;
  const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
  const found: ModuleImports = { static: [], dynamic: [], strings: [] };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      // With `verbatimModuleSyntax` only `import type` is erased; `import { type X }` still loads the module.
      const text = specifier(node.moduleSpecifier);
      if (text !== undefined && node.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword) found.static.push(text);
      return;
    }
    if (ts.isExportDeclaration(node)) {
      const text = specifier(node.moduleSpecifier);
      if (text !== undefined && !node.isTypeOnly) found.static.push(text);
      return;
    }
    if (ts.isImportTypeNode(node)) return;
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const text = specifier(node.arguments[0]);
      if (text !== undefined) found.dynamic.push(text);
    }
    if (ts.isStringLiteral(node)) found.strings.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  cache.set(file, found);
  return found;
}
