import { BEHAVIOURS } from '../nat-options.ts'
import type { Behaviour } from '../nat-options.ts'

/**
 * Any peer can dial, only peers that the node has contacted can, or nothing is
 * announced: then peers that strangers can dial are dialled back
 */
export type Cell = 'dialable' | 'announced' | 'nothing'

export interface MatrixRow {
  kind: string
  mapping: Behaviour
  filtering: Behaviour
  cell: Cell
}

const COLOURS: Record<Cell, string> = { dialable: '#3fa34d', announced: '#f2c14e', nothing: '#c4c8cc' }

/**
 * With the place of each, in px
 */
const LEGEND: Array<[Cell, string, number]> = [
  ['dialable', 'announced, any peer can dial', 16],
  ['announced', 'announced, a peer needs a punch', 246],
  ['nothing', 'nothing announced, open peers reach it', 500]
]

/**
 * All lengths are in px
 */
const SIZE = 44
const GAP = 4
const LEFT = 70
const TOP = 96
const BLOCK = { width: 400, height: 226 }
const COLUMNS = 2

/**
 * A square of mapping (down) and filtering (across) for each kind of NAT, white
 * where nothing was measured
 */
export function drawMatrix (rows: MatrixRow[]): string {
  const kinds = [...new Set(rows.map(({ kind }) => kind))]
  const width = COLUMNS * BLOCK.width
  const height = TOP + Math.ceil(kinds.length / COLUMNS) * BLOCK.height

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"
  font-family="sans-serif" font-size="13" fill="#222">
<rect width="${width}" height="${height}" fill="#fff"/>
${LEGEND.map(([cell, text, x]) => `${square(x, 16, 18, cell)}
<text x="${x + 26}" y="29" font-size="12">${text}</text>`).join('\n')}
<text x="16" y="58" fill="#555">
  Down: mapping, across: filtering. EI: endpoint-independent, AD: address-dependent,
</text>
<text x="16" y="76" fill="#555">APD: address-and-port-dependent. White: there is no such NAT.</text>
${kinds
  .map((kind, i) =>
    block(
      kind,
      rows.filter(row => row.kind === kind),
      (i % COLUMNS) * BLOCK.width,
      TOP + Math.floor(i / COLUMNS) * BLOCK.height
    )
  )
  .join('\n')}
</svg>
`
}

function block (title: string, rows: MatrixRow[], left: number, top: number): string {
  const at = (i: number): number => i * (SIZE + GAP)
  const short = ['EI', 'AD', 'APD']

  return `<g transform="translate(${left} ${top})">
<text x="16" y="22" font-weight="bold" font-size="12">${title}</text>
${short.map((name, i) => `<text x="${LEFT + at(i) + SIZE / 2}" y="52" text-anchor="middle">${name}</text>
<text x="${LEFT - 10}" y="${60 + at(i) + SIZE / 2 + 5}" text-anchor="end">${name}</text>`).join('\n')}
${BEHAVIOURS.flatMap((mapping, y) => BEHAVIOURS.map((filtering, x) => {
  const row = rows.find(row => row.mapping === mapping && row.filtering === filtering)

  return square(LEFT + at(x), 60 + at(y), SIZE, row?.cell)
})).join('\n')}
</g>`
}

function square (x: number, y: number, size: number, cell?: Cell): string {
  const [fill, stroke] = cell == null ? ['#fff', '#ddd'] : [COLOURS[cell], 'none']

  return `<rect x="${x}" y="${y}" width="${size}" height="${size}" rx="3" fill="${fill}" stroke="${stroke}"/>`
}
