// Stands in the place of what is sampled each second for history, namespaces and forecast: nothing is.
import type { startSampling as Sampling } from "../../src/commands/sampler.ts";

export const startSampling: typeof Sampling = () => () => {};
