import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { levels, type Level } from "./version.ts";

/** A described change that waits for a release. */
export interface Changeset {
  /** The file's name without its extension. */
  id: string;
  releases: { name: string; level: Level }[];
  summary: string;
}

/** Reads one changeset: front matter of `"package": level` lines, then the summary. */
export function parseChangeset(id: string, text: string): Changeset {
  const match = /^---\r?\n([\s\S]*?)\r?\n?---\r?\n?([\s\S]*)$/.exec(text.trimStart());
  if (match === null) throw new Error(`.changeset/${id}.md has no front matter`);
  const [, head = "", body = ""] = match;
  const releases = head
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, name, word] = /^\s*["']?([^"':]+)["']?\s*:\s*["']?(\w+)["']?\s*$/.exec(line) ?? [];
      const level = levels.find((candidate) => candidate === word);
      if (name === undefined || level === undefined)
        throw new Error(`.changeset/${id}.md: "${line.trim()}" is not of the form "package": ${levels.join("|")}`);
      return { name: name.trim(), level };
    });
  return { id, releases, summary: body.trim() };
}

/** Reads the changesets of a directory, by file name. */
export function readChangesets(directory: string): Changeset[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory)
    .filter((name) => name.endsWith(".md") && name !== "README.md")
    .sort();
  return names.map((name) => parseChangeset(name.slice(0, -".md".length), readFileSync(join(directory, name), "utf8")));
}
