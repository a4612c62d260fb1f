export interface Pair {
  a: string
  b: string
  isDirect: boolean
}

/**
 * All lengths are in px
 */
const SIZE = { width: 620, height: 460 }
const CENTRE = { x: 310, y: 240 }
const RADIUS = 165
const BOX = { width: 116, height: 40 }
const COLOURS = { direct: '#3fa34d', relayed: '#f2994e', helper: '#c4c8cc' }

/**
 * Homes in a circle around their helper, with a line for each pair: through the middle
 * where it stays on the relay
 */
export function drawNetwork (pairs: Pair[]): string {
  const names = [...new Set(pairs.flatMap(({ a, b }) => [a, b]))]
  const place = (name: string): { x: number, y: number } => {
    const angle = 2 * Math.PI * names.indexOf(name) / names.length - Math.PI / 2

    return {
      x: Math.round(CENTRE.x + 1.25 * RADIUS * Math.cos(angle)),
      y: Math.round(CENTRE.y + RADIUS * Math.sin(angle))
    }
  }
  const line = ({ a, b, isDirect }: Pair): string => {
    const [from, to] = [place(a), place(b)]

    return isDirect
      ? `<line x1="${from.x}" y1="${from.y}" x2="${to.x}" y2="${to.y}" stroke="${COLOURS.direct}" stroke-width="2.5"/>`
      : `<path d="M ${from.x} ${from.y} Q ${CENTRE.x} ${CENTRE.y} ${to.x} ${to.y}" fill="none"
  stroke="${COLOURS.relayed}" stroke-width="2.5" stroke-dasharray="7 5"/>`
  }

  const { width, height } = SIZE

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"
  font-family="sans-serif" font-size="13" fill="#222">
<rect width="${width}" height="${height}" fill="#fff"/>
${pairs.map(line).join('\n')}
${box('helper', CENTRE, COLOURS.helper)}
${names.map(name => box(name, place(name), '#fff')).join('\n')}
<line x1="16" y1="440" x2="56" y2="440" stroke="${COLOURS.direct}" stroke-width="2.5"/>
<text x="64" y="444">connected directly</text>
<line x1="216" y1="440" x2="256" y2="440" stroke="${COLOURS.relayed}" stroke-width="2.5" stroke-dasharray="7 5"/>
<text x="264" y="444">over the relay of the helper</text>
</svg>
`
}

function box (name: string, { x, y }: { x: number, y: number }, fill: string): string {
  const { width, height } = BOX

  return `<rect x="${x - width / 2}" y="${y - height / 2}" width="${width}" height="${height}" rx="6" fill="${fill}"
  stroke="#222"/>
<text x="${x}" y="${y + 5}" text-anchor="middle">${name}</text>`
}
