import type { JsonObject } from "@hebra/core";
import { first } from "../mapping/transform.ts";
import { idText } from "../source/index-tables.ts";

/** A way through a tree of messages from where it leaves another line, or from the root. */
export interface TreeLine {
  /** The node at its tip. */
  tip: string;
  /** The line that it leaves, by its place in the list, and the last node that both share. */
  parent: { line: number; node: string | undefined } | undefined;
  nodes: string[];
}

/** A tree as lines: the current one first. Nodes whose parents form a circle are on none. */
export function treeLines(
  nodes: Readonly<Record<string, JsonObject>>,
  parentColumn: string,
  current: string | undefined,
): { lines: TreeLine[]; unreached: string[] } {
  const parentOf = (id: string): string | undefined => {
    const parent = idText(first(nodes[id]!, [parentColumn])?.value);
    return parent !== undefined && Object.hasOwn(nodes, parent) ? parent : undefined;
  };
  const ids = Object.keys(nodes);
  const parents = new Set(ids.map(parentOf));
  const tips = ids.filter((id) => !parents.has(id));
  const main = current !== undefined && Object.hasOwn(nodes, current) ? current : tips.at(-1);
  const placed = new Map<string, number>();
  const lines: TreeLine[] = [];
  for (const tip of main === undefined ? [] : [main, ...tips.filter((id) => id !== main)]) {
    if (placed.has(tip)) continue;
    const way: string[] = [];
    const walked = new Set<string>();
    let at: string | undefined = tip;
    while (at !== undefined && !placed.has(at) && !walked.has(at)) {
      walked.add(at);
      way.unshift(at);
      at = parentOf(at);
    }
    // A circle has no beginning.
    if (at !== undefined && walked.has(at)) continue;
    for (const id of way) placed.set(id, lines.length);
    const parent = lines.length === 0 ? undefined : { line: at === undefined ? 0 : placed.get(at)!, node: at };
    lines.push({ tip, parent, nodes: way });
  }
  return { lines, unreached: ids.filter((id) => !placed.has(id)) };
}
