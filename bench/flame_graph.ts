// A flame graph as SVG from a profile of V8: the stack from top to bottom, time from left to right, ours in colour.

import { escapeText } from './plot.ts';

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

const WIDTH = 1200;
const ROW = 18;
const TOP = 64;
/** Narrower frames are left out: they could not be read or hovered. */
const NARROWEST = 1.5;
const LETTER = 6.4;
const COLORS = { ours: '#0b6bcb', packages: '#d08700', node: '#8a94a6' } as const;

/** The flame graph of a profile. Every frame names itself when the pointer rests on it. */
export function drawFlameGraph(title: string, subtitle: string, root: Frame): string {
  const rows: string[] = [];
  let deepest = 0;
  const scale = (WIDTH - 40) / root.total;
  const draw = (frame: Frame, x: number, depth: number) => {
    const width = frame.total * scale;
    if (width < NARROWEST) return;
    deepest = Math.max(deepest, depth);
    const y = TOP + depth * ROW;
    const share = `${((100 * frame.total) / root.total).toFixed(1)} %`;
    const label = frame.name.slice(0, Math.max(0, Math.floor((width - 6) / LETTER)));
    rows.push(
      `<g><title>${escapeText(frame.name)}: ${share}</title>`,
      `<rect x="${x.toFixed(1)}" y="${y}" width="${(width - 0.5).toFixed(1)}" height="${ROW - 1}" fill="${COLORS[kindOf(frame.name)]}"/>`,
      ...(label.length > 3
        ? [`<text x="${(x + 3).toFixed(1)}" y="${y + 13}" fill="#fff">${escapeText(label)}</text>`]
        : []),
      '</g>',
    );
    let at = x;
    for (const child of [...frame.children].sort((a, b) => b.total - a.total)) {
      draw(child, at, depth + 1);
      at += child.total * scale;
    }
  };
  draw(root, 20, 0);
  const height = TOP + (deepest + 2) * ROW;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeText(title)}" font-family="ui-monospace, monospace" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" rx="8" fill="#fff"/>`,
    `<text x="20" y="28" font-family="system-ui, sans-serif" font-size="18" font-weight="600" fill="#1c2430">${escapeText(title)}</text>`,
    `<text x="20" y="48" font-family="system-ui, sans-serif" font-size="13" fill="#5a6577">${escapeText(subtitle)} Blue: this project; orange: packages; grey: Node and V8.</text>`,
    ...rows,
    '</svg>',
    '',
  ].join('\n');
}

function kindOf(name: string): keyof typeof COLORS {
  const place = name.split(' ').at(-1) ?? '';
  if (/^(server|demo)\//.test(place)) return 'ours';
  return name.includes(' ') && !name.includes(' node:') && place.includes('/') ? 'packages' : 'node';
}
