// Charts as SVG, readable on light and dark pages: a white card of its own; bars, one for each value, the value in words; and
// lines over a logarithmic scale.

export type Bar = { title: string; value: number; text: string; kind: 'ours' | 'yardstick' | 'peer' };

const COLORS = { ours: '#0b6bcb', yardstick: '#8a94a6', peer: '#d08700' } as const;
const LEGEND = { ours: 'Causeway', yardstick: 'yardstick: nothing but the bare work', peer: 'peer' } as const;
const WIDTH = 960;
const ROW = 30;
const TOP = 74;
const LABELS = 380;
const VALUES = 130;
const BAR_HEIGHT = 18;

/** A horizontal bar chart. */
export function plotBars(title: string, subtitle: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
  const room = WIDTH - LABELS - VALUES;
  const height = TOP + bars.length * ROW + 40;
  const rows = bars.map((bar, index) => {
    const y = TOP + index * ROW;
    const width = Math.max(1, (bar.value / most) * room);
    const weight = bar.kind === 'ours' ? ' font-weight="600"' : '';
    return [
      `<text x="${LABELS - 12}" y="${y + 14}" text-anchor="end"${weight}>${escapeText(bar.title)}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2" fill="${COLORS[bar.kind]}"/>`,
      `<text x="${(LABELS + width + 8).toFixed(1)}" y="${y + 14}"${weight}>${escapeText(bar.text)}</text>`,
    ].join('\n');
  });
  return card(title, subtitle, height, [...rows, legend(bars, height - 20)]);
}

const card = (title: string, subtitle: string, height: number, content: readonly string[]): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeText(title)}" font-family="system-ui, sans-serif" font-size="14" fill="#1c2430">`,
    `<rect width="${WIDTH}" height="${height}" rx="8" fill="#fff"/>`,
    `<text x="20" y="32" font-size="18" font-weight="600">${escapeText(title)}</text>`,
    `<text x="20" y="54" fill="#5a6577">${escapeText(subtitle)}</text>`,
    ...content,
    '</svg>',
    '',
  ].join('\n');

/** `isBeyond`: not measured; the line to it is dashed. `least`, `most`: how far it may be from `value`. */
export type Point = { at: number; value: number; least: number; most: number; isBeyond?: true };
export type Line = { title: string; points: readonly Point[] };

const LINE_COLORS = ['#0b6bcb', '#d08700', '#2e7d32', '#a8328c'];
const PLOT = { left: 70, right: WIDTH - 300, top: 84, bottom: 384 };

/** Lines over a logarithmic scale of `at`, with a limit to stay below. */
export function plotLines(title: string, subtitle: string, lines: readonly Line[], limit: number): string {
  const points = lines.flatMap((line) => line.points);
  const ats = [...new Set(points.map(({ at }) => at))].sort((a, b) => a - b);
  const [first = 1, last = 1] = [ats[0], ats.at(-1)];
  const top = Math.ceil(Math.max(limit, ...points.map(({ most }) => most)) * 5 + 1) / 5;
  const x = (at: number) =>
    PLOT.left + 24 + (Math.log(at / first) / Math.log(last / first)) * (PLOT.right - PLOT.left - 48);
  const y = (value: number) => PLOT.bottom - (value / top) * (PLOT.bottom - PLOT.top);
  const step = top > 2.4 ? 0.5 : 0.2;
  const ticks = Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, index) => index * step);
  const content = [
    ...ticks.map(
      (value) =>
        `<line x1="${PLOT.left}" x2="${PLOT.right}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" stroke="#e3e7ee"/>` +
        `<text x="${PLOT.left - 10}" y="${(y(value) + 5).toFixed(1)}" text-anchor="end" fill="#5a6577">${value.toFixed(1)}</text>`,
    ),
    ...ats.map(
      (at) =>
        `<text x="${x(at).toFixed(1)}" y="${PLOT.bottom + 22}" text-anchor="middle" fill="#5a6577">${at.toLocaleString('en-US')}</text>`,
    ),
    `<line x1="${PLOT.left}" x2="${PLOT.right}" y1="${y(limit).toFixed(1)}" y2="${y(limit).toFixed(1)}" stroke="#c62828" stroke-dasharray="2 4"/>`,
    `<text x="${PLOT.left + 6}" y="${(y(limit) - 6).toFixed(1)}" fill="#c62828" font-size="13">${limit.toFixed(1)}: the goal</text>`,
    ...lines.map((line, index) => drawLine(line, index, lines.length, { x, y })),
  ];
  return card(title, subtitle, PLOT.bottom + 44, content);
}

type Scales = { x(at: number): number; y(value: number): number };

function drawLine({ title, points }: Line, index: number, lines: number, scales: Scales): string {
  const color = LINE_COLORS[index % LINE_COLORS.length];
  // Beside each other, so that the bars of two lines can be told apart.
  const x = (point: Point) => (scales.x(point.at) + (index - (lines - 1) / 2) * 7).toFixed(1);
  const y = (value: number) => scales.y(value).toFixed(1);
  const parts = points.map((point, nr) => {
    const before = points[nr - 1];
    const to = before
      ? `<line x1="${x(before)}" y1="${y(before.value)}" x2="${x(point)}" y2="${y(point.value)}" stroke="${color}" stroke-width="2"${point.isBeyond ? ' stroke-dasharray="6 5"' : ''}/>`
      : '';
    const range = `<line x1="${x(point)}" x2="${x(point)}" y1="${y(point.least)}" y2="${y(point.most)}" stroke="${color}" opacity="0.55"/>`;
    const fill = point.isBeyond ? '#fff' : color;
    return `${to}${range}<circle cx="${x(point)}" cy="${y(point.value)}" r="4" fill="${fill}" stroke="${color}" stroke-width="2"/>`;
  });
  const at = PLOT.top + 14 + index * 24;
  const name = `<rect x="${PLOT.right + 24}" y="${at - 11}" width="12" height="12" rx="2" fill="${color}"/><text x="${PLOT.right + 44}" y="${at}">${escapeText(title)}</text>`;
  return [...parts, name].join('\n');
}

function legend(bars: readonly Bar[], y: number): string {
  const kinds = (['ours', 'yardstick', 'peer'] as const).filter((kind) => bars.some((bar) => bar.kind === kind));
  let x = 20;
  return kinds
    .map((kind) => {
      const at = x;
      x += 40 + LEGEND[kind].length * 7;
      return `<rect x="${at}" y="${y - 11}" width="12" height="12" rx="2" fill="${COLORS[kind]}"/><text x="${at + 18}" y="${y}" fill="#5a6577" font-size="13">${LEGEND[kind]}</text>`;
    })
    .join('\n');
}

export function escapeText(text: string): string {
  return text.replaceAll('`', '').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
