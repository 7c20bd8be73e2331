export { firstDocument, providerContract, type ProviderClause, type ProviderContractHarness } from "../provider/provider.contract.ts";
