export { createManualClock, type ManualClock } from "@hebra/core";
export { scriptedReactor, type ScriptedAction, type ScriptedReactorOptions, type ScriptedStep, type ScriptedStepSource } from "@hebra/reactor";
export type { StoreContractOptions } from "../store/store.contract.ts";
export { storeContract, type StoreClause } from "../store/store.contract.ts";
export { faultyStore, storeWrites, type FaultyStore, type StoreFault, type StoreVerb } from "./faulty-store.ts";
export { verifyGraph, type GraphProblem } from "./verify-graph.ts";
