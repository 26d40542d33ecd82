// A flame graph as SVG from a profile of V8: the stack from top to bottom, time from left to right, ours in colour.

/** A function with what it called; times in samples. */
export type Frame = { name: string; self: number; total: number; children: Frame[] };

type Node = {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
};
export type CpuProfile = { nodes: Node[]; samples: number[]; timeDeltas: number[] };

/** Not work of the server: waiting, and what V8 says when it does not know. */
const IDLE = new Set(['(idle)', '(program)']);

/** The tree of what ran, calls of one function from one place put together, waiting left out. */
export function foldProfile(profile: CpuProfile, nameOf: (url: string) => string): Frame {
  const selfOf = new Map<number, number>();
  profile.samples.forEach((id, index) => {
    selfOf.set(id, (selfOf.get(id) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const fold = (ids: readonly number[]): Frame[] => {
    const groups = new Map<string, number[]>();
    for (const id of ids) {
      const frame = nodes.get(id)?.callFrame;
      if (!frame || IDLE.has(frame.functionName)) continue;
      const place = nameOf(frame.url);
      const name = `${frame.functionName || '(anonymous)'}${place ? ` ${place}:${frame.lineNumber + 1}` : ''}`;
      groups.set(name, [...(groups.get(name) ?? []), id]);
    }
    return [...groups].map(([name, members]) => {
      const children = fold(members.flatMap((id) => nodes.get(id)?.children ?? []));
      const self = members.reduce((sum, id) => sum + (selfOf.get(id) ?? 0), 0);
      return { name, self, total: children.reduce((sum, { total }) => sum + total, self), children };
    });
  };
  const top = profile.nodes.find(({ callFrame }) => callFrame.functionName === '(root)');
  const children = fold(top?.children ?? []);
  return { name: 'all', self: 0, total: children.reduce((sum, { total }) => sum + total, 0), children };
}
