export { createManualClock, type ManualClock } from "@hebra/core";
export {
  scriptedReactor,
  type ScriptedAction,
  type ScriptedReactorOptions,
  type ScriptedStep,
  type ScriptedStepSource,
} from "@hebra/reactor";
export type { GoNoGoBar, GoNoGoCheck, GoNoGoReport, Measured } from "../gonogo/check.ts";
export type { GoNoGoHost, SeenSpan } from "../gonogo/host.ts";
export { httpChecks, type HttpCheckOptions } from "../gonogo/http-checks.ts";
export { runGoNoGo, type GoNoGoOptions } from "../gonogo/run-go-no-go.ts";
export {
  channelContract,
  type ChannelClause,
  type ChannelContractOptions,
  type Heard,
  type OtherSide,
  type Refusal,
  type Said,
} from "../runtime/channel.contract.ts";
export type { StoreContractOptions } from "../store/store.contract.ts";
export { storeContract, type StoreClause } from "../store/store.contract.ts";
export { faultyStore, storeWrites, type FaultyStore, type StoreFault, type StoreVerb } from "./faulty-store.ts";
export { verifyGraph, type GraphProblem } from "../store/contract/verify-graph.ts";
