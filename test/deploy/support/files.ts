import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { root } from "../../../scripts/lib/paths.mjs";

export const deployPath = (path: string): string => join(root, "deploy", path);
export const readDeploy = (path: string): string => readFileSync(deployPath(path), "utf8");

/** The documents of a YAML file, with anchors and `<<` resolved. @throws Error on a mistake or a warning */
export function yamlDocuments(text: string): unknown[] {
  return [...parseAllDocuments(text, { merge: true })].map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    return document.toJS() as unknown;
  });
}

/** A copy that a test may spoil. */
export function spoiled<T>(data: T, spoil: (copy: T) => void): T {
  const copy = structuredClone(data);
  spoil(copy);
  return copy;
}
