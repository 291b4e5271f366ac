// The normalizations by name, as descriptors over (samples, neurons, positions...).
import type { Descriptor } from "./arithmetic";

export type NormName = "batch" | "masked" | "layer" | "group" | "instance" | "rms";
export type Over = "c" | "all"; // layer, rms: the neurons at one position, or at all positions

export interface Setting {
  norm: NormName;
  over: Over;
  groups: number;
}

export const kNormTitles: Record<NormName, string> = {
  batch: "BatchNorm",
  masked: "Masked BatchNorm",
  layer: "LayerNorm",
  group: "GroupNorm",
  instance: "InstanceNorm",
  rms: "RMSNorm",
};

export const kEps = 1e-5;

export const overBatch = (norm: NormName): boolean => norm === "batch" || norm === "masked";
export const hasOver = (norm: NormName, rank: number): boolean => rank > 2 && (norm === "layer" || norm === "rms");

export function divisors(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
}

export function descriptorOf({ norm, over, groups }: Setting, rank: number): Descriptor {
  const positions = Array.from({ length: rank - 2 }, (_, i) => i + 2);
  const common = { groups: 1, eps: kEps, centred: true };
  const ofSample = over === "c" ? [1] : [1, ...positions];
  switch (norm) {
    case "batch":
    case "masked":
      return { ...common, statistics: [0, ...positions], affine: [1] };
    case "layer":
      return { ...common, statistics: ofSample, affine: ofSample };
    case "rms":
      return { ...common, statistics: ofSample, affine: ofSample, centred: false };
    case "group":
      return { ...common, statistics: [1, ...positions], affine: [1], groups };
    case "instance":
      return { ...common, statistics: positions, affine: [1] };
  }
}
