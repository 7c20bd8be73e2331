export { fromOpenFeature, type OpenFeatureClientLike } from "./from-open-feature.ts";
export { openFeatureProvider, type OpenFeatureProviderOptions } from "./provider.ts";
