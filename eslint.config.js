import javascript from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import typescript from "typescript-eslint";
import { importDirection } from "./scripts/eslint/import-direction.mjs";
import { sourceSpecifiers } from "./scripts/eslint/source-specifiers.mjs";

const plugin = { rules: { "import-direction": importDirection, "source-specifiers": sourceSpecifiers } };
const typed = ["packages/*/src/**/*.ts", "packages/*/src/**/*.tsx"];

const exclusive = {
  selector:
    "CallExpression[callee.type='MemberExpression'][callee.property.name=/^(skip|only|todo)$/]:matches([callee.object.name=/^(it|test|describe|suite|bench)$/], [callee.object.object.name=/^(it|test|describe|suite)$/])",
  message:
    'Every test runs. When it needs something that may be absent, use `it.skipIf(...)` or `context.skip("reason")`.',
};
const defaultExport = {
  selector: "ExportDefaultDeclaration",
  message: "Named exports only; a default export is for configuration files.",
};
const exportAll = {
  selector: "ExportAllDeclaration[exported=null]",
  message: "Name what is exported: adding a symbol to an entry is making it public.",
};
/** Bundlers drop the locales, two thirds of zod, only where it is imported as a namespace. */
const wholeZod = {
  selector: "ImportDeclaration[source.value='zod'][importKind='value'] > ImportSpecifier[imported.name='z']",
  message: 'Write `import * as z from "zod"`: a bundle then leaves out the locales.',
};

export default defineConfig(
  globalIgnores([
    "**/dist/",
    "**/node_modules/",
    ".tsc/",
    "coverage/",
    "artifacts/",
    "**/.cache/",
    "**/.hebra/",
    "**/*.generated.ts",
    "**/*.tmp.ts",
  ]),
  javascript.configs.recommended,
  typescript.configs.recommended,
  {
    plugins: { hebra: plugin },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": [
        "error",
        { fixStyle: "inline-type-imports", disallowTypeAnnotations: false },
      ],
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", ignoreRestSiblings: true },
      ],
      "no-restricted-syntax": ["error", exclusive, defaultExport, exportAll, wholeZod],
      "max-lines": ["error", { max: 400, skipBlankLines: true, skipComments: true }],
      "no-console": "off",
      "prefer-const": ["error", { destructuring: "all" }],
      "max-len": [
        "error",
        { code: 120, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true },
      ],
      eqeqeq: ["error", "always", { null: "ignore" }],
      "hebra/import-direction": "error",
      "hebra/source-specifiers": "error",
    },
  },
  {
    files: ["**/*.test.ts"],
    rules: { "max-lines": ["error", { max: 520, skipBlankLines: true, skipComments: true }] },
  },
  {
    // Stands for a host's code, which is not ours to write.
    files: ["examples/legacy-host/src/host/**"],
    rules: { "no-restricted-syntax": ["error", exclusive, defaultExport, exportAll] },
  },
  {
    files: typed,
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": [
        "error",
        { checksVoidReturn: { arguments: false, attributes: false } },
      ],
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/only-throw-error": "error",
    },
  },
  {
    files: ["packages/*/src/**/*.ts", "packages/*/src/**/*.tsx"],
    ignores: ["packages/*/src/cli/**", "packages/hebra/src/**", "**/*.test.ts"],
    rules: { "no-console": ["error", { allow: ["warn", "error"] }] },
  },
  {
    files: ["**/*.mjs", "**/*.js"],
    languageOptions: {
      globals: {
        process: "readonly",
        console: "readonly",
        URL: "readonly",
        performance: "readonly",
        setTimeout: "readonly",
        clearTimeout: "readonly",
        Buffer: "readonly",
      },
    },
  },
  {
    files: ["**/*.config.{js,ts,mjs}"],
    rules: { "no-restricted-syntax": ["error", exclusive] },
  },
);
