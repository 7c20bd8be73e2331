import { createIdGenerator } from "@hebra/core";
import type { ApprovalRow } from "../../store/rows.ts";
import type { Address, Conversation, DefinitionOf, Engine } from "../api.ts";

const nextId = createIdGenerator();

/** See `Engine.thread`. @param open - reads what is open in the conversation; nothing before its first message */
export function conversation<Output>(
  engine: Engine,
  definition: DefinitionOf<Output>,
  address: Address,
  open: () => Promise<{ approvals: ApprovalRow[]; executionIds: string[] } | undefined>,
): Conversation<Output> {
  const tenant = address.tenant === undefined ? {} : { tenant: address.tenant };
  return {
    address,
    send(message, { id, ...options } = {}) {
      const trigger = typeof message === "string" ? { id: id ?? nextId(), text: message } : message;
      return engine.react(definition, trigger, { ...options, address });
    },
    history: async (options) => ((await open()) === undefined ? [] : engine.history(address, options)),
    approvals: async () => (await open())?.approvals ?? [],
    async cancel(options) {
      const { executionIds = [] } = (await open()) ?? {};
      // The newest first, so that none begins while those before it end.
      for (const executionId of executionIds.toReversed())
        await engine.cancel(executionId, { ...tenant, ...options, joined: true });
      return executionIds.length;
    },
    state: async () => (await engine.context(address)).state,
    async fork(options) {
      const { id } = await engine.fork(address, options);
      return engine.thread(definition, { ...tenant, contextId: id });
    },
  };
}
