import type { ThreadCaller } from "./caller.ts";

/** The user behind a request, for the verbs of the engine and for a message. */
export const senderOf = ({ user }: ThreadCaller) => ({
  by: user === undefined ? {} : { by: user },
  metadata: user === undefined ? {} : { sender: { id: user } },
});
