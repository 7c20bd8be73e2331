import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../scripts/lib/paths.mjs";

export const operationsPage = (): string => readFileSync(join(root, "docs/guide/operations.md"), "utf8");

/** The anchors of a page's headings, as GitHub makes them. */
export function headingsOf(markdown: string): string[] {
  const outside = markdown.replace(/^```[\s\S]*?^```/gm, "");
  return [...outside.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
}
