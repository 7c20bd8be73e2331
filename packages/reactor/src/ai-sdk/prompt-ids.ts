import { deriveId } from "@hebra/core";

/** What every provider takes as the id of a call; several refuse more. */
const PORTABLE = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Ids for the calls of one prompt: the call's own where every provider takes it and no earlier call of the prompt has
 * it, as
 * imported histories may; else one derived from it. The same transcript always gives the same ids.
 */
export function createPromptIds(): (callId: string) => string {
  const used = new Set<string>();
  return (callId) => {
    let id = callId;
    for (let n = 0; !PORTABLE.test(id) || used.has(id); n++) id = deriveId("prompt-call", callId.toWellFormed(), n);
    used.add(id);
    return id;
  };
}
