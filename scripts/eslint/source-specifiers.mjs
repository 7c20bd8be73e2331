/** @type {import("eslint").Rule.RuleModule} */
export const sourceSpecifiers = {
  meta: {
    type: "problem",
    schema: [],
    docs: { description: "Relative imports name the file as it is on disk, with its extension." },
  },
  create(context) {
    /** @param {import("eslint").Rule.Node} node @param {unknown} source */
    const check = (node, source) => {
      if (typeof source !== "string" || !source.startsWith(".")) return;
      if (!/\.(ts|tsx|mts|mjs|json)$/.test(source))
        context.report({ node, message: `Write the file's own extension: "${source.replace(/\.js$/, "")}.ts".` });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source.value),
      ExportNamedDeclaration: (node) => check(node, node.source?.value),
      ExportAllDeclaration: (node) => check(node, node.source.value),
      ImportExpression: (node) => check(node, node.source.type === "Literal" ? node.source.value : undefined),
    };
  },
};
