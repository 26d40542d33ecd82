// Bar charts as SVG, readable on light and dark pages: a white card of its own, one bar for each value, the value in words.

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
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeText(title)}" font-family="system-ui, sans-serif" font-size="14" fill="#1c2430">`,
    `<rect width="${WIDTH}" height="${height}" rx="8" fill="#fff"/>`,
    `<text x="20" y="32" font-size="18" font-weight="600">${escapeText(title)}</text>`,
    `<text x="20" y="54" fill="#5a6577">${escapeText(subtitle)}</text>`,
    ...rows,
    legend(bars, height - 20),
    '</svg>',
    '',
  ].join('\n');
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
