export type { FakeModel, ModelAnswer, ModelCall, ReactorContractOptions } from "../contract/scenario.ts";
export { reactorContract, type ReactorClause } from "../reactor.contract.ts";
export { faultyReactor, type ReactorFault } from "./faulty.ts";
export { collectEvents, createReactorInput, type ReactorInputOverrides } from "./input.ts";
