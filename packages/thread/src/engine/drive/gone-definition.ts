import { HebraError } from "@hebra/core";
import { defineThread, type AnyThreadDefinition } from "../../definition/define-thread.ts";

/** What a turn was run by whose definition this process has not got. */
export function definitionMissing(name: string): HebraError {
  return new HebraError(
    "DEFINITION_MISSING",
    `A turn of the thread definition ${name} is open, and this process has none of that name. Pass it in \`threads\` again, or cancel the turn.`,
    { details: { definition: name } },
  );
}

/** Enough of a definition to cancel a turn whose own is gone. */
export function goneDefinition(name: string): AnyThreadDefinition {
  return defineThread({
    name,
    reactor: {
      contract: "reactor-v1",
      name: "none",
      // eslint-disable-next-line require-yield
      async *react() {
        throw definitionMissing(name);
      },
    },
  });
}
