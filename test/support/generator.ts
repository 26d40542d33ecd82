// Random choices that a seed decides (mulberry32), so that a failure can be made again.

export type Generator = ReturnType<typeof createGenerator>;

export function createGenerator(seed: number) {
  let state = seed >>> 0;
  /** A number from 0 up to 1. */
  function random(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const chance = (share: number): boolean => random() < share;
  /** Up to that many, made one by one. */
  const many = <T>(most: number, make: () => T): T[] => Array.from({ length: Math.floor(random() * (most + 1)) }, make);
  return { random, pick, chance, many };
}
