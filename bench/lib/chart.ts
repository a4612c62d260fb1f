import type { TopLevelSpec } from 'vega-lite'

interface Axis {
  /**
   * The quantity, with its unit
   */
  label: string

  /**
   * Whether the scale is logarithmic
   *
   * @default false
   */
  log?: boolean
}

export interface ChartSpec {
  title: string
  x: Axis
  y: Axis

  /**
   * The points of each line, by the name of the subject
   */
  lines: Record<string, Array<{ x: number, y: number }>>
}

/**
 * Draw lines over two labelled axes, as SVG. The same values give the same bytes.
 */
export async function drawChart ({ title, x, y, lines }: ChartSpec): Promise<string> {
  // large, and only needed for a report
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')])
  const names = Object.keys(lines)
  const values = names.flatMap(name => lines[name].map(point => ({ ...point, name })))
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title,
    width: 520,
    height: 300,
    background: 'white',
    padding: 12,
    config: { font: 'sans-serif' },
    data: { values },
    mark: { type: 'line', point: true },
    encoding: {
      x: axis('x', x, values.map(value => value.x)),
      y: axis('y', y, values.map(value => value.y)),
      color: { field: 'name', type: 'nominal', title: null, sort: names }
    }
  }

  return new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none' }).toSVG()
}

function axis (
  field: 'x' | 'y',
  { label, log = false }: Axis,
  values: number[]
): { field: string; type: 'quantitative'; title: string; scale: object; axis: object } {
  return {
    field,
    type: 'quantitative',
    title: log ? `${label}, log scale` : label,
    scale: log
      ? { type: 'log', domain: [Math.min(...values), Math.max(...values)], nice: field === 'y' }
      : { zero: true },
    axis: log ? { format: '~s', labelOverlap: true } : { format: '~s' }
  }
}
