import { didToolExecute } from "./tool-calls.ts";
import type { ThreadItem } from "./types.ts";
import { unsupported } from "./unsupported.ts";

/** @deprecated The name of the action that asked a coding agent. */
export const DEFAULT_CODEX_TOOL_NAME = "codex";

/** @deprecated As {@link didToolExecute}. */
export function didCodexToolExecute(
  event: Pick<ThreadItem, "content">,
  toolName: string = DEFAULT_CODEX_TOOL_NAME,
): boolean {
  return didToolExecute(event, toolName);
}

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` */
export function createCodexThreadBuilder(..._: readonly unknown[]): never {
  throw unsupported(
    "createCodexThreadBuilder",
    "Give `createThread` or `defineThread` an action named `codex` that calls your executor.",
  );
}

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` */
export function useThread(..._: readonly unknown[]): never {
  throw unsupported(
    "useThread at the package's root",
    "Read a turn's `stream` through a route of your own, or feed `legacyChunks` to the AI SDK's `useChat`.",
  );
}

/**
 * The old engine's database schema. It can be imported; using it throws.
 *
 * @deprecated Not carried over: stores make their own tables.
 */
export const threadDomain: Record<string, unknown> = new Proxy<Record<string, unknown>>(
  {},
  {
    get(_target, member) {
      if (typeof member === "symbol" || member === "then") return undefined;
      throw unsupported(
        `threadDomain.${member}`,
        "The stores of `@hebra/thread/store/*` make their own tables, in a schema of your choice; `legacyStore` reads the old ones.",
      );
    },
  },
);
