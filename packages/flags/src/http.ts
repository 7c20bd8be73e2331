export { httpProvider, type HttpProviderOptions } from "./provider/http/http-provider.ts";
export { ofrepClient, type OfrepClient, type OfrepClientOptions, type OfrepEvaluation } from "./provider/http/ofrep.ts";
