/**
 * Owns: figures of histories of several lengths side by side. Called by: ../main.ts. Calls: nothing.
 */
import type { Figure } from '../summary.ts';

function shown(value: number): string {
  return value.toFixed(value < 10 ? 2 : 0);
}

/** One cell: the median, behind it the 95th percentile, and in brackets how many times the bare statement it is. */
function cell(figure: Figure | undefined): string {
  if (figure === undefined) return '-';
  const { p50, p99, ratio } = figure;
  const value = p99 === undefined ? shown(p50) : `${shown(p50)} / ${shown(p99)}`;
  return ratio === undefined ? value : `${value} (${ratio.value.toFixed(1)})`;
}

/** A table with a column for each length. */
export function growthTable(measured: ReadonlyMap<number, readonly Figure[]>): string {
  const names = [...new Set([...measured.values()].flatMap((figures) => figures.map(({ name }) => name)))];
  const unitOf = (name: string): string =>
    [...measured.values()].flat().find((figure) => figure.name === name)?.unit ?? '';
  const lines = names.map((name) => [
    `${name} [${unitOf(name)}]`,
    ...[...measured.values()].map((figures) => cell(figures.find((figure) => figure.name === name))),
  ]);
  const head = ['messages', ...[...measured.keys()].map((messages) => messages.toLocaleString('en'))];
  const widths = head.map((_, column) =>
    Math.max(...[head, ...lines].map((line) => (line[column] ?? '').length)),
  );
  const format = (line: readonly string[]): string =>
    line
      .map((text, column) =>
        column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join('  ');
  return [
    'p50 / p95, and in brackets times the bare statement of SQLite in the same run',
    format(head),
    ...lines.map(format),
    '',
  ].join('\n');
}
