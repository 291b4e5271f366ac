// The page's own arithmetic: the library's one descriptor, in plain loops. A test holds it against the library's.
//
//     y = gamma * (x - mean_S) / sqrt(variance_S + eps) + beta        S = the elements that share statistics

export interface Descriptor {
  statistics: number[]; // the axes that share
  affine: number[]; // the axes that own gamma and beta
  groups: number; // axis 1 in this many parts, each with statistics of its own
  eps: number;
  centred: boolean; // false: no mean is subtracted, and the mean of squares stands for the variance
}

export interface Given {
  mean: readonly number[];
  variance: readonly number[];
}

export interface Inputs {
  x: readonly number[]; // row-major
  gamma?: readonly number[] | null; // absent: 1
  beta?: readonly number[] | null; // absent: 0
  mask?: readonly boolean[] | null; // of every element: whether it counts
  given?: Given | null; // at inference: the statistics are these
}

export interface Normalized {
  statistic: number[]; // of every element: which statistic it uses
  counts: number[]; // of every statistic: the elements behind it
  mean: number[];
  variance: number[]; // biased
  y: number[] | null; // null where a statistic over samples has a single value: there is no training on it
}

const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

// The index of an element along every axis.
export function unravel(offset: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; --axis) {
    const size = shape[axis] as number;
    index[axis] = offset % size;
    offset = Math.floor(offset / size);
  }
  return index;
}

export function ravel(index: readonly number[], shape: readonly number[]): number {
  return index.reduce((offset, at, axis) => offset * (shape[axis] as number) + at, 0);
}

// Of every element, the row-major offset of what it belongs to: its statistic or its gamma.
function owners(shape: readonly number[], axes: readonly number[], sizes: readonly number[], part = 1): number[] {
  const owned = axes.map((axis) => sizes[axis] as number);
  return Array.from({ length: product(shape) }, (_, offset) => {
    const index = unravel(offset, shape);
    return ravel(
      axes.map((axis) => Math.floor((index[axis] as number) / (axis === 1 ? part : 1))),
      owned,
    );
  });
}

export function statisticsOf({ statistics, groups }: Descriptor, shape: readonly number[]): number[] {
  const axes = shape.map((_, axis) => axis).filter((axis) => !statistics.includes(axis) || (axis === 1 && groups > 1));
  if (groups === 1) return owners(shape, axes, shape);
  const sizes = shape.map((size, axis) => (axis === 1 ? groups : size));
  return owners(shape, axes, sizes, (shape[1] as number) / groups);
}

export function normalize(descriptor: Descriptor, shape: readonly number[], inputs: Inputs): Normalized {
  const { x, gamma, beta, mask, given } = inputs;
  const { eps, centred } = descriptor;
  const statistic = statisticsOf(descriptor, shape);
  const number = x.length === 0 ? 0 : Math.max(...statistic) + 1;
  const counts = new Array<number>(number).fill(0);
  const mean = new Array<number>(number).fill(0);
  const variance = new Array<number>(number).fill(0);
  const counted = (at: number): boolean => mask?.[at] !== false;
  const each = (action: (s: number, value: number) => void): void =>
    x.forEach((value, at) => counted(at) && action(statistic[at] as number, value));
  const add = (to: number[], at: number, value: number): void => void ((to[at] as number) += value);

  each((s) => add(counts, s, 1));
  const divide = (sums: number[]): void => counts.forEach((n, s) => n > 0 && (sums[s] = (sums[s] as number) / n));
  if (centred) {
    each((s, value) => add(mean, s, value));
    divide(mean);
  }
  each((s, value) => add(variance, s, (value - (mean[s] as number)) ** 2));
  divide(variance);
  const used: Given = given ?? { mean, variance };
  const refused = !given && descriptor.statistics.includes(0) && counts.some((n) => n < 2);
  if (refused) return { statistic, counts, mean, variance, y: null };

  const affine = owners(shape, descriptor.affine, shape);
  const y = x.map((value, at) => {
    if (!counted(at)) return 0;
    const s = statistic[at] as number;
    const size = Math.sqrt((used.variance[s] as number) + eps);
    const centre = centred ? (used.mean[s] as number) : 0;
    const owner = affine[at] as number;
    return (gamma?.[owner] ?? 1) * (size === 0 ? 0 : (value - centre) / size) + (beta?.[owner] ?? 0);
  });
  return { statistic, counts, mean: [...used.mean], variance: [...used.variance], y };
}
