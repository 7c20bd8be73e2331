import { loadPeer } from "@hebra/core";
import type { ModelMessage, UIMessage } from "ai";

const peer = { name: "ai", range: ">=6.0.298 <8", neededBy: "@hebra/compat" };

/** A UI message as the model messages that it stands for. @throws HebraError `PEER_MISSING` without `ai` */
export async function toModelMessages(message: unknown): Promise<ModelMessage[]> {
  const { convertToModelMessages } = await loadPeer(peer, () => import("ai"));
  return convertToModelMessages([message as UIMessage]);
}
